"""SNGAN: residual networks, spectral normalisation in the critic, hinge loss.

Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", arXiv 1802.05957.
The generator up-samples by nearest neighbour inside residual blocks with batch normalisation
(their table 4 and figure 8); every layer of the critic is divided by its largest singular value
(their equation 8); the losses are the hinge losses of their equations 16 and 17.

Deviations, for two CPU cores: widths 256 to 16 instead of 1024 to 64, batches of 32 instead of 64,
DiffAugment, and one critic step per generator step instead of five; to make up for the last, the
critic learns twice as fast as the generator (two time scales, as in Zhang et al. 2018, arXiv
1805.08318). The critic is the paper's plain CNN: the residual critic's loss stayed at chance for
1,900 iterations at these widths. Size `paper` has fewer deviations (`training.zoo.sets`).
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from training.zoo.recipe import NetworkConfig, Recipe


class UpBlock(nn.Module):
    """Residual block that doubles the resolution: (B,I,R,R) -> (B,O,2R,2R)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.interpolate(functional.relu(self.norm1(x)), scale_factor=2.0)
        y = self.conv2(functional.relu(self.norm2(self.conv1(y))))  # (B,O,2R,2R)
        # A 1x1 convolution and nearest-neighbour up-sampling commute; this order is cheaper.
        total: Tensor = y + functional.interpolate(self.skip(x), scale_factor=2.0)
        return total


class Generator(nn.Module):
    """Latents (B,Z) -> images (B,3,R,R) in [-1,1]."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels = config.channels(config.width)
        self.dense = nn.Linear(config.latent_size, channels[0] * 16)
        self.blocks = nn.Sequential(*(UpBlock(a, b) for a, b in itertools.pairwise(channels)))
        self.norm = nn.BatchNorm2d(channels[-1])
        self.to_rgb = nn.Conv2d(channels[-1], 3, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        x = self.dense(latents).view(latents.shape[0], -1, 4, 4)  # (B,C,4,4)
        x = self.blocks(x.contiguous(memory_format=torch.channels_last))  # (B,W,R,R)
        images: Tensor = self.to_rgb(functional.relu(self.norm(x))).tanh()
        return images


class Critic(nn.Module):
    """Images (B,3,R,R) -> scores (B,): the standard CNN of the paper's table 3, normalised."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels = [3, *reversed(config.channels(config.critic_width)[:-1])]
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(channels):
            layers += [spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1)), nn.LeakyReLU(0.1)]
        self.layers = nn.Sequential(*layers)
        self.score = spectral_norm(nn.Linear(channels[-1] * 16, 1))

    def forward(self, images: Tensor) -> Tensor:
        score: Tensor = self.score(self.layers(images).flatten(1)).squeeze(1)  # (B,)
        return score


def critic_loss(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 - D(real))] + E[max(0, 1 + D(fake))] (equation 16)."""
    scores = critic(torch.cat([real, fake])).float()
    of_real, of_fake = scores.split([real.shape[0], fake.shape[0]])
    return functional.relu(1 - of_real).mean() + functional.relu(1 + of_fake).mean()


def generator_loss(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """-E[D(fake)] (equation 17); `real` is not used."""
    scores: Tensor = critic(fake)
    return -scores.float().mean()


RECIPE = Recipe(
    name="sngan",
    paper="arXiv 1802.05957",
    build_generator=Generator,
    build_critic=Critic,
    critic_loss=critic_loss,
    generator_loss=generator_loss,
    penalty=None,
    network=NetworkConfig(width=16, critic_width=32),
    learning_rate=2e-4,
    critic_learning_rate=4e-4,
    betas=(0.0, 0.9),
    batch_size=32,
)
