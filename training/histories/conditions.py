"""How a file arrives: a picture, real or made, to the bytes that a platform sends on.

Those of fingerprint_db.conditions, under the names that files of the corpus have; and what
enrolment has no condition for: a JPEG inside a PNG, a screenshot.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from fingerprint_db.conditions import CONDITIONS as ENROLLED
from fingerprint_db.conditions import SHIFTED_QUALITY, TWICE_QUALITY, Condition
from training.histories.encodings import PNG, jpeg, write
from training.histories.pictures import resize
from training.histories.screens import SMOOTH
from worker.enrol.recompress import Picture, under_condition

Arrival = Callable[[Picture, np.random.Generator], bytes]

_SCREEN_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)  # of browsers and of displays


def arrival_of(condition: Condition) -> str:
    """The name here of a condition of enrolment, for example jpeg85_then_75 of twice_jpeg75."""
    codec = condition.file_codec
    quality = codec.removeprefix("jpeg")
    match condition.treatment:
        case "half":
            return "half"
        case "full_chroma":
            return f"{codec}_444"
        case "twice":
            return f"jpeg{TWICE_QUALITY}_then_{quality}"
        case "shifted":
            return f"jpeg{SHIFTED_QUALITY}_cut_then_{quality}"
        case "":
            return "clean" if codec == "lossless" else codec


def _enrolled(condition: Condition) -> Arrival:
    return lambda picture, rng: under_condition(None, picture, condition)


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
    {arrival_of(condition): _enrolled(condition) for condition in ENROLLED}
    | {"jpeg75_as_png": _jpeg_75_as_png, "screenshot": _screenshot}
)
"""Every condition by name: (picture (3, H, W) uint8, rng) -> the bytes of a file."""
