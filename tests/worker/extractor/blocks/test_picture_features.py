"""Regions add up: in any order and number, with the seams that shifted grids leave out."""

import numpy as np
import pytest

from tests.worker.extractor.blocks.regions import REGIONS, photo_region
from worker.extractor.blocks.picture_features import BLOCKS, accumulate, finish, pool

# Blocks that read nothing across a cut on the 16-pixel grid: halves are exactly the whole.
WITHOUT_SEAMS = ("block_dct", "spectrum")


def test_the_blocks_and_their_sizes() -> None:
    assert dict(BLOCKS) == {
        "block_dct": 768,
        "phase_dct": 2772,
        "chroma_phase": 1440,
        "co_occurrences": 1053,
        "colour": 756,
        "spectrum": 1539,
    }


@pytest.mark.parametrize("name", REGIONS)
def test_every_region_gives_finite_features_of_the_stated_size(name: str) -> None:
    sums = accumulate(REGIONS[name])
    assert all(own.dtype == np.float64 and own.ndim == 1 for own in sums.values())
    features = finish(sums)
    assert {name: own.shape for name, own in features.items()} == {
        name: (size,) for name, size in BLOCKS.items()
    }
    for own in features.values():
        assert own.dtype == np.float32
        assert np.isfinite(own).all()


@pytest.mark.parametrize("name", WITHOUT_SEAMS)
@pytest.mark.parametrize("axis", [1, 2])
def test_two_halves_on_the_grid_are_the_whole(name: str, axis: int) -> None:
    whole = photo_region(128, 128)
    halves = np.split(whole, 2, axis=axis)
    found = pool([accumulate(half, [name]) for half in halves])[name]
    np.testing.assert_allclose(found, accumulate(whole, [name])[name], rtol=1e-5)


@pytest.mark.parametrize("name", BLOCKS)
def test_halves_of_a_large_picture_differ_by_their_seam_alone(name: str) -> None:
    whole = photo_region(256, 512)
    pooled = finish(pool([accumulate(half, [name]) for half in np.split(whole, 2, axis=2)]))
    one = finish(accumulate(whole, [name]))
    assert np.abs(pooled[name] - one[name]).max() < 0.1
    assert np.abs(pooled[name] - one[name]).mean() < 0.01


@pytest.mark.parametrize("name", BLOCKS)
def test_a_region_read_twice_counts_twice_and_changes_no_feature(name: str) -> None:
    sums = accumulate(photo_region(), [name])
    twice = pool([sums, sums])
    np.testing.assert_array_equal(twice[name], 2 * sums[name])
    np.testing.assert_allclose(finish(twice)[name], finish(sums)[name], rtol=1e-6)


def test_only_the_named_blocks_are_read() -> None:
    assert list(accumulate(photo_region(), ["phase_dct"])) == ["phase_dct"]


def test_regions_with_other_blocks_are_not_pooled() -> None:
    region = photo_region()
    with pytest.raises(ValueError, match="other blocks"):
        pool([accumulate(region, ["phase_dct"]), accumulate(region, ["block_dct"])])


def test_the_same_region_gives_the_same_bits() -> None:
    region = photo_region()
    first, second = accumulate(region), accumulate(region)
    assert all(np.array_equal(first[name], second[name]) for name in BLOCKS)


@pytest.mark.parametrize("name", REGIONS)
def test_a_block_is_the_same_alone_and_beside_one_that_reads_the_same_grid(name: str) -> None:
    together = accumulate(REGIONS[name])
    assert list(together) == list(BLOCKS)
    for block, sums in together.items():
        assert np.array_equal(accumulate(REGIONS[name], [block])[block], sums), block
