"""Features that know nothing of generators, in the place of the paper's Inception features.

No weights of Inception can be had here. Their stand-in is the one that Naeem et al. 2020, arXiv
2002.09797, compare it with (their R64): a VGG-16 with random weights, which they found to rank
images sensibly, and better than Inception far from ImageNet. Here its convolutions only, averaged
over places and projected to 64 numbers; the weights follow from a fixed seed, so that every
machine has the same. Distances in them compare models of this project; they are no FID.
"""

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.models import vgg16

SIZE = 64
_SEED = 2020
FEATURES = {"network": "VGG-16, random", "size": SIZE, "seed": _SEED}
"""What fixes the features."""

_BATCH = 50


@functools.cache
def _network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        layers = vgg16(weights=None).features
        network = nn.Sequential(
            layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, SIZE, bias=False)
        )
    network.requires_grad_(False).eval().to(memory_format=torch.channels_last)
    return network


def convolutions() -> nn.Sequential:
    """The network's convolutions, activations and pools, without what follows them."""
    layers = _network()[0]
    assert isinstance(layers, nn.Sequential)
    return layers


@torch.inference_mode()
def reference_features(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 (N,3,R,R) to features (N,64), float32."""
    network = _network()
    batches = [
        network(torch.from_numpy(images[i : i + _BATCH]).float() / 127.5 - 1)
        for i in range(0, len(images), _BATCH)
    ]
    features: NDArray[np.float32] = torch.cat(batches).numpy()
    return features
