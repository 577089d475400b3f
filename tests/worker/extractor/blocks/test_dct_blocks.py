"""The three DCT blocks equal one plain transform of every block on every grid."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.fft import dctn

from tests.worker.extractor.blocks.regions import REGIONS, photo_region
from worker.extractor.blocks import block_dct, chroma_phase, phase_dct
from worker.extractor.blocks.planes import Planes, to_planes

Array = NDArray[np.float64]


def coefficients(plane: Array, top: int, left: int) -> Array:
    """Every whole block of the grid that begins at (top, left): (N, 8, 8)."""
    found: list[Array] = [
        dctn(plane[y : y + 8, x : x + 8], norm="ortho")
        for y in range(top, plane.shape[0] - 7, 8)
        for x in range(left, plane.shape[1] - 7, 8)
    ]
    return np.stack(found)


def folded(plane: Array) -> list[list[Array]]:
    """Blocks of the nine phases [vertical][horizontal], of the grids 0, 2, 4, 6."""
    classes = ((0,), (2, 6), (4,))
    return [
        [
            np.concatenate([coefficients(plane, y, x) for y in down for x in across])
            for across in classes
        ]
        for down in classes
    ]


def exact(planes: Planes) -> list[Array]:
    return [plane.astype(np.float64) for plane in (planes.y, planes.cb, planes.cr)]


def share(blocks: Array, below: float) -> Array:
    shares: Array = (np.abs(blocks) < below).mean(axis=0)
    return shares


def expected_block_dct(planes: Planes) -> Array:
    rows: list[Array] = []
    for plane in exact(planes):
        c = coefficients(plane, 0, 0)
        rows += [np.log(np.abs(c).mean(axis=0) + 0.02), np.log((c**2).mean(axis=0) + 0.0004)]
        rows += [share(c, 1.01), share(c, 4.04)]
    return np.stack(rows).ravel()


def expected_phase_dct(planes: Planes) -> Array:
    modes = [(u, v) for u in range(8) for v in range(8) if 0 < u * u + v * v <= 49]
    rows = []
    for phases in folded(exact(planes)[0]):
        for c in phases:
            statistics = [np.log(np.abs(c).mean(axis=0) + 0.02)]
            statistics += [0.5 * np.log((c**2).mean(axis=0) + 0.0004)]
            statistics += [share(c, t) for t in (0.505, 1.01, 2.02, 4.04, 8.08)]
            rows += [statistic[u, v] for statistic in statistics for u, v in modes]
    return np.array(rows)


def expected_chroma_phase(planes: Planes) -> Array:
    modes = [(u, v) for u in range(6) for v in range(6) if 0 < u + v <= 5]
    rows = []
    for plane in exact(planes)[1:]:
        height, width = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
        half = plane[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        for phases in folded(half):
            for c in phases:
                statistics = [np.log(np.abs(c).mean(axis=0) + 0.02)]
                statistics += [0.5 * np.log((c**2).mean(axis=0) + 0.0004)]
                statistics += [share(c, 0.505), share(c, 2.02)]
                rows += [statistic[u, v] for statistic in statistics for u, v in modes]
    return np.array(rows)


@pytest.mark.parametrize("name", REGIONS)
def test_block_dct_is_what_plain_transforms_give(name: str) -> None:
    planes = to_planes(REGIONS[name])
    found = block_dct.finish(block_dct.accumulate(planes, phase_dct.grids(planes)))
    np.testing.assert_allclose(found, expected_block_dct(planes), atol=1e-4)


@pytest.mark.parametrize("name", REGIONS)
def test_phase_dct_is_what_plain_transforms_give(name: str) -> None:
    planes = to_planes(REGIONS[name])
    found = phase_dct.finish(phase_dct.accumulate(phase_dct.grids(planes)))
    np.testing.assert_allclose(found, expected_phase_dct(planes), atol=1e-4)


@pytest.mark.parametrize("name", REGIONS)
def test_chroma_phase_is_what_plain_transforms_give(name: str) -> None:
    planes = to_planes(REGIONS[name])
    found = chroma_phase.finish(chroma_phase.accumulate(planes))
    np.testing.assert_allclose(found, expected_chroma_phase(planes), atol=1e-4)


def test_a_mirrored_picture_has_the_same_phases() -> None:
    region = photo_region(64, 96)
    found = [
        phase_dct.finish(phase_dct.accumulate(phase_dct.grids(to_planes(r))))
        for r in (region, region[:, :, ::-1])
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_a_lattice_of_eight_shows_in_the_phases() -> None:
    """Steps every eighth column, as a codec or a generator of that lattice makes them."""
    region = photo_region(96, 96, seed=5) // 2
    region += (np.random.default_rng(6).integers(0, 60, 12).repeat(8)).astype(np.uint8)
    luma = phase_dct.grids(to_planes(region))
    features = phase_dct.finish(phase_dct.accumulate(luma)).reshape(3, 3, 7, 44)
    # The mode (0, 1): the grid that begins with the steps holds less of it than the one between.
    assert features[0, 0, 0, 0] < features[0, 2, 0, 0] - 0.5
