"""Files before this one: pictures that were JPEG or WebP already, on this grid or on another."""

from collections.abc import Callable

import numpy as np

from training.histories.encodings import FULL_CHROMA, HALF_CHROMA, Encoding, jpeg, read, write
from training.histories.pictures import KERNELS, resize
from worker.enrol.recompress import Picture

Make = Callable[[Picture, np.random.Generator], Picture]

LOWEST, HIGHEST = 10, 95  # qualities that are drawn, both included


def any_jpeg(picture: Picture, rng: np.random.Generator) -> Picture:
    """After a JPEG of quality 10 to 95, 4:2:0 two times in three."""
    chroma = HALF_CHROMA if rng.random() < 2 / 3 else FULL_CHROMA
    return jpeg(picture, int(rng.integers(LOWEST, HIGHEST + 1)), chroma)


def shifted(picture: Picture, rng: np.random.Generator) -> Picture:
    """Without 0 to 7 rows and columns at the top and the left, not both 0: off the JPEG grid."""
    offset = int(rng.integers(1, 64))
    return np.ascontiguousarray(picture[:, offset // 8 :, offset % 8 :])


def jpeg_shifted(picture: Picture, rng: np.random.Generator) -> Picture:
    """A JPEG of any quality that was cut, so that its grid is not that of the next file."""
    return shifted(any_jpeg(picture, rng), rng)


def jpeg_twice(picture: Picture, rng: np.random.Generator) -> Picture:
    """Two JPEG of any quality on one grid."""
    return any_jpeg(any_jpeg(picture, rng), rng)


def jpeg_twice_shifted(picture: Picture, rng: np.random.Generator) -> Picture:
    """Two JPEG of any quality, cut between them."""
    return any_jpeg(jpeg_shifted(picture, rng), rng)


def jpeg_reduced(picture: Picture, rng: np.random.Generator) -> Picture:
    """A JPEG of any quality, reduced to .4 to .95 of its size: a picture sent on."""
    kernel = KERNELS[int(rng.integers(len(KERNELS)))]
    least = min(1.0, max(0.4, 64 / min(picture.shape[1:])))
    return resize(any_jpeg(picture, rng), rng.uniform(least, max(0.95, least)), kernel)


def jpeg_of(quality: int) -> Make:
    """After one JPEG of `quality`, 4:2:0."""

    def make(picture: Picture, rng: np.random.Generator) -> Picture:
        return jpeg(picture, quality)

    return make


def any_webp(picture: Picture, rng: np.random.Generator) -> Picture:
    """After a lossy WebP of quality 40 to 95."""
    return read(write(picture, Encoding("webp", int(rng.integers(40, 96)), 0)))
