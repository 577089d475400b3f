"""ProGAN: progressive growing with faded-in layers, WGAN-GP with drift.

Karras et al. 2018, "Progressive Growing of GANs for Improved Quality, Stability, and Variation",
arXiv 1710.10196: networks that start at 4x4 and fade in one resolution after the other (section
2), minibatch standard deviation in the critic (section 3), equalised learning rate (section 4.1),
pixel normalisation in the generator (section 4.2), Wasserstein loss with gradient penalty and a
drift term of 0.001 (appendix A.1), and an output without a squashing function (its table 2).

Deviations, for two CPU cores: widths 256 to 16, 128 latents instead of 512, shorter phases
(`PHASES`), DiffAugment, and two time scales (Heusel et al. 2017, arXiv 1706.08500): the critic
learns at 1.5e-3, as released by Yu et al. 2019 (the paper has 1e-3), and the generator at a third
of it. At equal rates and these sizes the generator outran the critic, whose loss stayed positive,
and collapsed to one image. Size `paper` has fewer deviations (`training.zoo.sets`).
"""

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.zoo.equalised import EqualisedConv2d
from training.zoo.recipe import MIN_RESOLUTION, NetworkConfig, Recipe, interpolate, slope_penalty

PHASES = (150, 300, 500, 800, 800)
"""Iterations at 4, 8, 16, 32 and any later resolution before the next one is faded in.

The first half of each phase is the fade, but for 4x4, which has nothing to fade from."""

PENALTY_WEIGHT = 10.0
DRIFT_WEIGHT = 0.001
STDDEV_GROUP = 4
"""Images over which the critic measures variation; the paper's group size."""


def pixel_norm(x: Tensor) -> Tensor:
    """Divide each pixel's feature vector by its root mean square (section 4.2): (B,C,H,W)."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def minibatch_stddev(x: Tensor) -> Tensor:
    """Append one map: the features' mean deviation over groups of images (section 3).

    (B,C,H,W) -> (B,C+1,H,W). Groups are neighbours in the batch, so that real and fake images
    stacked in one batch never share a group when each part is a multiple of the group size.
    """
    batch, channels, height, width = x.shape
    group = math.gcd(batch, STDDEV_GROUP)
    y = x.float().reshape(-1, group, channels, height, width)  # (G,N,C,H,W)
    y = y.var(1, unbiased=False).add(1e-8).sqrt().mean((1, 2, 3))  # (G,)
    y = y.repeat_interleave(group)[:, None, None, None].expand(-1, 1, height, width)
    return torch.cat([x, y.to(x)], 1)


class Generator(nn.Module):
    """Latents (B,Z) -> images (B,3,r,r), about [-1,1], where r is the resolution grown to."""

    stage: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels = config.channels(config.width)
        # Stage 2.3: 16x16 is full grown and 32x32 is faded in to 30 %. Begins full grown.
        self.register_buffer("stage", torch.tensor(float(len(channels) - 1)))
        self.dense = EqualisedConv2d(config.latent_size, channels[0] * 16, 1, gain=math.sqrt(2) / 4)
        self.first = EqualisedConv2d(channels[0], channels[0], 3)
        pairs = list(itertools.pairwise(channels))
        self.conv1 = nn.ModuleList(EqualisedConv2d(a, b, 3) for a, b in pairs)
        self.conv2 = nn.ModuleList(EqualisedConv2d(b, b, 3) for _, b in pairs)
        self.to_rgb = nn.ModuleList(EqualisedConv2d(c, 3, 1, gain=1.0) for c in channels)

    def forward(self, latents: Tensor) -> Tensor:
        top, share = split_stage(self.stage)
        x = pixel_norm(latents[:, :, None, None])  # (B,Z,1,1)
        x = self.dense(x).view(latents.shape[0], -1, 4, 4)  # (B,C,4,4)
        x = pixel_norm(functional.leaky_relu(x.contiguous(memory_format=torch.channels_last), 0.2))
        x = pixel_norm(functional.leaky_relu(self.first(x), 0.2))
        before = x
        for conv1, conv2 in list(zip(self.conv1, self.conv2, strict=True))[:top]:
            before = x
            x = functional.interpolate(x, scale_factor=2.0)
            x = pixel_norm(functional.leaky_relu(conv1(x), 0.2))
            x = pixel_norm(functional.leaky_relu(conv2(x), 0.2))  # (B,C/2,2R,2R)
        image: Tensor = self.to_rgb[top](x)
        if share < 1:
            coarse = functional.interpolate(self.to_rgb[top - 1](before), scale_factor=2.0)
            image = coarse + share * (image - coarse)
        return image


class Critic(nn.Module):
    """Images (B,3,r,r) of the stage's resolution -> scores (B,)."""

    stage: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels = config.channels(config.critic_width)
        self.register_buffer("stage", torch.tensor(float(len(channels) - 1)))
        self.from_rgb = nn.ModuleList(EqualisedConv2d(3, c, 1) for c in channels)
        pairs = list(itertools.pairwise(channels))
        self.conv1 = nn.ModuleList(EqualisedConv2d(b, b, 3) for _, b in pairs)
        self.conv2 = nn.ModuleList(EqualisedConv2d(b, a, 3) for a, b in pairs)
        self.last = EqualisedConv2d(channels[0] + 1, channels[0], 3)
        self.dense = EqualisedConv2d(channels[0], channels[0], 4)
        self.score = EqualisedConv2d(channels[0], 1, 1, gain=1.0)

    def forward(self, images: Tensor) -> Tensor:
        top, share = split_stage(self.stage)
        x = functional.leaky_relu(self.from_rgb[top](images), 0.2)
        for level in reversed(range(top)):
            x = functional.leaky_relu(self.conv1[level](x), 0.2)
            x = functional.leaky_relu(self.conv2[level](x), 0.2)
            x = functional.avg_pool2d(x, 2)
            if level == top - 1 and share < 1:
                coarse = self.from_rgb[level](functional.avg_pool2d(images, 2))
                coarse = functional.leaky_relu(coarse, 0.2)
                x = coarse + share * (x - coarse)
        x = functional.leaky_relu(self.last(minibatch_stddev(x)), 0.2)  # (B,C,4,4)
        score: Tensor = self.score(functional.leaky_relu(self.dense(x), 0.2))  # (B,1,1,1)
        return score.flatten()


