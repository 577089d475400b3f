"""Face images: the first 999 aligned CelebA photographs, and the crops that the GANs learn from.

CelebA is for non-commercial research and shows real people: never commit, redistribute or ship
these files.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FACE_COUNT = 999

CROP_BOX = (25, 57, 153, 185)
"""Left, top, right, bottom of the 128x128 crop in the 178x218 photographs (Yu et al. 2019)."""


def face_name(number: int) -> str:
    """The file name of face 1 to 999."""
    return f"{number:06d}.jpg"


def split_of_face(number: int) -> Literal["train", "validation", "test"]:
    """Training 1-699, validation 700-849, test 850-999; one person may be in two of them."""
    if number < 700:
        return "train"
    return "validation" if number < 850 else "test"


def face_128(path: Path) -> NDArray[np.uint8]:
    """The crop of a face at native resolution: uint8 (3,128,128)."""
    return _channels_first(_crop(path))


def face_64(path: Path) -> NDArray[np.uint8]:
    """The same crop after one 2x box reduction: uint8 (3,64,64)."""
    return _channels_first(_crop(path).reduce(2))


def faces_of_side(paths: list[Path], side: int) -> NDArray[np.uint8]:
    """Many faces, 64 or 128 pixels a side: uint8 (N,3,side,side)."""
    if side not in (64, 128):
        raise ValueError(f"faces come with 64 or 128 pixels a side, not {side}")
    crop = face_64 if side == 64 else face_128
    return np.stack([crop(path) for path in paths])


def _crop(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB").crop(CROP_BOX)


def _channels_first(image: Image.Image) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.asarray(image, np.uint8).transpose(2, 0, 1))
