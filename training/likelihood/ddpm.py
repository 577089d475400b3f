"""A tiny diffusion model: a U-Net learns to tell noise from picture, and draws by taking it away.

Ho, Jain, Abbeel 2020, arXiv 2006.11239, with the cosine schedule of Nichol and Dhariwal 2021 (arXiv
2102.09672) and the deterministic sampler of Song, Meng, Ermon 2020 (arXiv 2010.02502).

For two processor cores the U-Net works at half the side and below, on squares of 2x2 pixels as
channels; pixels are made at the end, from nearest neighbours and two convolutions. Noise does not
fit through so narrow a network. So it predicts the picture, to which at low noise the noisy one is
added (Karras et al. 2022, arXiv 2206.00364, section 5), in place of the noise.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

STEPS = 25
"""Evaluations of the network for one picture."""

_EMBEDDING = 64
_DETAIL = 0.05
"""Deviation, of a picture in [-1,1], of the detail that the network leaves to the noisy picture."""

_LARGEST_WEIGHT = 20.0
"""Of a squared error; that of the noise, 1/s^2 at s times the picture's noise, has no bound."""


class Ddpm(nn.Module):
    """Draws pictures of `side` pixels, a multiple of 8; `width` channels at half the side."""

    def __init__(self, side: int = 64, width: int = 32) -> None:
        super().__init__()
        self.side = side
        widths = [width, 2 * width, 2 * width]
        levels = list(zip([width, *widths[:-1]], widths, strict=True))
        self.entrance = nn.Conv2d(12, width, 3, 1, 1)
        self.down = nn.ModuleList(Timed(before, after) for before, after in levels)
        # Where in the picture each place lies: aligned faces are learned sooner.
        self.places = nn.Parameter(torch.zeros(1, widths[-1], side // 8, side // 8))
        self.middle = Timed(widths[-1], widths[-1])
        self.up = nn.ModuleList(Timed(2 * after, before) for before, after in levels)
        self.exit = nn.Sequential(
            ChannelNorm(width),
            nn.SiLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width // 2, 3, 1, 1),
            nn.SiLU(),
            nn.Conv2d(width // 2, 3, 3, 1, 1),
        )

    def forward(self, noisy: Tensor, time: Tensor) -> Tensor:
        """(N,3,R,R) and times (N,) in [0,1] -> the clean picture as far as it is known, float32."""
        embedding = _embedding(time)
        maps, kept = self.entrance(functional.pixel_unshuffle(noisy, 2)), []  # (N,W,R/2,R/2)
        for level, block in enumerate(self.down):
            maps = block(maps if level == 0 else functional.avg_pool2d(maps, 2), embedding)
            kept.append(maps)
        maps = self.middle(maps + self.places, embedding)
        for level in range(len(self.up) - 1, -1, -1):
            maps = self.up[level](torch.cat([maps, kept[level]], 1), embedding)
            if level:
                maps = functional.interpolate(maps, scale_factor=2.0)
        share = signal(time).view(-1, 1, 1, 1)
        kept_share = _DETAIL**2 / (_DETAIL**2 + (1 - share) / share)
        drawn: Tensor = self.exit(maps).float()
        clean: Tensor = kept_share * noisy / share.sqrt() + (1 - kept_share) * drawn
        return clean

    def loss(self, pictures: Tensor, random: torch.Generator) -> Tensor:
        """Weighted squared error of the picture, at times spread evenly over the batch."""
        count, device = len(pictures), pictures.device
        time = (torch.rand(1, generator=random) + torch.arange(count) / count) % 1.0  # (N,)
        noise = torch.randn(pictures.shape, generator=random).to(pictures)
        share = signal(time).to(device).view(-1, 1, 1, 1)
        noisy = share.sqrt() * pictures + (1 - share).sqrt() * noise
        weight = 1 / ((1 - share) / share + 1 / _LARGEST_WEIGHT)
        error: Tensor = self(noisy, time.to(device)) - pictures
        return (weight * error.square()).mean()

    @torch.no_grad()
    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """`count` pictures (count,3,R,R), in [-1,1]."""
        device = next(self.parameters()).device
        pictures = torch.randn(count, 3, self.side, self.side, generator=random).to(device)
        times = torch.linspace(0.999, 0.0, STEPS + 1)
        for now, then in pairwise(times):
            share, following = signal(now), signal(then)
            clean = self(pictures, now.expand(count).to(device)).clamp(-1, 1)
            noise = (pictures - share.sqrt() * clean) / (1 - share).sqrt()
            pictures = following.sqrt() * clean + (1 - following).sqrt() * noise
        return pictures


class Timed(nn.Module):
    """A residual block that knows how noisy the picture is; it changes nothing at first."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        last = nn.Conv2d(after, after, 3, 1, 1)
        nn.init.zeros_(last.weight)
        self.first = nn.Sequential(
            ChannelNorm(before), nn.SiLU(), nn.Conv2d(before, after, 3, 1, 1)
        )
        self.time = nn.Linear(_EMBEDDING, after)
        self.second = nn.Sequential(ChannelNorm(after), nn.SiLU(), last)
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, maps: Tensor, embedding: Tensor) -> Tensor:
        hidden = self.first(maps) + self.time(embedding)[:, :, None, None]
        changed: Tensor = self.skip(maps) + self.second(hidden)
        return changed


class ChannelNorm(nn.LayerNorm):
    """Normalises the channels of each place: (N,C,h,w) -> same shape.

    In place of the papers' norms of groups, whose gradients take half of the time on a processor.
    """

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def signal(time: Tensor) -> Tensor:
    """The picture's share of the variance at a time in [0,1], on the cosine schedule."""
    shifted = (time + 0.008) / 1.008
    return (
        torch.cos(shifted * math.pi / 2) ** 2 / math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    ).clamp(1e-5, 1.0)


def _embedding(time: Tensor) -> Tensor:
    """(N,) -> (N,64): sines and cosines of the time."""
    rates = torch.exp(torch.linspace(0, math.log(1000.0), _EMBEDDING // 2, device=time.device))
    angles = time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
