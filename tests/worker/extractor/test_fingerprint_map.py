"""A codec's map: standardised, clipped, led to the basis, mapped; and what each block adds."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.worker.decoder.image_samples import picture
from worker.extractor.blocks.picture_features import BLOCKS, accumulate, finish, pool
from worker.extractor.fingerprint_map import CodecMap, block_statistics

NAMES = ("block_dct", "colour")
SIZE = BLOCKS["block_dct"] + BLOCKS["colour"]
B, D = 3, 2


@pytest.fixture(scope="module")
def some_map() -> CodecMap:
    rng = np.random.default_rng(1)

    def drawn(*shape: int) -> NDArray[np.float32]:
        return rng.normal(size=shape).astype(np.float32)

    scale = rng.uniform(0.5, 2, SIZE).astype(np.float32)
    return CodecMap(NAMES, drawn(SIZE), scale, 1.5, drawn(SIZE, B), drawn(B, D), drawn(D))


def features(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(2).normal(0, 3, (count, SIZE)).astype(np.float32)


def pixels(side: int, seed: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.asarray(picture(side, side, seed=seed)).transpose(2, 0, 1))


def test_a_fingerprint_is_what_a_slow_loop_makes_of_the_statistics(some_map: CodecMap) -> None:
    rows = features(3)
    found = some_map.fingerprint(some_map.standard(rows))
    assert found.shape == (3, D)
    assert found.dtype == np.float32
    for row, fingerprint in zip(rows.astype(float), found, strict=True):
        led = [0.0] * B
        for x, mean, scale, directions in zip(
            row, some_map.mean, some_map.scale, some_map.basis, strict=True
        ):
            standard = min(1.5, max(-1.5, (x - float(mean)) / float(scale)))
            led = [one + standard * float(d) for one, d in zip(led, directions, strict=True)]
        for d in range(D):
            expected = float(some_map.offset[d])
            expected += sum(led[b] * float(some_map.projection[b, d]) for b in range(B))
            assert fingerprint[d] == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_statistics_are_clipped_and_left_as_they_were(some_map: CodecMap) -> None:
    rows = features(2)
    before = rows.copy()
    standard = some_map.standard(rows)
    assert np.array_equal(rows, before)
    assert np.abs(standard).max() == np.float32(1.5)
    assert standard.dtype == some_map.standard(rows.astype(np.float16)).dtype == np.float32


def test_the_blocks_shares_and_the_offset_make_the_score(some_map: CodecMap) -> None:
    standard = some_map.standard(features(1))
    direction = np.array([0.7, -1.2], np.float32)
    shares = some_map.shares(standard[0], direction)
    assert tuple(shares) == NAMES
    score = float(some_map.fingerprint(standard)[0] @ direction)
    assert sum(shares.values()) + float(some_map.offset @ direction) == pytest.approx(score, 1e-4)
    # What a block adds is what is missing without its numbers.
    silent = standard[0].copy()
    silent[: BLOCKS["block_dct"]] = 0
    assert some_map.shares(silent, direction)["block_dct"] == 0.0
    assert some_map.shares(silent, direction)["colour"] == shares["colour"]


def test_statistics_are_those_of_the_named_blocks_over_all_regions() -> None:
    regions = [pixels(64, 1), pixels(48, 2)]
    found = block_statistics(regions, NAMES)
    every = finish(pool(accumulate(region) for region in regions))
    assert np.array_equal(found, np.concatenate([every[name] for name in NAMES]))
    assert len(block_statistics(regions)) == sum(BLOCKS.values())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"blocks": ("block_dct", "hue")}, r"\['hue'\] are no blocks; there are block_dct, "),
        ({"blocks": ("block_dct",)}, r"have shapes .* expected \(\(768,\)"),
        ({"offset": np.zeros(D + 1, np.float32)}, "have shapes"),
        ({"projection": np.zeros((B + 1, D), np.float32)}, "have shapes"),
        ({"scale": np.zeros(SIZE, np.float32)}, "a scale of the map is not positive"),
        ({"mean": np.full(SIZE, np.nan, np.float32)}, "a number of the map is not finite"),
        ({"scale": np.full(SIZE, np.inf, np.float32)}, "a number of the map is not finite"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(
    changes: dict[str, object], said: str, some_map: CodecMap
) -> None:
    with pytest.raises(ValueError, match=said):
        replace(some_map, **changes)  # type: ignore[arg-type]
