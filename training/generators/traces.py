"""Layers with drawn weights, near the identity: the fixed trace that a member of a family leaves.

All of them take and give float32 tensors (1,3,H,W) in [-1,1].
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "leaky": lambda x: functional.leaky_relu(x, 0.2),
    "silu": functional.silu,
    "tanh": torch.tanh,
    "clip": lambda x: x.clamp(0.0, 0.6),
}


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A residual block: two convolutions with an activation between them, added to the picture.

    `inner` is (C,3,k,k) with `bias` (C,), `outer` (3,C,3,3).
    """

    inner: Tensor
    bias: Tensor
    outer: Tensor
    activation: str

    def __call__(self, picture: Tensor) -> Tensor:
        reach = self.inner.shape[-1] // 2
        padded = functional.pad(picture, (reach,) * 4, mode="replicate")
        hidden = ACTIVATIONS[self.activation](functional.conv2d(padded, self.inner, self.bias))
        return picture + functional.conv2d(hidden, self.outer, padding=1)


def block(rng: np.random.Generator, strength: float, activation: str, kernel: int) -> Block:
    """A block of six hidden channels that changes an ordinary picture by about `strength`.

    The inner kernels sum to nearly nothing: what is added follows edges and texture.
    """
    inner = rng.normal(0, 1, (6, 3, kernel, kernel))
    inner -= 0.9 * inner.mean(axis=(2, 3), keepdims=True)
    inner *= 2.0 / np.sqrt(3 * kernel * kernel)
    outer = rng.normal(0, strength * 4.0 / np.sqrt(54), (3, 6, 3, 3))
    return Block(_single(inner), _single(rng.normal(0, 0.1, 6)), _single(outer), activation)


def colour_mix(rng: np.random.Generator, strength: float) -> Tensor:
    """(3,3,1,1): a 1x1 convolution over the colours, near the identity, that keeps greys grey."""
    drawn = rng.normal(0, strength, (3, 3))
    mixing = np.eye(3) + drawn - drawn.mean(axis=1, keepdims=True)
    return _single(mixing[:, :, None, None])


def taps(rng: np.random.Generator, shape: tuple[int, ...], strength: float) -> Tensor:
    """Drawn weights of zero mean and deviation `strength`."""
    return _single(rng.normal(0, strength, shape))


def _single(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
