"""Simulated generators: real pictures passed through random decoders with a fixed trace each.

A real zoo is small, so the extractor also learns from generators that nobody trained: a picture
is halved and rebuilt by an up-sampling whose kernels differ per output phase, as transposed
convolutions, pixel shuffles and resize-convolutions do, and part of the picture's own detail is
mixed back so that the result stays sharp (decoders that only blur teach the detector blur). What
differs between two simulated generators is drawn once from their number and then fixed.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_BASES = ("nearest", "bilinear", "bicubic")


@dataclass(frozen=True, slots=True)
class SimulatedGenerator:
    """The fixed trace of one simulated generator; every array is drawn from its number.

    `phase_kernels` is (factor**2, 3, 3, 5, 5): for each output phase a mixing of colours and
    neighbours near the identity; `colour_mix` is (3, 3); `detail` the share of the source's own
    detail that is kept.
    """

    number: int
    factor: int
    levels: int
    base: str
    phase_kernels: tuple[Tensor, ...]
    colour_mix: Tensor
    detail: float
    squash: float
    noise: float

    @classmethod
    def from_number(cls, number: int) -> "SimulatedGenerator":
        """Draw the trace of simulated generator `number`; the same number, the same trace."""
        rng = np.random.default_rng([20261123, number])
        levels = int(rng.integers(1, 4))  # up-sampling stages: lattice periods 2, 4 and 8
        strength = float(np.exp(rng.uniform(np.log(0.01), np.log(0.12))))
        chroma_mix = float(rng.uniform(0.0, 0.15))
        kernels = []
        for _ in range(levels):
            kernel = np.zeros((4, 3, 3, 5, 5), np.float32)
            # One kernel for all phases (a plain convolution after resizing), plus, for some
            # generators, a part that differs by phase (checkerboard of transposed convolutions).
            shared = _near_identity(rng, strength, chroma_mix)
            by_phase = strength * float(rng.choice([0.0, 0.3, 1.0]))
            for phase in range(4):
                kernel[phase] = shared + _perturbation(rng, by_phase, chroma_mix)
            kernels.append(torch.from_numpy(kernel))
        mix = np.eye(3) + rng.normal(0, 0.04, (3, 3))
        return cls(
            number=number,
            factor=2,
            levels=levels,
            base=str(rng.choice(_BASES)),
            phase_kernels=tuple(kernels),
            colour_mix=torch.from_numpy(mix.astype(np.float32)),
            detail=float(rng.uniform(0.0, 0.8)),
            squash=float(rng.choice([0.0, 0.5, 1.0])),
            noise=float(rng.choice([0.0, 0.0, 0.004, 0.012])),
        )

    def render(self, pictures: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """uint8 pictures (N, 3, H, W), sides multiples of 8, to this generator's version."""
        source = torch.tensor(pictures).float() / 127.5 - 1.0
        out = self._decode(source, self.levels)
        out = torch.einsum("ck,nkhw->nchw", self.colour_mix, out)
        if self.squash > 0:
            bent = torch.tanh(1.2 * out) / np.tanh(1.2)
            out = (1 - self.squash) * out + self.squash * bent
        if self.noise > 0:
            generator = torch.Generator().manual_seed(seed)
            out = out + self.noise * torch.randn(out.shape, generator=generator)
        return ((out.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()

    def _decode(self, picture: Tensor, level: int) -> Tensor:
        """Rebuild `picture` (N, 3, H, W) from its half, `level` stages deep."""
        if level == 0:
            return picture
        half = functional.avg_pool2d(picture, 2)
        rebuilt = self._up(self._decode(half, level - 1))
        lost = picture - self._up(half)
        return self._by_phase(rebuilt + self.detail * lost, self.phase_kernels[level - 1])

    def _up(self, half: Tensor) -> Tensor:
        if self.base == "nearest":
            return functional.interpolate(half, scale_factor=2, mode="nearest")
        return functional.interpolate(half, scale_factor=2, mode=self.base, align_corners=False)

    @staticmethod
    def _by_phase(picture: Tensor, kernels: Tensor) -> Tensor:
        """A convolution whose kernel depends on the output position modulo two."""
        padded = functional.pad(picture, (2, 2, 2, 2), mode="reflect")
        out = torch.empty_like(picture)
        for phase in range(4):
            row, column = divmod(phase, 2)
            out[..., row::2, column::2] = functional.conv2d(
                padded[..., row:, column:], kernels[phase], stride=2
            )[..., : out[..., row::2, column::2].shape[-2], : out[..., row::2, column::2].shape[-1]]
        return out


def _near_identity(
    rng: np.random.Generator, strength: float, chroma_mix: float
) -> NDArray[np.float32]:
    kernel = _perturbation(rng, 2 * strength, chroma_mix)
    kernel[:, :, 2, 2] += np.eye(3, dtype=np.float32)
    return kernel


def _perturbation(
    rng: np.random.Generator, strength: float, chroma_mix: float
) -> NDArray[np.float32]:
    """(3, 3, 5, 5): random taps that fall off from the centre; colours mix a little; sum zero."""
    distance = np.abs(np.arange(5) - 2)
    fall_off = np.exp(-(distance[:, None] ** 2 + distance[None, :] ** 2) / 3.0)
    colours = np.eye(3) * (1 - chroma_mix) + chroma_mix
    taps = rng.normal(0, 1, (3, 3, 5, 5)) * fall_off * colours[:, :, None, None] * strength
    taps -= taps.mean(axis=(2, 3), keepdims=True)
    return np.asarray(taps, np.float32)
