"""CramerGAN: transposed convolutions, and a critic that minimises an energy distance.

Bellemare et al. 2017, "The Cramer Distance as a Solution to Biased Wasserstein Gradients",
arXiv 1705.10743, algorithm 1. The critic maps images to h(x) in 256 dimensions; the generator
minimises the energy distance between h(real) and h(fake); the critic maximises a surrogate of it
under a gradient penalty of weight 10.

The generator is the DCGAN of Radford et al. 2015 (arXiv 1511.06434): transposed convolutions of
4x4 with stride 2, and batch normalisation. The critic has none, as the penalty requires.

Deviations, for two CPU cores: widths 256 to 32, one critic step per generator step instead of
five, the second independent fake sample x'_g is the same batch shifted by one, the gradient
penalty is computed in every other step at twice the weight, the learning rate is 2e-4 instead of
1e-4, and DiffAugment. Size `paper` has fewer (`training.zoo.sets`).
"""

import itertools

import torch
from torch import Tensor, nn

from training.zoo.recipe import NetworkConfig, Recipe, interpolate, slope_penalty

OUTPUT_SIZE = 256
"""Dimensions of h(x), as in the paper."""

PENALTY_WEIGHT = 10.0
"""Lambda of the paper's algorithm 1."""


class Generator(nn.Module):
    """Latents (B,Z) -> images (B,3,R,R) in [-1,1]."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        # The first layer gives the 4x4 map; the last transposed convolution gives the image.
        channels = config.channels(config.width)[:-1]
        layers: list[nn.Module] = []
        for inputs, outputs in zip([config.latent_size, *channels], [*channels, 3], strict=True):
            first, last = not layers, outputs == 3
            layers.append(
                nn.ConvTranspose2d(inputs, outputs, 4, 1, 0, bias=False)
                if first
                else nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=last)
            )
            layers += [nn.Tanh()] if last else [nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: Tensor) -> Tensor:
        x = latents[:, :, None, None].contiguous(memory_format=torch.channels_last)
        images: Tensor = self.layers(x)  # (B,3,R,R)
        return images


class Critic(nn.Module):
    """Images (B,3,R,R) -> h(x), (B,256)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels = [3, *reversed(config.channels(config.critic_width)[:-1])]
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(channels):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.dense = nn.Linear(channels[-1] * 16, OUTPUT_SIZE)

    def forward(self, images: Tensor) -> Tensor:
        h: Tensor = self.dense(self.layers(images).flatten(1))  # (B,256)
        return h


def norm(h: Tensor) -> Tensor:
    """Euclidean length of each row, with a gradient at zero: (B,D) -> (B,)."""
    return h.square().sum(1).add(1e-8).sqrt()


def surrogate(h: Tensor, h_other: Tensor) -> Tensor:
    """f(x) = ||h(x) - h(x'_g)|| - ||h(x)||, (B,D) x (B,D) -> (B,)."""
    return norm(h - h_other) - norm(h)


def _embed(critic: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """h(real) and h(fake) in float32, in one pass."""
    h = critic(torch.cat([real, fake])).float()
    return h[: real.shape[0]], h[real.shape[0] :]


def critic_loss(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """-(E f(real) - E f(fake)): the critic ascends the surrogate."""
    h_real, h_fake = _embed(critic, real, fake)
    other = h_fake.roll(1, 0)
    return surrogate(h_fake, other).mean() - surrogate(h_real, other).mean()


def generator_loss(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """E||h(r)-h(g)|| + E||h(r)-h(g')|| - E||h(g)-h(g')||, the energy distance up to a constant.

    The two first terms are one here, as g' is g shifted by one.
    """
    h_real, h_fake = _embed(critic, real, fake)
    other = h_fake.roll(1, 0)
    cross = norm(h_real - h_fake).mean() + norm(h_real - other).mean()
    return cross - norm(h_fake - other).mean()


def penalty(critic: nn.Module, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """10 E[(||grad f(x)|| - 1)^2] between real and fake images."""
    between = interpolate(real, fake, random)
    h_other = critic(fake.roll(1, 0)).float()
    return slope_penalty(surrogate(critic(between).float(), h_other), between, PENALTY_WEIGHT)


RECIPE = Recipe(
    name="cramergan",
    paper="arXiv 1705.10743",
    build_generator=Generator,
    build_critic=Critic,
    critic_loss=critic_loss,
    generator_loss=generator_loss,
    penalty=penalty,
    network=NetworkConfig(width=32, critic_width=16),
    learning_rate=2e-4,
    betas=(0.5, 0.9),
    penalty_every=2,
)
