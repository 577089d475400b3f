"""Regions for the tests of the blocks: noise, something like a photograph, and flat ones."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def random_region(height: int = 48, width: int = 64, seed: int = 1) -> NDArray[np.uint8]:
    """uint8 (3, H, W) of independent bytes."""
    return np.random.default_rng(seed).integers(0, 256, (3, height, width), dtype=np.uint8)


def photo_region(height: int = 48, width: int = 64, seed: int = 2) -> NDArray[np.uint8]:
    """uint8 (3, H, W): blurred shapes of many sizes that the channels share, and a little noise."""
    numbers = np.random.default_rng(seed)
    shared = sum(s * gaussian_filter(numbers.normal(size=(height, width)), s) for s in (1, 2, 4, 8))
    colour = gaussian_filter(numbers.normal(size=(3, height, width)), (0, 3, 3))
    picture = 120 + 40 * shared + 60 * colour + numbers.normal(0, 1.5, (3, height, width))
    region: NDArray[np.uint8] = picture.clip(0, 255).astype(np.uint8)
    return region


def flat_region(
    height: int = 48, width: int = 64, colour: tuple[int, int, int] = (200, 90, 31)
) -> NDArray[np.uint8]:
    """uint8 (3, H, W) of one colour."""
    return np.broadcast_to(
        np.array(colour, dtype=np.uint8)[:, None, None], (3, height, width)
    ).copy()


def grey_region(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """uint8 (3, H, W) without colour, of so few levels that coefficients lie on round numbers."""
    levels = np.random.default_rng(3).integers(126, 131, (height, width)).astype(np.uint8)
    return np.stack([levels] * 3)


REGIONS = {
    "random": random_region(),
    "photo": photo_region(),
    "odd sides": photo_region(45, 77),
    "wider than a band": photo_region(32, 560),
    "smallest": photo_region(32, 32),
    "flat": flat_region(),
    "black": flat_region(colour=(0, 0, 0)),
    "grey": grey_region(),
}
