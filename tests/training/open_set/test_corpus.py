"""The corpus on disk: what was drawn is read back, once drawn it stays, and roles keep apart."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from training.histories.conditions import CONDITIONS
from training.histories.encodings import PNG, Encoding, jpeg, write
from training.open_set.corpus import (
    LIMITS,
    Drawn,
    PictureClass,
    extract,
    of_blocks,
    read_all,
)
from worker.decoder.decode import decode
from worker.errors import StopError
from worker.extractor.arrival import arrival
from worker.extractor.blocks.picture_features import accumulate, finish
from worker.extractor.fingerprint_map import block_statistics

ARRIVALS = {name: CONDITIONS[name] for name in ("clean", "half")}


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, 64, 96)).astype(np.uint8)


def pictures_of(
    name: str, role: str, calls: list[str], count: int = 3, side: int = 64
) -> PictureClass:
    def draw() -> Iterator[Drawn]:
        calls.append(name)
        for number in range(count):
            yield Drawn(picture(number), 100 + number, "native")

    return PictureClass(name, name, True, role, side, draw, "1")


def test_a_class_is_drawn_once_and_read_back_with_what_it_is(tmp_path: Path) -> None:
    calls: list[str] = []
    for _ in range(2):
        list(extract([pictures_of("real a", "learn", calls)], ARRIVALS, tmp_path))
    assert calls == ["real a"]
    (found,) = read_all(tmp_path, "learn", ARRIVALS)
    assert (found.name, found.real, found.role) == ("real a", True, "learn")
    assert found.photographs.tolist() == [100, 101, 102]
    clean = block_statistics([picture(1)]).astype(np.float16)
    assert np.array_equal(found.features["clean"][1], clean)
    assert found.features["half"].shape == found.features["clean"].shape
    assert not np.array_equal(found.features["half"][1], clean)


def test_other_numbers_of_the_blocks_are_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    classes = [pictures_of("real a", "learn", calls)]
    list(extract(classes, ARRIVALS, tmp_path))
    monkeypatch.setattr("training.open_set.corpus.BLOCKS_VERSION", "another")
    list(extract(classes, ARRIVALS, tmp_path))
    assert calls == ["real a", "real a"]
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_a_source_without_room_for_any_side_is_kept_as_empty_and_not_read(tmp_path: Path) -> None:
    calls: list[str] = []
    classes = [pictures_of("real a", "learn", calls, 0), pictures_of("real b", "learn", calls)]
    list(extract(classes, ARRIVALS, tmp_path))
    assert [one.name for one in read_all(tmp_path, "learn", ARRIVALS)] == ["real b"]


def test_what_is_held_out_is_not_read_with_what_is_learned_from(tmp_path: Path) -> None:
    list(extract([pictures_of("real a", "held_out", [])], ARRIVALS, tmp_path))
    assert [one.name for one in read_all(tmp_path, "held_out", ARRIVALS)] == ["real a"]
    with pytest.raises(StopError, match="run `latentprint train corpus` first"):
        read_all(tmp_path, "learn", ARRIVALS)


def test_the_sides_of_a_class_are_drawn_apart_and_read_together(tmp_path: Path) -> None:
    sides = [pictures_of("real a", "learn", [], side=side) for side in (64, 128)]
    list(extract(sides, ARRIVALS, tmp_path))
    (found,) = read_all(tmp_path, "learn", ARRIVALS)
    assert found.sides.tolist() == [128, 128, 128, 64, 64, 64]
    assert len(found.features["clean"]) == len(found.histories) == 6


def test_what_was_a_jpeg_before_is_told_by_its_pixels(tmp_path: Path) -> None:
    smooth = np.cumsum(picture(3).astype(int) % 7, axis=2).astype(np.uint8)
    smooth = np.tile(smooth, (1, 4, 4))

    def draw() -> Iterator[Drawn]:
        yield Drawn(jpeg(smooth, 75), 1, "native")
        yield Drawn(smooth, 2, "native")

    list(extract([PictureClass("real a", "a", True, "learn", 256, draw, "1")], ARRIVALS, tmp_path))
    (found,) = read_all(tmp_path, "learn", ARRIVALS)
    assert found.earlier.tolist() == [75, 0]
    # It is kept once more as the worker reads it: as that JPEG.
    assert found.came.codecs.tolist() == ["jpeg75"]
    assert found.came.photographs.tolist() == [1]
    assert found.came.pixels.tolist() == [256 * 256]
    shown = arrival(decode(write(jpeg(smooth, 75), PNG), LIMITS))
    assert np.array_equal(
        found.came.features[0], block_statistics(shown.regions).astype(np.float16)
    )


def test_whole_files_are_kept_as_they_came_and_those_of_other_formats_left_out(
    tmp_path: Path,
) -> None:
    smooth = np.cumsum(picture(3).astype(int) % 7, axis=2).astype(np.uint8)
    file = write(np.tile(smooth, (1, 4, 4)), Encoding("jpeg", 90, 2))

    def draw() -> Iterator[Drawn]:
        yield Drawn(file, 1, "native")
        yield Drawn(b"II*\x00 a camera's raw file", 2, "native")

    list(extract([PictureClass("real a", "a", True, "learn", 0, draw, "1")], ARRIVALS, tmp_path))
    (found,) = read_all(tmp_path, "learn", ARRIVALS)
    assert len(found.photographs) == 0
    assert found.came.codecs.tolist() == ["jpeg90"]
    assert (found.came.sides.tolist(), found.came.qualities.tolist()) == ([0], [0])
    assert found.came.pixels.tolist() == [256 * 384]


def test_a_trial_may_read_some_blocks_alone(tmp_path: Path) -> None:
    list(extract([pictures_of("real a", "learn", [])], ARRIVALS, tmp_path))
    (found,) = of_blocks(read_all(tmp_path, "learn", ARRIVALS), ["colour"])
    colour = finish(accumulate(picture(2), ["colour"]))["colour"].astype(np.float16)
    assert np.array_equal(found.features["clean"][2], colour)
    with pytest.raises(ValueError, match=r"\['colours'\] are no blocks; there are block_dct"):
        next(of_blocks([found], ["colours"]))
