"""Simulated generators: real pictures rebuilt by decoders that nobody trained, in sixteen families.

A family is a way to decode. A member is drawn from a seed: each eight seeds in a row share what an
architecture fixes (stages, activation, kernel size, extras, strength) and differ by their weights,
as trainings of one architecture from different seeds do. All members also have what any generator
may have: convolutions with an activation, a mixing of colours, noise, a blur against checkers.

The picture stays itself: detail of the source that the decoder lost is mixed back before the
member's own layers, and the output's detail is brought to the source's strength
(training/generators/sharpness.py).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.generators import latents, upsampling
from training.generators.generator import Generator, from_pictures
from training.generators.latents import Decoder
from training.generators.sharpness import match_bands
from training.generators.traces import ACTIVATIONS, Block, block, colour_mix
from training.generators.upsampling import Up, halve, smooth
from worker.enrol.recompress import Picture

SIBLINGS = 8
"""Members 0 to 7 of a family share one architecture, and so do the next eight."""

SIDES = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""What the listed generators are asked for; `FamilyMember.render` takes any side from 16 on."""

_PYRAMIDS: dict[str, Callable[[np.random.Generator], Up]] = {
    "nearest_conv": upsampling.nearest,
    "bilinear_conv": upsampling.bilinear,
    "bicubic_conv": upsampling.bicubic,
    "transposed_3": upsampling.transposed(3),
    "transposed_4": upsampling.transposed(4),
    "transposed_5": upsampling.transposed(5),
    "zero_insertion": upsampling.zero_insertion,
    "antialiased": upsampling.antialiased,
}
_DECODERS: dict[str, Callable[[np.random.Generator], Decoder]] = {
    "pixel_shuffle": latents.pixel_shuffle,
    "fractional_resize": latents.fractional_resize,
    "codebook": latents.codebook,
    "latent_8": latents.latent_8,
    "wavelet": latents.wavelet,
    "patches": latents.patches,
    "dithered": latents.dithered,
    "denoiser": latents.denoiser,
}
_LAST = ("dithered",)  # their decoder is the last layer
_MULTIPLE = 16  # of the sides inside: four stages, or tokens of sixteen pixels


@dataclass(frozen=True, slots=True)
class Architecture:
    """What siblings share. `detail` is the share of lost detail that is mixed back."""

    stages: int
    activation: str
    kernel: int
    strength: float
    detail: float
    colour: float
    noise: float
    squash: bool
    checker_blur: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Architecture":
        """One architecture; the trace's strength is log-uniform."""
        return cls(
            stages=int(rng.integers(1, 5)),
            activation=str(rng.choice(sorted(ACTIVATIONS))),
            kernel=int(rng.choice([1, 3, 3, 5])),
            strength=float(np.exp(rng.uniform(np.log(0.012), np.log(0.08)))),
            detail=float(rng.uniform(0.5, 0.95)),
            colour=float(rng.choice([0.0, 0.02, 0.05])),
            noise=float(rng.choice([0.0, 0.0, 0.004, 0.01])),
            squash=bool(rng.random() < 0.4),
            checker_blur=float(rng.choice([0.0, 0.0, 0.08, 0.2])),
        )


@dataclass(frozen=True, slots=True, eq=False)
class FamilyMember:
    """One simulated generator: its architecture, and the weights drawn from its seed."""

    family: str
    seed: int
    architecture: Architecture
    _decoder: Decoder
    _blocks: tuple[Block, ...]
    _colours: Tensor

    @property
    def name(self) -> str:
        """As in lists: simulated.nearest_conv.17."""
        return f"simulated.{self.family}.{self.seed}"

    @torch.no_grad()
    def render(self, picture: Picture, seed: int = 0) -> Picture:
        """This generator's version of uint8 (3,H,W), same shape; `seed` for what it draws.

        A picture with the same seed is rendered to the same pixels on the same machine.
        """
        _, height, width = picture.shape
        source = torch.tensor(picture[None]).float() / 127.5 - 1.0  # (1,3,H,W)
        below, beside = -height % _MULTIPLE, -width % _MULTIPLE
        source = functional.pad(source, (0, beside, 0, below), mode="reflect")
        random = torch.Generator().manual_seed(seed)
        made = self._layers(source, random)[..., :height, :width]
        grey = ((made[0].clamp(-1, 1) + 1) * 127.5).round()
        return np.ascontiguousarray(grey.to(torch.uint8).numpy())

    def _layers(self, source: Tensor, random: torch.Generator) -> Tensor:
        plan = self.architecture
        out = smooth(halve(source)) if self.family in _LAST else self._decoder(source, random)
        if self.family in _DECODERS:
            out = out + plan.detail * _lost(source, out)
        if plan.checker_blur:
            out = out + plan.checker_blur * (functional.avg_pool2d(out, 3, 1, 1) - out)
        if self.family in _DECODERS:
            out = self._blocks[-1](out)
        if plan.colour:
            out = functional.conv2d(out, self._colours)
        if plan.squash:
            out = torch.tanh(1.1 * out) / 0.8004990217606297
        out = match_bands(out, source)
        if plan.noise:
            out = out + plan.noise * torch.randn(out.shape, generator=random)
        return self._decoder(out, random) if self.family in _LAST else out


def family_member(family: str, seed: int) -> FamilyMember:
    """Member `seed` >= 0 of a simulated family: the same seed, the same generator."""
    if family not in _PYRAMIDS and family not in _DECODERS:
        known = ", ".join((*_PYRAMIDS, *_DECODERS))
        raise ValueError(f"{family!r} is no simulated family; choose one of {known}")
    origin = int.from_bytes(hashlib.sha256(family.encode()).digest()[:8], "big")
    plan = Architecture.drawn(np.random.default_rng([20261128, origin, seed // SIBLINGS]))
    rng = np.random.default_rng([20261128, origin, seed // SIBLINGS, 1 + seed])
    blocks = tuple(
        block(rng, plan.strength, plan.activation, plan.kernel) for _ in range(plan.stages)
    )
    if family in _PYRAMIDS:
        decoder = _pyramid(_PYRAMIDS[family](rng), blocks, plan.detail)
    else:
        decoder = _DECODERS[family](rng)
    return FamilyMember(family, seed, plan, decoder, blocks, colour_mix(rng, plan.colour))


def simulated_generator(family: str, seed: int) -> Generator:
    """A member as a generator over photographs; it is drawn when it is first used."""
    name = f"simulated.{family}.{seed}"
    return from_pictures(
        name, family, SIDES, lambda picture, noise: _member(family, seed).render(picture, noise)
    )


_member = lru_cache(maxsize=64)(family_member)


def _pyramid(up: Up, blocks: tuple[Block, ...], detail: float) -> Decoder:
    """A decoder of as many stages as blocks, which doubles the size in each."""

    def stage(picture: Tensor, level: int) -> Tensor:
        if level == 0:
            return picture
        half = halve(picture)
        lost = picture - smooth(half)
        return blocks[level - 1](up(stage(half, level - 1)) + detail * lost)

    return lambda picture, _: stage(picture, len(blocks))


def _lost(source: Tensor, made: Tensor) -> Tensor:
    """The fine part of what the decoder's picture lacks; its errors in the large stay."""
    gone = source - made
    return gone - functional.avg_pool2d(gone, 5, 1, 2, count_include_pad=False)
