"""Co-occurrences within a channel and between channels equal plain counting of whole numbers."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.worker.extractor.blocks.regions import (
    REGIONS,
    flat_region,
    photo_region,
    random_region,
)
from worker.extractor.blocks import co_occurrences, colour
from worker.extractor.blocks.planes import to_planes
from worker.extractor.blocks.residual_symbols import bands

Array = NDArray[np.int64]
Triple = tuple[int, int, int]
SAMPLES = {
    **REGIONS,
    "thinned out": photo_region(272, 256),
    "thinned noise": random_region(256, 272),
}
MULTIPLES = {1: (1, 2), 2: (1, 3), 4: (2, 6), 8: (4, 12)}  # rounding of r / q, halves outwards


def rounded(residual: Array, multiple: int) -> Array:
    """-2..2, the nearest multiple, halves away from zero."""
    near, far = MULTIPLES[multiple]
    size = np.abs(residual)
    symbol: Array = np.sign(residual) * (np.where(size >= near, 1, 0) + np.where(size >= far, 1, 0))
    return symbol


def shifted(picture: Array, down: int, across: int) -> Array:
    """What stands so much further; cyclic, so the last rows and columns are cut later."""
    return np.roll(picture, (-down, -across), axis=(0, 1))


def first(x: Array, down: int, across: int) -> Array:
    return shifted(x, down, across) - x


def second(x: Array, down: int, across: int) -> Array:
    return shifted(x, 2 * down, 2 * across) - 2 * shifted(x, down, across) + x


def corners(x: Array, step: int) -> Array:
    return x + shifted(x, step, step) - shifted(x, step, 0) - shifted(x, 0, step)


def square(x: Array, step: int) -> Array:
    return -second(second(x, 0, step), step, 0)


def triples(planes: list[Array], height: int, width: int) -> Counter[Triple]:
    """Of three (H, W) planes of symbols, the places within height and width in the read rows."""
    rows = [y for y in range(height) if reads(y, *planes[0].shape)]
    stacked = np.stack([plane[rows, :width].ravel() for plane in planes], axis=1)
    found: Counter[Triple] = Counter()
    values, counts = np.unique(stacked, axis=0, return_counts=True)
    for (a, b, c), count in zip(values.tolist(), counts.tolist(), strict=True):
        found[(a, b, c)] += count
    return found


def reads(row: int, height: int, width: int) -> bool:
    return height * width <= 65536 or row // 8 % 8 in (0, 3)


def roots(found: Counter[Triple], alike: Callable[[Triple], set[Triple]]) -> list[float]:
    """Square roots of shares by class, in the order of each class's smallest triple."""
    every = [(a, b, c) for a in range(-2, 3) for b in range(-2, 3) for c in range(-2, 3)]
    classes = sorted({min(alike(triple)) for triple in every})
    total = sum(found.values())
    return [
        float(np.sqrt(sum(found[triple] for triple in alike(smallest)) / total))
        for smallest in classes
    ]


def negated(triple: Triple) -> set[Triple]:
    a, b, c = triple
    return {triple, (-a, -b, -c)}


def negated_or_mirrored(triple: Triple) -> set[Triple]:
    a, b, c = triple
    return negated(triple) | negated((c, b, a))


def expected_co_occurrences(region: NDArray[np.uint8]) -> list[float]:
    planes = to_planes(region)
    height, width = planes.y.shape
    expected = []
    for whole in (planes.whole_y, planes.whole_cb, planes.whole_cr):
        x = whole.astype(np.int64)
        for step in (1, 2, 4):
            q = 2 if whole is planes.whole_y and step > 1 else 1
            found: list[Counter[Triple]] = [Counter(), Counter(), Counter()]
            for down, across in ((0, step), (step, 0)):
                for order, symbols, reach in (
                    (0, rounded(first(x, down, across), q), (down, across)),
                    (1, rounded(second(x, down, across), 2 * q), (2 * down, 2 * across)),
                    (2, rounded(corners(x, step), 2 * q), (step, step)),
                ):
                    found[order] += triples(
                        [shifted(symbols, k * down, k * across) for k in range(3)],
                        height - reach[0] - 2 * down,
                        width - reach[1] - 2 * across,
                    )
            for counter in found:
                expected += roots(counter, negated_or_mirrored)
    return expected


def expected_colour(region: NDArray[np.uint8]) -> list[float]:
    channels = [channel.astype(np.int64) for channel in region]
    height, width = region.shape[1:]
    expected = []
    for step in (1, 2):
        for multiple, (down, across), residuals in (
            (step, (0, step), [first(x, 0, step) for x in channels]),
            (step, (step, 0), [first(x, step, 0) for x in channels]),
            (2 * step, (0, 2 * step), [second(x, 0, step) for x in channels]),
            (2 * step, (2 * step, 0), [second(x, step, 0) for x in channels]),
            (2 * step, (step, step), [corners(x, step) for x in channels]),
            (4 * step, (2 * step, 2 * step), [square(x, step) for x in channels]),
        ):
            symbols = [rounded(residual, multiple) for residual in residuals]
            expected += roots(triples(symbols, height - down, width - across), negated)
    return expected


@pytest.mark.parametrize("name", SAMPLES)
def test_co_occurrences_are_what_plain_counting_gives(name: str) -> None:
    region = SAMPLES[name]
    found = co_occurrences.finish(co_occurrences.accumulate(to_planes(region)))
    np.testing.assert_allclose(found, expected_co_occurrences(region), rtol=1e-6)


@pytest.mark.parametrize("name", SAMPLES)
def test_colour_is_what_plain_counting_gives(name: str) -> None:
    region = SAMPLES[name]
    found = colour.finish(colour.accumulate(to_planes(region)))
    np.testing.assert_allclose(found, expected_colour(region), rtol=1e-6)


def test_a_mirrored_or_turned_or_inverted_picture_has_the_same_co_occurrences() -> None:
    region = photo_region(64, 64)
    planes = to_planes(region)
    one = co_occurrences.accumulate(planes)
    negative = planes._replace(
        whole_y=-planes.whole_y, whole_cb=-planes.whole_cb, whole_cr=-planes.whole_cr
    )
    for other in (
        to_planes(region[:, :, ::-1]),
        to_planes(region[:, ::-1]),
        to_planes(region.transpose(0, 2, 1)),
        negative,
    ):
        np.testing.assert_array_equal(co_occurrences.accumulate(other), one)


def test_a_flat_picture_has_one_symbol_alone() -> None:
    features = co_occurrences.finish(co_occurrences.accumulate(to_planes(flat_region())))
    by_histogram = features.reshape(27, 39)
    assert (by_histogram.max(axis=1) == 1).all()
    assert (by_histogram.sum(axis=1) == 1).all()


@pytest.mark.parametrize("width", [32, 77, 128, 256])
def test_all_rows_of_a_small_region_are_read_once(width: int) -> None:
    assert rows_of(100, width) == list(range(100))


def test_a_large_region_is_thinned_out_evenly_over_the_codecs_grid() -> None:
    rows = np.isin(np.arange(512), rows_of(512, 512))
    assert rows.mean() == 0.25
    assert len(set(rows.reshape(-1, 16).sum(axis=0))) == 1


def rows_of(height: int, width: int) -> list[int]:
    return [row for top, rows in bands(height, width) for row in range(top, top + rows)]
