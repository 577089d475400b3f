"""How a file arrives: a picture, real or made, to the bytes that a platform sends on.

Those of fingerprint_db.conditions under their names there, except that `as_received` is `clean`;
JPEG with full chroma; and what enrolment has no condition for: JPEG twice, on one grid and off
it, a JPEG inside a PNG, a screenshot.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from fingerprint_db.conditions import CONDITIONS as ENROLLED
from fingerprint_db.conditions import JPEG_QUALITIES, Condition
from training.histories.encodings import FULL_CHROMA, HALF_CHROMA, PNG, Encoding, jpeg, write
from training.histories.pictures import resize
from training.histories.screens import SMOOTH
from worker.enrol.recompress import Picture, under_condition

Arrival = Callable[[Picture, np.random.Generator], bytes]

_SCREEN_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)  # of browsers and of displays


def _enrolled(condition: Condition) -> Arrival:
    def arrive(picture: Picture, rng: np.random.Generator) -> bytes:
        as_received = condition.name == "as_received"  # of all others the file is not looked at
        return under_condition(write(picture, PNG) if as_received else b"", picture, condition)

    return arrive


def _full_chroma(quality: int) -> Arrival:
    return lambda picture, rng: write(picture, Encoding("jpeg", quality, FULL_CHROMA))


def _jpeg_85_then_75(picture: Picture, rng: np.random.Generator) -> bytes:
    return write(jpeg(picture, 85), Encoding("jpeg", 75, HALF_CHROMA))


def _jpeg_75_cut_by_3_then_85(picture: Picture, rng: np.random.Generator) -> bytes:
    return write(jpeg(picture, 75)[:, 3:, 3:], Encoding("jpeg", 85, HALF_CHROMA))


def _jpeg_75_as_png(picture: Picture, rng: np.random.Generator) -> bytes:
    return write(jpeg(picture, 75), PNG)


def _screenshot(picture: Picture, rng: np.random.Generator) -> bytes:
    """The picture alone, cut by hand from a screen that showed it at a drawn scale."""
    scale = float(rng.choice(_SCREEN_SCALES))
    if scale != 1.0:
        picture = resize(picture, scale, SMOOTH[int(rng.integers(len(SMOOTH)))])
    _, height, width = picture.shape
    top, left, bottom, right = (int(cut) for cut in rng.integers(0, 6, 4))
    if min(height, width) >= 32:
        picture = picture[:, top : height - bottom, left : width - right]
    return write(picture, PNG)


CONDITIONS: Mapping[str, Arrival] = MappingProxyType(
    {("clean" if c.name == "as_received" else c.name): _enrolled(c) for c in ENROLLED}
    | {f"{codec}_444": _full_chroma(quality) for codec, quality in JPEG_QUALITIES.items()}
    | {
        "jpeg85_then_75": _jpeg_85_then_75,
        "jpeg75_cut_then_85": _jpeg_75_cut_by_3_then_85,
        "jpeg75_as_png": _jpeg_75_as_png,
        "screenshot": _screenshot,
    }
)
"""Every condition by name: (picture (3, H, W) uint8, rng) -> the bytes of a file."""
