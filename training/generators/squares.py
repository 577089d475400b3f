"""Squares of photographs: the content that generators without a latent are given."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from worker.enrol.recompress import Picture, from_pil, to_pil

_SHARE_NATIVE = 0.25


def wide_enough(pictures: Sequence[Picture], side: int) -> list[Picture]:
    """Those with both sides of at least `side` pixels; ValueError when there is none."""
    usable = [picture for picture in pictures if min(picture.shape[1:]) >= side]
    if not usable:
        raise ValueError(f"none of {len(pictures)} photographs has sides of {side} pixels")
    return usable


def square(picture: Picture, side: int, rng: np.random.Generator) -> Picture:
    """A random square (3,side,side) of a photograph, at its own size or first made smaller.

    The reduction is log-uniform between none and what still holds a square, by a Lanczos or a box
    filter: both large and small things are seen in pictures of any side.
    """
    _, height, width = picture.shape
    smallest = side / min(height, width)
    if smallest < 1 and rng.random() >= _SHARE_NATIVE:
        scale = float(np.exp(rng.uniform(np.log(smallest), 0.0)))
        kernel = Image.Resampling.BOX if rng.random() < 0.3 else Image.Resampling.LANCZOS
        size = (max(side, round(width * scale)), max(side, round(height * scale)))
        picture = from_pil(to_pil(picture).resize(size, kernel))
        _, height, width = picture.shape
    top = int(rng.integers(0, height - side + 1))
    left = int(rng.integers(0, width - side + 1))
    return np.ascontiguousarray(picture[:, top : top + side, left : left + side])
