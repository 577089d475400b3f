"""Pictures to render: slopes, edges and texture, as photographs have them."""

import numpy as np
from numpy.typing import NDArray


def picture(side: int = 96, seed: int = 1, width: int = 0) -> NDArray[np.uint8]:
    """uint8 (3, side, width or side)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0 : width or side] / side
    scene = 110 + 60 * np.sin(5 * x + rng.uniform(0, 6)) * np.cos(4 * y) + 40 * (x + y > 0.9)
    colours = rng.uniform(0.6, 1.1, (3, 1, 1))
    shown = scene * colours + rng.normal(0, 6, (3, *x.shape))
    return np.asarray(shown.clip(0, 255), np.uint8)
