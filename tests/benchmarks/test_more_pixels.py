"""What the page of more pixels counts is what plain counting gives."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.more_pixels_gain import (
    ALL,
    FIRST,
    READ,
    drawn,
    first,
    gain_interval,
    limits_of,
    share_above,
    told,
    vectors,
    without,
)
from training.generators.generator import from_pictures
from training.open_set.corpus import AsTheyCame, Drawings
from worker.decoder.decode import decode
from worker.enrol.recompress import Picture, to_pil
from worker.extractor.blocks.picture_features import BLOCKS
from worker.extractor.fingerprint_map import CodecMap


def noise(side: int, seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (3, side, side), dtype=np.uint8)


def test_a_share_is_of_what_lies_above_all_but_the_highest_photographs() -> None:
    real = np.arange(100.0)  # the highest two in a hundred are 98 and 99
    assert share_above(np.array([96.0, 97.0, 97.5, 200.0]), real) == 0.5
    assert share_above(np.array([[0.0], [98.0]]), np.stack([real, real])).tolist() == [0.0, 1.0]


def test_what_nothing_changes_gains_nothing_and_what_rises_gains() -> None:
    real = {read: np.linspace(-1, 1, 50) for read in READ}
    same = {read: np.linspace(0, 2, 30) for read in READ}
    assert gain_interval([same, same], [real, real]) == (0.0, 0.0)
    low, high = gain_interval([{**same, FIRST: same[FIRST] - 1}], [real])
    assert 0.2 < low < 0.5 < high < 0.8


def test_a_row_says_how_far_each_picture_moved() -> None:
    made = {read: np.array([1.0, 2.0, 4.0]) for read in READ} | {ALL: np.array([2.0, 2.0, 5.0])}
    real = {read: np.array([0.0, 1.0, 3.0]) for read in READ}
    row = told(made, real)
    assert (row["pictures"], row["made_moved"], row["real_moved"]) == (3, 0.58, 0.0)
    assert (row["read"][ALL]["made_mean"], row["read"][FIRST]["above"]) == (3.0, 66.7)


def test_the_whole_of_a_picture_is_read_in_tiles_as_its_first_stage_is(tmp_path: Path) -> None:
    file = tmp_path / "noise.png"
    to_pil(noise(1024)).save(file)
    counts = {}
    for name, pixels in READ.items():
        regions = decode(file.read_bytes(), limits_of(pixels)).regions
        assert {region.shape for region in regions} == {(3, 128, 128)}
        counts[name] = len(regions)
    assert counts == {"0.06": 4, FIRST: 16, ALL: 64}


def test_fingerprints_are_of_the_pictures_that_are_judged() -> None:
    size = BLOCKS["block_dct"]
    own = CodecMap(
        blocks=("block_dct",),
        mean=np.zeros(size, np.float32),
        scale=np.ones(size, np.float32),
        clip=3.0,
        basis=np.eye(size, 4, dtype=np.float32),
        projection=np.eye(4, dtype=np.float32),
        offset=np.zeros(4, np.float32),
    )
    flat = np.full((3, 512, 512), 90, np.uint8)
    found = vectors([noise(512), flat], "jpeg90", (FIRST,), own)
    assert found[FIRST].shape == (1, 4)


def test_photographs_that_are_scored_are_taken_out_of_what_is_learned() -> None:
    real = drawings(real=True)
    kept = without(real, np.array([3, 8]))
    assert kept.photographs.tolist() == [4]
    assert kept.features["clean"].tolist() == [[1.0]]
    assert kept.kinds["clean"].tolist() == [[1.0]]
    assert (kept.came.photographs.tolist(), kept.came.codecs.tolist()) == ([9], ["jpeg90"])
    made = drawings(real=False)
    assert without(made, np.array([3, 8])) is made


def drawings(*, real: bool) -> Drawings:
    """The photographs 3 and 4, and 8 and 9 as they came."""
    pair, rows = np.array([0, 1]), np.array([[0.0], [1.0]])
    names = np.array(["native", "native"])
    came = AsTheyCame(
        np.array(["webp80", "jpeg90"]),
        rows.astype(np.float16),
        rows.astype(np.float32),
        np.array([8, 9]),
        pair,
        pair,
        names,
        pair,
    )
    return Drawings(
        "a",
        "a",
        real,
        "learn",
        {"clean": rows.astype(np.float16)},
        {"clean": rows.astype(np.float32)},
        np.array([3, 4]),
        pair,
        names,
        pair,
        came,
    )


def test_what_was_drawn_is_read_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def render(square: Picture, seed: int) -> Picture:
        calls.append(seed)
        return 255 - square

    network = from_pictures("negative", "span", (64,), render)
    given = [noise(64), noise(64, 1)]
    made = drawn(network, 2, 64, given, tmp_path)
    assert np.array_equal(made, 255 - np.stack(given))
    assert np.array_equal(drawn(network, 2, 64, given, tmp_path), made)
    assert len(calls) == 2


def test_too_few_photographs_are_an_error() -> None:
    with pytest.raises(ValueError, match="0 photographs are large enough, expected 3"):
        first(iter(()), 3)
