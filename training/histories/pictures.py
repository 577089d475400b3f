"""Resizing, tiles and rounding: what the histories have in common."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.enrol.recompress import Picture, from_pil, to_pil

KERNELS = (
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G, B in the Y of JPEG (BT.601)."""


def resize(picture: Picture, scale: float, kernel: Image.Resampling) -> Picture:
    """`picture` at `scale` times its size, at least one pixel a side."""
    _, height, width = picture.shape
    return resize_to(picture, round(height * scale), round(width * scale), kernel)


def resize_to(picture: Picture, height: int, width: int, kernel: Image.Resampling) -> Picture:
    """`picture` with sides of `height` and `width` pixels, at least one each."""
    return from_pil(to_pil(picture).resize((max(1, width), max(1, height)), kernel))


def tile(picture: Picture, height: int, width: int, rng: np.random.Generator) -> Picture:
    """A random tile of at most `height` x `width`."""
    _, full_height, full_width = picture.shape
    height, width = min(height, full_height), min(width, full_width)
    top = int(rng.integers(0, full_height - height + 1))
    left = int(rng.integers(0, full_width - width + 1))
    return picture[:, top : top + height, left : left + width]


def rounded(values: NDArray[np.floating[Any]]) -> Picture:
    """Grey levels 0..255 of any real value, rounded and clipped to uint8."""
    levels: Picture = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


def luminance(picture: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, H, W) to Y, (H, W), in grey levels 0..255."""
    weighted: NDArray[np.float32] = np.tensordot(LUMINANCE, picture.astype(np.float32), 1)
    return weighted


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform from `low` to `high`."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
