"""The device's statistics are those of the compiled loops, whatever the regions' sizes."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.worker.extractor.blocks.regions import REGIONS, photo_region, random_region
from worker.extractor.blocks.picture_features import BLOCKS, accumulate
from worker.extractor.blocks.shifted_dct import THRESHOLDS
from worker.extractor.bundle import load_bundle
from worker.extractor.fingerprint_map import Floats, block_statistics
from worker.extractor.on_device.canvas import Batch, batches
from worker.extractor.on_device.statistics import finished, pooled, region_sums

COUNTED = ("co_occurrences", "colour")
Pictures = Sequence[Sequence[NDArray[np.uint8]]]
PICTURES: dict[str, list[NDArray[np.uint8]]] = {
    **{name: [region] for name, region in REGIONS.items()},
    "thinned": [photo_region(300, 411)],
    "thinned noise": [random_region(264, 257)],
    "just dense": [random_region(256, 256)],
    "very wide": [photo_region(33, 1100)],
    "tiles": [photo_region(128, 128, seed) for seed in range(5)] + [photo_region(64, 96)],
}


def statistics(pictures: Pictures, blocks: Sequence[str] = tuple(BLOCKS)) -> Floats:
    """(P, F) by the device's path, on torch's CPU device."""
    total = torch.zeros(1)
    with torch.inference_mode():
        for batch in batches(pictures, pinned=False):
            total = total + pooled(sums(batch, blocks), batch.facts[:, 2], len(pictures))
        found: Floats = finished(total, blocks).numpy()
    return found


def sums(batch: Batch, blocks: Sequence[str]) -> dict[str, torch.Tensor]:
    return region_sums(batch.pixels, batch.facts[:, :2], blocks, thinned=batch.shape.thinned)


@pytest.fixture(scope="module")
def found() -> dict[str, Floats]:
    """All pictures at once, so that each stands beside others on its canvases."""
    return dict(zip(PICTURES, statistics(list(PICTURES.values())), strict=True))


@pytest.mark.parametrize("name", PICTURES)
def test_statistics_are_those_of_the_compiled_loops(name: str, found: dict[str, Floats]) -> None:
    """Within rounding; but where rounding moves a coefficient across a threshold, a share of the
    few thousand coefficients that it is counted among differs by one."""
    expected = block_statistics(PICTURES[name])
    far = np.abs(found[name] - expected) > 2e-5
    assert far.mean() < 1e-3
    np.testing.assert_allclose(found[name], expected, atol=4e-3)


@pytest.mark.parametrize("name", PICTURES)
def test_fingerprints_are_those_of_the_compiled_loops(name: str, found: dict[str, Floats]) -> None:
    own = load_bundle().maps["lossless"]
    expected = block_statistics(PICTURES[name])
    one, other = (own.fingerprint(own.standard(x[None])) for x in (found[name], expected))
    np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("name", PICTURES)
def test_symbols_are_counted_to_the_last(name: str) -> None:
    expected = [accumulate(region, COUNTED) for region in PICTURES[name]]
    for batch in batches([[region] for region in PICTURES[name]], pinned=False):
        for block, counts in sums(batch, COUNTED).items():
            for owner, own in zip(batch.facts[:, 2].tolist(), counts.numpy(), strict=True):
                if owner < 0:
                    assert not own.any()
                else:
                    np.testing.assert_array_equal(own, expected[owner][block])


def test_blocks_come_in_the_order_that_is_asked_for() -> None:
    region = photo_region()
    asked = ("co_occurrences", "block_dct")
    np.testing.assert_allclose(
        statistics([[region]], asked)[0], block_statistics([region], asked), atol=2e-5
    )


def test_the_order_of_regions_changes_nothing() -> None:
    tiles = PICTURES["tiles"]
    first, second = statistics([tiles, tiles[::-1]])
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sum_that_is_not_finite_spoils_its_own_picture_alone(value: float) -> None:
    owners = torch.tensor([0, 1, 1, 2, -1])
    sums = {"one": torch.arange(10.0).view(5, 2), "other": torch.ones(5, 3)}
    expected = pooled(sums, owners, 4).numpy()
    assert expected.tolist()[1:] == [[6, 8, 2, 2, 2], [6, 7, 1, 1, 1], [0] * 5]
    sums["other"][2, 1] = value
    found = pooled(sums, owners, 4).numpy()
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[[0, 2, 3]], expected[[0, 2, 3]])


def test_no_operation_waits_for_the_device() -> None:
    """Reading one number back would: the processor could not run ahead of the card."""
    (batch,) = batches([[photo_region(128, 128)]], pinned=False)
    with (
        torch.inference_mode(),
        torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile,
    ):
        finished(pooled(sums(batch, tuple(BLOCKS)), batch.facts[:, 2], 1), tuple(BLOCKS))
    seen = {event.key for event in profile.key_averages()}
    assert "aten::embedding_bag" in seen
    waiting = {"aten::item", "aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero"}
    assert not seen & waiting


def test_every_pair_of_sides_has_its_blocks_and_windows_counted() -> None:
    """Of constant pictures: shares of all small coefficients are 1, and nothing is infinite."""
    sides = (32, 33, 39, 40, 47, 63, 64)
    pictures = [[np.full((3, h, w), 9, np.uint8)] for h, w in itertools.product(sides, sides)]
    expected = block_statistics(pictures[0])
    for own in statistics(pictures):
        np.testing.assert_allclose(own, expected, atol=1e-6)


def test_each_threshold_is_twice_the_one_before() -> None:
    """The device tells them by the exponents of numbers."""
    assert [threshold / THRESHOLDS[0] for threshold in THRESHOLDS] == [1, 2, 4, 8, 16]
