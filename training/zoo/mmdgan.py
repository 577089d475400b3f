"""MMD-GAN: a residual generator, and a critic whose kernel statistic tells real from fake.

Binkowski et al. 2018, "Demystifying MMD GANs", arXiv 1801.01401. The critic maps images to 16
dimensions; both networks play over the squared maximum mean discrepancy (MMD) between the two
batches there, under the mixture of rational quadratic kernels with alpha of 0.2, 0.5, 1, 2 and 5
(their equation 7). The gradient penalty, of weight 1, holds the witness function's slope near one
(their section 2.1). As in the paper's runs on faces, the generator is the residual one of spectral
normalisation, and the critic plain convolutions.

Deviations, for two CPU cores: widths 256 to 16, batches of 32 instead of 64, two critic steps that
learn at 5e-4 and a generator that learns at 2e-4 instead of five steps and 1e-4 for both, rates
that never fall, and DiffAugment. Size `paper` has fewer deviations (`training.zoo.sets`).

The kernel is the mixture alone. The paper's runs on faces add the dot product to it, which has no
bound: once the two means are near, the penalty lets the critic enlarge its output, and the estimate
from 32 images is mostly noise. Nine settings with it drew no faces (training/LOG.md).
"""

import itertools

import torch
from torch import Tensor, nn

from training.zoo.recipe import NetworkConfig, Recipe, interpolate, slope_penalty
from training.zoo.sngan import Generator

OUTPUT_SIZE = 16
"""Dimensions of the critic's output, as in the paper."""

ALPHAS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Exponents of the rational quadratic mixture, as in the paper."""

PENALTY_WEIGHT = 1.0


class Critic(nn.Module):
    """Images (B,3,R,R) -> (B,16)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels = [3, *reversed(config.channels(config.critic_width)[:-1])]
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(channels):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.dense = nn.Linear(channels[-1] * 16, OUTPUT_SIZE)

    def forward(self, images: Tensor) -> Tensor:
        h: Tensor = self.dense(self.layers(images).flatten(1))  # (B,16)
        return h


def kernel(x: Tensor, y: Tensor) -> Tensor:
    """sum_a (1 + ||x-y||^2 / 2a)^-a (equation 7), (N,D) x (M,D) -> (N,M).

    To be computed in float32: in bfloat16 the distances of near points are lost in rounding.
    """
    distance = x.square().sum(1)[:, None] + y.square().sum(1)[None] - 2 * (x @ y.T)  # (N,M)
    distance = distance.clamp_min(0)  # rounding can leave small negative values
    exponents = torch.stack([-a * torch.log1p(distance / (2 * a)) for a in ALPHAS])  # (A,N,M)
    return exponents.exp().sum(0)


def mmd_squared(x: Tensor, y: Tensor) -> Tensor:
    """The unbiased estimate of MMD^2 (equation 3) between (N,D) and (M,D)."""
    n, m = x.shape[0], y.shape[0]
    k_xx, k_yy = kernel(x, x), kernel(y, y)
    within_x = (k_xx.sum() - k_xx.diagonal().sum()) / (n * (n - 1))
    within_y = (k_yy.sum() - k_yy.diagonal().sum()) / (m * (m - 1))
    return within_x + within_y - 2 * kernel(x, y).mean()


def _between_batches(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    h = critic(torch.cat([real, fake])).float()  # (2B,16)
    with torch.autocast(h.device.type, enabled=False):
        return mmd_squared(h[: real.shape[0]], h[real.shape[0] :])


def critic_loss(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """-MMD^2: the critic drives the two batches apart."""
    return -_between_batches(critic, real, fake)


def generator_loss(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """MMD^2: the generator brings them together."""
    return _between_batches(critic, real, fake)


def penalty(critic: nn.Module, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """E[(||grad f(x)|| - 1)^2], f the witness: mean kernel to the reals less that to the fakes."""
    between = interpolate(real, fake, random)
    h = critic(torch.cat([between, real, fake])).float()
    at, of_real, of_fake = h.split([between.shape[0], real.shape[0], fake.shape[0]])
    with torch.autocast(h.device.type, enabled=False):
        witness = kernel(at, of_real).mean(1) - kernel(at, of_fake).mean(1)  # (B,)
    return slope_penalty(witness, between, PENALTY_WEIGHT)


RECIPE = Recipe(
    name="mmdgan",
    paper="arXiv 1801.01401",
    build_generator=Generator,
    build_critic=Critic,
    critic_loss=critic_loss,
    generator_loss=generator_loss,
    penalty=penalty,
    network=NetworkConfig(width=16, critic_width=16),
    learning_rate=2e-4,
    critic_learning_rate=5e-4,
    betas=(0.5, 0.9),
    critic_steps=2,
)
