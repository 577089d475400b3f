"""Up-sampling by two, in the ways that decoders do it: what most simulated families differ in.

Each family's function draws a fixed operator, from (1,3,h,w) to (1,3,2h,2w), float32. Those with
kernels per output phase leave a lattice of period two in the output.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.generators.traces import taps

Up = Callable[[Tensor], Tensor]


def smooth(half: Tensor) -> Tensor:
    """The up-sampling without a trace that all pyramids measure lost detail against."""
    return functional.interpolate(half, scale_factor=2, mode="bicubic", align_corners=False)


def halve(picture: Tensor) -> Tensor:
    """Half the size: means of 2x2 pixels."""
    return functional.avg_pool2d(picture, 2)


def nearest(rng: np.random.Generator) -> Up:
    """Repeated pixels, a part of the staircase taken away as the convolutions after it do."""
    share = float(rng.uniform(0.25, 0.7))
    return lambda half: (
        share * functional.interpolate(half, scale_factor=2, mode="nearest")
        + (1 - share) * smooth(half)
    )


def bilinear(rng: np.random.Generator) -> Up:
    """Bilinear, at times with aligned corners, which drifts against the pixel grid."""
    aligned = bool(rng.random() < 0.25)
    return lambda half: functional.interpolate(
        half, scale_factor=2, mode="bilinear", align_corners=aligned
    )


def bicubic(rng: np.random.Generator) -> Up:
    """Cubic convolution whose parameter a is drawn from -1 to -0.3."""
    fir = _cubic(np.abs(np.arange(8) - 3.5) / 2, float(rng.uniform(-1.0, -0.3)))
    return _separable(fir)


def transposed(kernel: int) -> Callable[[np.random.Generator], Up]:
    """Transposed convolution of stride two; kernels of 3 and 5 overlap unevenly.

    Before they are drawn apart the taps are those nearest to bilinear that the kernel has room for.
    """
    base = np.array({3: [1, 4, 3], 4: [1, 3, 3, 1], 5: [0, 1, 3, 3, 1]}[kernel]) / 4

    def drawn(rng: np.random.Generator) -> Up:
        weight = taps(rng, (3, 3, kernel, kernel), float(rng.uniform(0.003, 0.010)))
        weight -= weight.mean((2, 3), keepdim=True)
        plain = torch.from_numpy(np.outer(base, base).astype(np.float32))
        for channel in range(3):
            weight[channel, channel] += plain
        return lambda half: _overlap(half, weight)

    return drawn


def zero_insertion(rng: np.random.Generator) -> Up:
    """Zeros between the pixels, then a separable filter of 6 or 8 drawn taps."""
    wide = bool(rng.random() < 0.5)
    fir = np.array([-1, -3, 12, 34, 34, 12, -3, -1] if wide else [-3, 7, 28, 28, 7, -3], float)
    return _separable(fir + rng.normal(0, 0.02 * fir.max(), len(fir)))


def antialiased(rng: np.random.Generator) -> Up:
    """A long windowed sinc, near to ideal, and an activation at twice the size around it."""
    beta, cutoff = float(rng.uniform(2, 8)), float(rng.uniform(0.8, 1.0))
    place = (np.arange(12) - 5.5) / 2
    sinc = _separable(np.sinc(cutoff * place) * np.kaiser(12, beta))
    slope = float(rng.uniform(0.05, 0.2))

    def up(half: Tensor) -> Tensor:
        doubled = sinc(half)
        return doubled + slope * (functional.silu(2 * doubled) - doubled)

    return up


def _separable(fir: NDArray[np.float64]) -> Up:
    """The same filter both ways, of even length and brought to gain one."""
    fir = 2 * fir / fir.sum()
    outer = torch.from_numpy(np.outer(fir, fir).astype(np.float32))
    weight = outer.expand(3, 1, -1, -1).contiguous()  # (3,1,k,k)
    return lambda half: _overlap(half, weight, groups=3)


def _overlap(half: Tensor, weight: Tensor, groups: int = 1) -> Tensor:
    """Transposed convolution of stride two with a margin, cut to exactly twice the size."""
    kernel, margin = weight.shape[-1], 3
    padded = functional.pad(half, (margin,) * 4, mode="replicate")
    out = functional.conv_transpose2d(padded, weight, stride=2, groups=groups)
    start = 2 * margin + (kernel - 1) // 2
    height, width = half.shape[-2:]
    return out[..., start : start + 2 * height, start : start + 2 * width]


def _cubic(x: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel (1981) at distances x."""
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.asarray(np.where(x <= 1, near, np.where(x < 2, far, 0.0)), np.float64)
