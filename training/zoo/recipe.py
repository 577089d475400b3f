"""What one GAN paper prescribes, as one value that the training loop can follow."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

MIN_RESOLUTION = 4
"""Every generator here starts from a 4x4 map and doubles it."""


@dataclass(frozen=True)
class NetworkConfig:
    """The size of a generator and of its critic.

    `width` is the number of channels of the generator at full resolution; it doubles with each
    halving of the resolution up to `max_width`. The critic mirrors it with `critic_width`.
    """

    resolution: int = 64
    latent_size: int = 128
    width: int = 32
    max_width: int = 256
    critic_width: int = 32

    def channels(self, width: int) -> list[int]:
        """Channels of the maps of 4, 8, ... `resolution` pixels, for `width` at full size."""
        levels = (self.resolution // MIN_RESOLUTION).bit_length()
        if self.resolution != MIN_RESOLUTION << (levels - 1):
            raise ValueError(
                f"resolution {self.resolution} is not a power of two times {MIN_RESOLUTION};"
                " choose 64 or 128"
            )
        return [min(self.max_width, width << i) for i in reversed(range(levels))]


CriticLoss = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(critic, real (B,3,R,R), fake (B,3,R,R)) -> scalar to minimise over the critic."""

Penalty = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]
"""(critic, real, fake, random source) -> scalar regulariser, already weighted."""


@dataclass(frozen=True)
class Recipe:
    """Networks, losses and optimiser settings of one paper.

    `penalty_every` n > 1 computes the regulariser in every n-th step, n times as strong ("lazy
    regularisation", Karras et al. 2020, arXiv 1912.04958, appendix B).
    `critic_learning_rate` None means the same as the generator's.
    `grow` maps the iteration to the stage of a progressive network, and `shrink` gives the real
    images what the network shows at that stage; both are None for networks of fixed size.
    """

    name: str
    paper: str
    build_generator: Callable[[NetworkConfig], nn.Module]
    build_critic: Callable[[NetworkConfig], nn.Module]
    critic_loss: CriticLoss
    generator_loss: CriticLoss
    penalty: Penalty | None
    network: NetworkConfig
    learning_rate: float
    betas: tuple[float, float]
    critic_learning_rate: float | None = None
    batch_size: int = 32
    critic_steps: int = 1
    penalty_every: int = 1
    grow: Callable[[int, int], float] | None = None
    shrink: Callable[[Tensor, float], Tensor] | None = None


def interpolate(real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """Points on the segments between real and fake images (Gulrajani et al. 2017, algorithm 1).

    Shapes (B,3,R,R) -> (B,3,R,R), detached, requiring gradient.
    """
    share = torch.rand(real.shape[0], 1, 1, 1, generator=random).to(real)  # (B,1,1,1)
    return (fake + share * (real - fake)).detach().requires_grad_(True)


def slope_penalty(value: Tensor, at: Tensor, weight: float) -> Tensor:
    """weight * E[(||d value / d at|| - 1)^2] (Gulrajani et al. 2017, equation 3).

    `value` (B,) is the critic's scalar for each of the images `at` (B,3,R,R).
    """
    (slope,) = torch.autograd.grad(value.sum(), at, create_graph=True)  # (B,3,R,R)
    norm = slope.float().flatten(1).square().sum(1).add(1e-12).sqrt()  # (B,)
    return weight * (norm - 1).square().mean()
