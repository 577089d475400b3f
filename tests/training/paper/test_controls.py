"""The controls take colour and place from the images of all sources, and nothing else."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.paper.samples import silent
from training.data.manifest import Manifest, Split
from training.paper import images
from training.paper.controls import (
    CONTROLS,
    SHIFT,
    colour_map,
    controlled,
    match_colours,
    moments,
    shift,
)
from training.paper.images import SetUp, images_config, load_images
from training.paper.studies.fingerprints.controls import measurements
from training.paper.studies.lab import Lab

SETUP = SetUp("five", "faces", "small")


def coloured(
    count: int, seed: int, middle: tuple[float, float, float], mixing: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Pixels about `middle` whose channels are mixed by a matrix (3,3): uint8 (count,3,16,16)."""
    drawn = np.random.default_rng(seed).normal(0, 1, (count, 3, 16, 16))
    mixed = np.einsum("ij,njhw->nihw", mixing, drawn) + np.array(middle)[:, None, None]
    pixels: NDArray[np.uint8] = mixed.round().clip(0, 255).astype(np.uint8)
    return pixels


REAL = coloured(40, 0, (130, 110, 100), np.array([[20, 0, 0], [8, 15, 0], [6, 5, 9]]))
MADE = coloured(50, 1, (120, 120, 90), np.array([[11, 3, 0], [0, 10, 4], [2, 0, 12]]))


def test_moments_are_those_of_all_pixels() -> None:
    mean, covariance = moments(REAL)
    pixels = REAL.transpose(0, 2, 3, 1).reshape(-1, 3)
    np.testing.assert_allclose(mean, pixels.mean(0))
    np.testing.assert_allclose(covariance, np.cov(pixels.T, bias=True), rtol=1e-9)


def test_the_map_is_symmetric_and_carries_one_covariance_into_the_other() -> None:
    (_, own), (_, wanted) = moments(MADE), moments(REAL)
    matrix = colour_map(own, wanted)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-9)
    np.testing.assert_allclose(matrix @ own @ matrix, wanted, rtol=1e-6)
    assert (np.linalg.eigvalsh(matrix) > 0).all()
    np.testing.assert_allclose(colour_map(own, own), np.eye(3), atol=1e-9)
    widened = colour_map(np.diag([1.0, 4.0, 9.0]), np.diag([4.0, 4.0, 81.0]))
    np.testing.assert_allclose(widened, np.diag([2.0, 1.0, 3.0]), atol=1e-9)


def test_every_source_gets_the_real_ones_mean_and_covariance_and_real_ones_stay() -> None:
    other = coloured(30, 2, (90, 100, 140), np.diag([9.0, 14.0, 6.0]))
    training = [REAL, MADE, other]
    real, *made = match_colours(training, training, 7)
    assert real is REAL
    for group in made:
        mean, covariance = moments(group)
        np.testing.assert_allclose(mean, moments(REAL)[0], atol=0.1)
        # Even spreading over a grey level and rounding add a little of their own.
        np.testing.assert_allclose(covariance, moments(REAL)[1], atol=1.0)


def test_the_map_is_fitted_on_training_images_and_spreads_values_within_their_grey_level() -> None:
    asked = coloured(3, 3, (140, 90, 80), np.diag([5.0, 9.0, 7.0]))
    changed = match_colours([REAL, asked], [REAL, MADE], 7)[1]
    (mean, covariance), (own, spread) = moments(REAL), moments(MADE)
    matrix = colour_map(spread, covariance)
    reach = 0.5 * np.abs(matrix).sum(1) + 0.5 + 1e-3  # half a level before, rounding behind
    for number, row, column in itertools.product(range(3), range(16), range(16)):
        colour = asked[number, :, row, column].astype(float)
        expected = (matrix @ (colour - own) + mean).clip(0, 255)
        assert (np.abs(changed[number, :, row, column] - expected) <= reach).all()


