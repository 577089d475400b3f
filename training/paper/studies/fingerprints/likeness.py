"""How near an image lies to a photograph, in the place of the paper's perceptual distance.

No trained network is at hand for it. The stand-in is the VGG-16 with random weights of
`reference_features`, read as Zhang et al. 2018, arXiv 1801.03924 (LPIPS), read a trained one: at
five depths, each made to weigh the same. Here without places: what counts are the mean and the
deviation of every channel, so that a face need not lie where another lies, and images at half
their side, which costs a quarter. Of four such distances it was chosen by eye (training/LOG.md).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from training.paper.studies.reference_features import FEATURES, convolutions

_LEVELS = (3, 8, 15, 22, 29)
"""The last activation before each of VGG-16's five pools."""

LIKENESS = {"network": FEATURES, "levels": _LEVELS, "halved": True}
"""What fixes the distance."""

_BATCH = 50


def nearest_distances(
    images: NDArray[np.uint8], photographs: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """The distance (N,) of each of `images` uint8 (N,3,R,R) from the nearest of (M,3,R,R)."""
    asked, known = statistics(images), statistics(photographs)
    squared = (asked**2).sum(1)[:, None] + (known**2).sum(1)[None] - 2 * asked @ known.T  # (N,M)
    nearest: NDArray[np.float32] = np.sqrt(np.maximum(squared.min(1), 0)).astype(np.float32)
    return nearest


@torch.inference_mode()
def statistics(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """uint8 (N,3,R,R), R >= 32, to (N,2944): channels' means and deviations of every level.

    Each level is divided by its root mean square, so that dark and bright images weigh the same.
    """
    network, found = convolutions(), []
    for start in range(0, len(images), _BATCH):
        values = torch.from_numpy(images[start : start + _BATCH]).float() / 127.5 - 1
        values = functional.avg_pool2d(values, 2)
        levels = []
        for place, layer in enumerate(network[: _LEVELS[-1] + 1]):
            values = layer(values)
            if place in _LEVELS:
                both = [values.mean((2, 3)), values.std((2, 3), unbiased=False)]
                scale = values.square().sum((1, 2, 3)) / values.shape[2] ** 2
                levels.append(torch.cat(both, 1) / (scale.sqrt() + 1e-6)[:, None])
        found.append(torch.cat(levels, 1))
    return torch.cat(found).double().numpy()
