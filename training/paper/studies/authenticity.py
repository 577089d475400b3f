"""Does a generator repeat the photographs that it learned from?

Alaa et al. 2022, "How Faithful is your Synthetic Data?", arXiv 2102.08921, section 2: an image is
authentic where it lies farther from the nearest training photograph than that one lies from the
nearest other training photograph. Distances are Euclidean, between images of 16x16 (box filter),
and the photographs count with their left-right flips, as they were trained on.

What photographs that no generator saw come to says what to expect of images that copy nothing.
"""

import numpy as np
from numpy.typing import NDArray

SIDE = 16
"""Pixels a side at which images are compared: shapes and colours, no traces of a generator."""


def authentic_share(images: NDArray[np.uint8], photographs: NDArray[np.uint8]) -> float:
    """Share (0 to 1) of `images` uint8 (N,3,R,R) that copy none of `photographs` uint8 (M,3,R,R).

    M must be 2 or more.
    """
    seen = _small(photographs)  # (M,D)
    flipped = _small(photographs[..., ::-1])
    to_images = np.minimum(_squared(_small(images), seen), _squared(_small(images), flipped))
    among = np.minimum(_squared(seen, seen), _squared(seen, flipped))  # (M,M)
    np.fill_diagonal(among, np.inf)
    nearest = to_images.argmin(1)  # (N,)
    return float(np.mean(to_images.min(1) > among.min(1)[nearest]))


def _small(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """uint8 (N,3,R,R) to (N,3*16*16)."""
    count, channels, side, _ = images.shape
    step = side // SIDE
    blocks = images.astype(np.float64).reshape(count, channels, SIDE, step, SIDE, step)
    small: NDArray[np.float64] = blocks.mean((3, 5)).reshape(count, -1)
    return small


def _squared(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances, (N,D) x (M,D) -> (N,M)."""
    distances = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    squared: NDArray[np.float64] = np.maximum(distances, 0.0)
    return squared