def split_stage(stage: float | Tensor) -> tuple[int, float]:
    """The highest level in use and its share of the image: 1.3 -> (2, 0.3); 2.0 -> (2, 1.0)."""
    top = math.ceil(float(stage))
    return top, 1 - (top - float(stage))


def grow(iteration: int, resolution: int, phases: tuple[int, ...] = PHASES) -> float:
    """The stage at an iteration: fade in, hold, and so on up to `resolution`."""
    final = (resolution // MIN_RESOLUTION).bit_length() - 1
    for level in range(final):
        phase = phases[min(level, len(phases) - 1)]
        if iteration < phase:
            return level - 1 + _faded(iteration, phase) if level else 0.0
        iteration -= phase
    return final - 1 + _faded(iteration, phases[min(final, len(phases) - 1)])


def _faded(iteration: int, phase: int) -> float:
    """0 would be the stage before, so that the fade begins one step in."""
    return min(1.0, (iteration + 1) / (phase / 2))


def shrink(images: Tensor, stage: float) -> Tensor:
    """Photographs as a generator of this stage could draw them: (B,3,R,R) -> (B,3,r,r)."""
    top, share = split_stage(stage)
    side = MIN_RESOLUTION << top
    images = functional.avg_pool2d(images, images.shape[-1] // side)
    if share < 1:
        coarse = functional.interpolate(functional.avg_pool2d(images, 2), scale_factor=2.0)
        images = coarse + share * (images - coarse)
    return images


def critic_loss(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """E[D(fake)] - E[D(real)] + 0.001 E[D(real)^2] (appendix A.1)."""
    scores: Tensor = critic(torch.cat([real, fake])).float()
    of_real, of_fake = scores[: real.shape[0]], scores[real.shape[0] :]
    return of_fake.mean() - of_real.mean() + DRIFT_WEIGHT * of_real.square().mean()


def generator_loss(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """-E[D(fake)]; `real` is not used."""
    scores: Tensor = critic(fake)
    return -scores.float().mean()


def penalty(critic: nn.Module, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """10 E[(||grad D(x)|| - 1)^2] between real and fake images (WGAN-GP, arXiv 1704.00028)."""
    between = interpolate(real, fake, random)
    return slope_penalty(critic(between).float(), between, PENALTY_WEIGHT)


RECIPE = Recipe(
    name="progan",
    paper="arXiv 1710.10196",
    build_generator=Generator,
    build_critic=Critic,
    critic_loss=critic_loss,
    generator_loss=generator_loss,
    penalty=penalty,
    network=NetworkConfig(width=16, critic_width=16),
    learning_rate=5e-4,
    critic_learning_rate=1.5e-3,
    betas=(0.0, 0.99),
    batch_size=16,
    grow=grow,
    shrink=shrink,
)
