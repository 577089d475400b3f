"""A picture's file is what the worker's decoder finds in it, and a tile is a part of a picture."""

import numpy as np
import pytest

from training.histories.encodings import Encoding, read, write
from training.histories.pictures import tile
from worker.decoder.decode import DecodeLimits, decode
from worker.enrol.recompress import Picture


def picture(side: int = 64) -> Picture:
    """(3, S, S): slopes with noise."""
    numbers = np.random.default_rng(1)
    slope = np.linspace(90, 180, side) * numbers.uniform(0.5, 1, (3, 1, 1))
    levels: Picture = (slope + numbers.normal(0, 5, (3, side, side))).clip(0, 255).astype(np.uint8)
    return levels


@pytest.mark.parametrize(
    ("encoding", "form", "quality"),
    [
        (Encoding("png", 0, 0), "png", None),
        (Encoding("jpeg", 75, 2), "jpeg", 75),
        (Encoding("jpeg", 92, 0), "jpeg", 92),
        (Encoding("webp", 80, 0), "webp", None),
    ],
)
def test_what_is_written_is_what_the_workers_decoder_finds(
    encoding: Encoding, form: str, quality: int | None
) -> None:
    data = write(picture(), encoding)
    facts = decode(data, DecodeLimits()).facts
    assert (facts.format, facts.jpeg_quality) == (form, quality)
    lost = np.abs(read(data).astype(int) - picture())
    assert lost.max() == 0 if form == "png" else 0 < lost.mean() < 8


def test_a_tile_is_a_part_of_its_picture() -> None:
    rng = np.random.default_rng(7)
    whole: Picture = np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30).astype(np.uint8)
    corners = set()
    for _ in range(40):
        part = tile(whole, 8, 12, rng)
        assert part.shape == (3, 8, 12)
        places = [
            (y, x)
            for y in range(13)
            for x in range(19)
            if np.array_equal(whole[:, y : y + 8, x : x + 12], part)
        ]
        assert places
        corners.add(places[0])
    assert len(corners) > 10
    assert tile(whole, 99, 99, rng).shape == whole.shape
