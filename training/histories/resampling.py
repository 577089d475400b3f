"""Reduced, enlarged, straightened: pictures whose pixels were computed from other pixels."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from training.histories.pictures import KERNELS, log_uniform, resize, tile
from worker.enrol.recompress import Picture, from_pil, to_pil

LEAST_SIDE = 64  # pixels: no picture is reduced below this
MOST_PIXELS = 1 << 22  # of an enlarged picture: a part is enlarged where the whole would be more

ENLARGING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
REDUCING = {kernel.name.lower(): kernel for kernel in KERNELS}
_USUAL_FACTORS = (1.25, 1.5, 2.0, 3.0, 4.0)  # of screens and of upload forms; half of all draws

Make = Callable[[Picture, np.random.Generator], Picture]


def reduced(kernel: Image.Resampling) -> Make:
    """At .2 to 1 times the size, as platforms store pictures; half of them at half or a quarter."""

    def make(picture: Picture, rng: np.random.Generator) -> Picture:
        least = min(1.0, max(0.2, LEAST_SIDE / min(picture.shape[1:])))
        scale = float(rng.choice((0.25, 0.5))) if rng.random() < 0.3 else rng.uniform(0.2, 1.0)
        return resize(picture, max(least, scale), kernel)

    return make


def reduced_without_filter(picture: Picture, rng: np.random.Generator) -> Picture:
    """Pixels picked at .3 to .9 times the size, none averaged: players and quick thumbnails."""
    least = min(1.0, max(0.3, LEAST_SIDE / min(picture.shape[1:])))
    return resize(picture, rng.uniform(least, max(0.9, least)), Image.Resampling.NEAREST)


def enlarged(kernel: Image.Resampling, factor: float | None = None) -> Make:
    """At `factor` times the size; where none is given, drawn from 1.25 to 4 for each picture."""

    def make(picture: Picture, rng: np.random.Generator) -> Picture:
        scale = factor
        if scale is None:
            usual = rng.random() < 0.5
            scale = float(rng.choice(_USUAL_FACTORS)) if usual else log_uniform(rng, 1.25, 4.0)
        return enlarge(picture, scale, kernel, rng)

    return make


def enlarge(
    picture: Picture, scale: float, kernel: Image.Resampling, rng: np.random.Generator
) -> Picture:
    """A picture, or the part of it that gives at most MOST_PIXELS, at `scale` times its size."""
    _, height, width = picture.shape
    share = min(1.0, (MOST_PIXELS / (height * width)) ** 0.5 / scale)
    part = tile(picture, max(1, int(height * share)), max(1, int(width * share)), rng)
    return resize(part, scale, kernel)


def straightened(picture: Picture, rng: np.random.Generator) -> Picture:
    """Turned by .3 to 8 degrees, bicubic, and cut to what is left, as photo programs do."""
    degrees = float(rng.uniform(0.3, 8.0) * rng.choice((-1, 1)))
    _, height, width = picture.shape
    turned = from_pil(to_pil(picture).rotate(degrees, Image.Resampling.BICUBIC))
    angle = np.deg2rad(abs(degrees))
    long, short = max(height, width), min(height, width)
    # The picture scaled by this, upright, lies within the turned one.
    kept = short / (long * np.sin(angle) + short * np.cos(angle))
    inner_height, inner_width = max(1, int(height * kept) - 2), max(1, int(width * kept) - 2)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    return np.ascontiguousarray(turned[:, top : top + inner_height, left : left + inner_width])
