"""Random light and colour for training images of every source, so that few photographs go further.

Not in the paper, which has 100,000 photographs of each kind. Here there are hundreds, and a network
that sees each of them a hundred times knows them by heart, by their colours first.
"""

import numpy as np
from numpy.typing import NDArray

from training.paper.attacks import to_pixels

CONTRAST = (0.7, 1.3)
BRIGHTNESS = (-25.0, 25.0)
COLOUR = (0.9, 1.1)


def jitter_light(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """uint8 (B,3,R,R), each with a contrast, a brightness and a gain of each colour of its own.

    Contrast is about the image's own mean, brightness in grey levels.
    """
    count = len(images)
    contrast = rng.uniform(*CONTRAST, (count, 1, 1, 1)).astype(np.float32)
    brightness = rng.uniform(*BRIGHTNESS, (count, 1, 1, 1)).astype(np.float32)
    colour = rng.uniform(*COLOUR, (count, 3, 1, 1)).astype(np.float32)
    mean = images.mean((1, 2, 3), dtype=np.float32, keepdims=True)
    return to_pixels((images - mean) * contrast * colour + mean + brightness)


def ranges() -> dict[str, list[float]]:
    """What strengths are drawn from."""
    return {"contrast": list(CONTRAST), "brightness": list(BRIGHTNESS), "colour": list(COLOUR)}
