"""Small labelled images that a small network can learn."""

import numpy as np

from training.paper.images import LabelledImages

SIDE = 8


def stripes(
    count: int = 40, seed: int = 0, sources: tuple[str, ...] = ("real", "a", "b")
) -> LabelledImages:
    """`count` pictures of noise for each source; every source but the first adds its own stripes.

    uint8 (N,3,8,8); the stripes lie in the middle of what flips keep.
    """
    rng = np.random.default_rng(seed)
    images = rng.integers(80, 170, (len(sources) * count, 3, SIDE, SIDE))
    labels = np.repeat(np.arange(len(sources)), count)
    for label in range(1, len(sources)):
        images[labels == label, :, label :: 1 + label] += 60
    return LabelledImages(images.clip(0, 255).astype(np.uint8), labels, sources)


def silent(step: int, steps: int, loss: float) -> None:
    """A report to nobody."""
