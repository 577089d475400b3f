"""A tiny diffusion model: a U-Net learns to tell noise from picture, and draws by taking it away.

Ho, Jain, Abbeel 2020, arXiv 2006.11239, with the cosine schedule of Nichol and Dhariwal 2021 (arXiv
2102.09672) and the deterministic sampler of Song, Meng, Ermon 2020 (arXiv 2010.02502).
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

STEPS = 50
"""Evaluations of the network for one picture."""

_EMBEDDING = 64


class Ddpm(nn.Module):
    """Draws pictures of `side` pixels, a multiple of 8; `width` channels at full size."""

    def __init__(self, side: int = 64, width: int = 32) -> None:
        super().__init__()
        self.side = side
        widths = [width, 2 * width, 4 * width, 4 * width]
        self.entrance = nn.Conv2d(3, width, 3, 1, 1)
        self.down = nn.ModuleList(
            Timed(before, after)
            for before, after in zip([width, *widths[:-1]], widths, strict=True)
        )
        self.middle = Timed(widths[-1], widths[-1])
        self.up = nn.ModuleList(
            Timed(2 * after, before)
            for before, after in zip([width, *widths[:-1]], widths, strict=True)
        )
        self.exit = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, 3, 3, 1, 1))

    def forward(self, noisy: Tensor, time: Tensor) -> Tensor:
        """(N,3,R,R) and times (N,) in [0,1] -> the noise in them, (N,3,R,R)."""
        embedding = _embedding(time)
        maps, kept = self.entrance(noisy), []
        for level, block in enumerate(self.down):
            maps = block(maps if level == 0 else functional.avg_pool2d(maps, 2), embedding)
            kept.append(maps)
        maps = self.middle(maps, embedding)
        for level in range(len(self.up) - 1, -1, -1):
            maps = self.up[level](torch.cat([maps, kept[level]], 1), embedding)
            if level:
                maps = functional.interpolate(maps, scale_factor=2.0)
        noise: Tensor = self.exit(maps)
        return noise

    def loss(self, pictures: Tensor, random: torch.Generator) -> Tensor:
        """Mean squared error of the noise at times spread evenly over the batch."""
        count, device = len(pictures), pictures.device
        time = (torch.rand(1, generator=random) + torch.arange(count) / count) % 1.0  # (N,)
        noise = torch.randn(pictures.shape, generator=random).to(device)
        share = signal(time).to(device).view(-1, 1, 1, 1)
        noisy = share.sqrt() * pictures + (1 - share).sqrt() * noise
        return functional.mse_loss(self(noisy, time.to(device)).float(), noise)

    @torch.no_grad()
    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """`count` pictures (count,3,R,R), about in [-1,1]."""
        device = next(self.parameters()).device
        pictures = torch.randn(count, 3, self.side, self.side, generator=random).to(device)
        times = torch.linspace(0.999, 0.0, STEPS + 1)
        for now, then in pairwise(times):
            share, following = signal(now), signal(then)
            noise = self(pictures, now.expand(count).to(device)).float()
            clean = ((pictures - (1 - share).sqrt() * noise) / share.sqrt()).clamp(-1, 1)
            noise = (pictures - share.sqrt() * clean) / (1 - share).sqrt()
            pictures = following.sqrt() * clean + (1 - following).sqrt() * noise
        return pictures


class Timed(nn.Module):
    """A residual block that knows how noisy the picture is."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(8, before), nn.SiLU(), nn.Conv2d(before, after, 3, 1, 1)
        )
        self.time = nn.Linear(_EMBEDDING, after)
        self.second = nn.Sequential(
            nn.GroupNorm(8, after), nn.SiLU(), nn.Conv2d(after, after, 3, 1, 1)
        )
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, maps: Tensor, embedding: Tensor) -> Tensor:
        hidden = self.first(maps) + self.time(embedding)[:, :, None, None]
        changed: Tensor = self.skip(maps) + self.second(hidden)
        return changed


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