def test_a_stretched_source_has_no_gaps_between_its_grey_levels() -> None:
    narrow, wide = (
        np.random.default_rng(4).normal(128, spread, (60, 3, 16, 16)).round().astype(np.uint8)
        for spread in (8, 16)
    )
    stretched = match_colours([wide, narrow], [wide, narrow], 0)[1]
    counts = np.bincount(stretched[:, 0].ravel(), minlength=256)[112:145]  # within a deviation
    assert counts.min() > 0.7 * counts.max() * np.exp(-0.5)


def test_a_shifted_image_is_a_window_of_the_mirrored_one() -> None:
    image = np.random.default_rng(5).integers(0, 256, (1, 3, 16, 16), dtype=np.uint8)
    most = 16 // SHIFT
    reached = itertools.product(range(-most, most + 1), repeat=2)
    wanted = {_by_loop(image[0], down, right).tobytes() for down, right in reached}
    found = shift(np.repeat(image, 300, axis=0), np.random.default_rng(6))
    assert {one.tobytes() for one in found} == wanted, "every shift within reach, and no other"


def _by_loop(image: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    """What each pixel is taken from, counted back at the border."""
    side, taken = image.shape[-1], np.empty_like(image)
    for row, column in itertools.product(range(side), repeat=2):
        places = [
            -place if place < 0 else 2 * (side - 1) - place if place >= side else place
            for place in (row + down, column + right)
        ]
        taken[:, row, column] = image[:, places[0], places[1]]
    return taken


def test_a_control_follows_from_its_seed_and_both_shifts_every_source_by_itself() -> None:
    groups = [REAL, MADE]
    for control in CONTROLS:
        first, again, other = (controlled(control, groups, groups, seed) for seed in (1, 1, 2))
        assert all((a == b).all() for a, b in zip(first, again, strict=True))
        assert (first[1] != other[1]).any()
    assert (controlled("colours", groups, groups, 1)[0] == REAL).all()
    assert (controlled("both", groups, groups, 1)[0] != REAL).any()
    twice = controlled("both", [REAL, REAL, REAL], [REAL, REAL, REAL], 1)
    apart = [(a != b).mean() for a, b in itertools.combinations(twice, 2)]
    assert min(apart) > 0.5, "shifts of one source are not those of another"


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """No photographs but some noise in every split, and three images of each generator."""
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))

    def noise(manifest: Manifest, content: str, side: int, split: Split) -> NDArray[np.uint8]:
        rng = np.random.default_rng(len(split))
        return rng.normal(120, 30, (3, 3, side, side)).clip(0, 255).astype(np.uint8)

    monkeypatch.setattr(images, "pictures", noise)
    monkeypatch.setattr(images, "DRAWN", {"train": 3, "validation": 3, "test": 3})
    return Manifest(tmp_path, ())


def test_a_set_up_under_control_has_the_same_sources_and_other_pixels(manifest: Manifest) -> None:
    plain = load_images(SETUP, manifest, "test")
    for control in CONTROLS:
        changed = load_images(replace(SETUP, control=control), manifest, "test")
        assert changed.counts() == plain.counts()
        assert (changed.labels == plain.labels).all()
        assert (changed.images != plain.images).mean() > 0.3
    training = load_images(replace(SETUP, control="colours"), manifest, "train")
    wanted = moments(training.of(0))[0]
    for label in range(1, len(training.sources)):
        np.testing.assert_allclose(moments(training.of(label))[0], wanted, atol=3)  # clipping


def test_a_control_is_part_of_what_fixes_a_measurement_and_its_absence_is_not(
    manifest: Manifest,
) -> None:
    assert "control" not in images_config(SETUP)
    configs = [images_config(replace(SETUP, control=control)) for control in CONTROLS]
    named = [{"setup": "five-faces-64-colours"}, {"setup": "five-faces-64-both"}]
    assert configs == [
        images_config(SETUP) | named[0] | {"control": "colours"},
        images_config(SETUP) | named[1] | {"control": "both", "shift": SHIFT},
    ]
    lab = Lab(manifest, "small", manifest.root, lambda line: None, lambda name: silent)
    measured = measurements(lab, SETUP)
    assert len({one.name for one in measured}) == len({one.digest for one in measured}) == 16
    assert {one.name.split("/")[1] for one in measured} == {
        "five-faces-64-colours",
        "five-faces-64-both",
    }
