"""A small normalising flow: an invertible network, trained by exact likelihood, run backwards.

Kingma and Dhariwal 2018 (Glow), arXiv 1807.03039: pixels of 2x2 squares become channels; each step
scales channels, mixes them by an invertible matrix and shifts and scales one half by a network of
the other; after each level one half of the channels is noise and goes no further.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

STEPS = (6, 6, 4, 4)
"""Of each level, from half the side down to a sixteenth of it."""

WIDTHS = (32, 32, 48, 40)
"""Channels of the networks of each level; together they have half a million weights."""

LEVELS = len(STEPS)
TEMPERATURE = 0.7
"""Of the noise that pictures are drawn from; at 1 small flows draw speckle."""


class Flow(nn.Module):
    """Draws pictures of `side` pixels, a multiple of 16."""

    def __init__(self, side: int = 64, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.side = side
        self.levels = nn.ModuleList()
        channels = 3
        for level, (steps, width) in enumerate(zip(STEPS, widths, strict=True)):
            channels *= 4
            self.levels.append(nn.ModuleList(Step(channels, width) for _ in range(steps)))
            channels //= 2 if level + 1 < LEVELS else 1
        # The coarsest noise has a mean and a deviation at each place: aligned faces have a middle.
        coarsest = (1, channels, side >> LEVELS, side >> LEVELS)
        self.mean = nn.Parameter(torch.zeros(coarsest))
        self.deviation = nn.Parameter(torch.zeros(coarsest))  # its logarithm

    def encode(self, pictures: Tensor) -> tuple[list[Tensor], Tensor]:
        """(N,3,R,R) -> noise of each level, and the logarithm of the volume's change (N,)."""
        volume = torch.zeros(len(pictures), device=pictures.device)
        noise, maps = [], pictures
        for level, steps in enumerate(self.levels):
            maps = functional.pixel_unshuffle(maps, 2)
            for step in steps:  # type: ignore[attr-defined]
                maps, change = step(maps)
                volume = volume + change
            if level + 1 < LEVELS:
                maps, finished = maps.chunk(2, 1)
                noise.append(finished)
        coarsest = (maps - self.mean) * (-self.deviation).exp()
        return [*noise, coarsest], volume - self.deviation.sum()

    def decode(self, noise: list[Tensor]) -> Tensor:
        """The reverse of `encode`."""
        maps = noise[-1] * self.deviation.exp() + self.mean
        for level in range(LEVELS - 1, -1, -1):
            if level + 1 < LEVELS:
                maps = torch.cat([maps, noise[level]], 1)
            for step in list(self.levels[level])[::-1]:  # type: ignore[call-overload]
                maps = step.back(maps)
            maps = functional.pixel_shuffle(maps, 2)
        return maps

    def loss(self, pictures: Tensor, random: torch.Generator) -> Tensor:
        """Bits for a value of the picture, of which it has 256 levels."""
        spread = torch.rand(pictures.shape, generator=random).to(pictures.device) * 2 / 256
        noise, volume = self.encode(pictures + spread)
        density = sum(
            (-0.5 * (part.square() + math.log(2 * math.pi))).sum((1, 2, 3)) for part in noise
        )
        values = pictures[0].numel()
        return ((math.log(128.0) - (density + volume) / values) / math.log(2)).mean()

    @torch.no_grad()
    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """`count` pictures (count,3,R,R), about in [-1,1]."""
        device = next(self.parameters()).device
        shapes, channels, side = [], 3, self.side
        for level in range(LEVELS):
            channels, side = 4 * channels, side // 2
            channels //= 2 if level + 1 < LEVELS else 1
            shapes.append((count, channels, side, side))
        noise = [TEMPERATURE * torch.randn(shape, generator=random) for shape in shapes]
        return self.decode([part.to(device) for part in noise])


class Step(nn.Module):
    """Scale, mix, couple; `back` undoes it."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.mixing = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels))[0])
        last = nn.Conv2d(width, channels, 3, 1, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.network = nn.Sequential(
            nn.Conv2d(channels // 2, width, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
            last,
        )

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(N,C,h,w) -> (N,C,h,w) and the logarithm of the volume's change (N,)."""
        places = maps.shape[2] * maps.shape[3]
        maps = (maps + self.shift) * self.scale.exp()
        maps = _mixed(maps, self.mixing)
        same, other = maps.chunk(2, 1)
        grow, move = self._coupling(same)
        change = places * (self.scale.sum() + torch.linalg.slogdet(self.mixing)[1])
        out = torch.cat([same, other * grow.exp() + move], 1)
        return out, grow.sum((1, 2, 3)) + change

    def back(self, maps: Tensor) -> Tensor:
        """The reverse of `forward`."""
        same, other = maps.chunk(2, 1)
        grow, move = self._coupling(same)
        maps = torch.cat([same, (other - move) * (-grow).exp()], 1)
        maps = _mixed(maps, torch.linalg.inv(self.mixing))
        return maps * (-self.scale).exp() - self.shift

    def _coupling(self, same: Tensor) -> tuple[Tensor, Tensor]:
        grow, move = self.network(same).to(same).chunk(2, 1)
        return 1.5 * torch.tanh(grow / 1.5), move


def _mixed(maps: Tensor, mixing: Tensor) -> Tensor:
    """Each place's channels (N,C,h,w) by a matrix (C,C).

    Never in bfloat16, which has fewer steps than the picture: only the networks may be in it.
    """
    with torch.autocast(maps.device.type, enabled=False):
        return functional.conv2d(maps, mixing[:, :, None, None])
