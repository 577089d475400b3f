"""Co-occurrences along rows and columns, of blocks.co_occurrences, for a batch of regions.

Letters: N regions, T bands of R rows and W columns, M the margin beyond them (symbols).
"""

from functools import lru_cache

import torch

from worker.extractor.blocks.co_occurrences import LIMITS_CHROMA, LIMITS_Y, STEPS
from worker.extractor.blocks.residual_symbols import CODES, FARTHEST, LEVELS
from worker.extractor.on_device.planes import MARGIN
from worker.extractor.on_device.symbols import count_triples, scales, to_symbols

_REACH = 2 * FARTHEST  # pixels from the first of three symbols to the last
_STEPS = len(STEPS)


def co_occurrences(bands: torch.Tensor) -> torch.Tensor:
    """Counts (N, 3, steps, 3, 63) of bands (N, 3, T, R + M, W + M) of whole Y, Cb, Cr.

    Of first differences, second differences and corners, both ways together.
    """
    count, channels, parts, height, width = bands.shape
    rows, columns = height - MARGIN, width - MARGIN
    beside, below = columns + _REACH, rows + _REACH
    edge = _edge_scale(bands.device)  # (1, 3, steps, 2, 1, 1, 1)
    across = bands.new_empty((count, channels, _STEPS, 2, parts, rows, beside))
    down = bands.new_empty((count, channels, _STEPS, 2, parts, below, columns))
    corners = bands.new_empty((count, channels, _STEPS, parts, below, beside))
    for k, step in enumerate(STEPS):
        _differences(bands, 0, step, across[:, :, k])
        _differences(bands, step, 0, down[:, :, k])
        _corners(bands, step, corners[:, :, k])
    to_symbols(across, edge)
    to_symbols(down, edge)
    to_symbols(corners, edge[:, :, :, 1])
    codes = bands.new_empty((count, channels, _STEPS, 6, parts, rows, columns))
    for k, step in enumerate(STEPS):
        own = codes[:, :, k]
        _triples(across[:, :, k], 0, step, own[:, :, 0:2])
        _triples(corners[:, :, k], 0, step, own[:, :, 2])
        _triples(down[:, :, k], step, 0, own[:, :, 3:5])
        _triples(corners[:, :, k], step, 0, own[:, :, 5])
    del across, down, corners  # with them a card would hold a sixth more at its fullest
    counts = count_triples(codes.view(-1, parts * rows * columns))
    return counts.view(count, channels, _STEPS, 2, 3, CODES).sum(dim=3)


def _differences(bands: torch.Tensor, down: int, across: int, out: torch.Tensor) -> None:
    """First and second differences of neighbours so far apart, to (N, 3, 2, T, rows, columns)."""
    rows, columns = out.shape[-2:]
    first, second, third = (
        bands[..., k * down : k * down + rows, k * across : k * across + columns] for k in range(3)
    )
    torch.sub(second, first, out=out[:, :, 0])
    torch.add(first, third, out=out[:, :, 1])
    out[:, :, 1].sub_(second, alpha=2)


def _corners(bands: torch.Tensor, step: int, out: torch.Tensor) -> None:
    """One diagonal of a square less the other, to (N, 3, T, rows, columns)."""
    rows, columns = out.shape[-2:]
    here, beside, below, opposite = (
        bands[..., y : y + rows, x : x + columns] for y in (0, step) for x in (0, step)
    )
    torch.add(here, opposite, out=out)
    out.sub_(beside).sub_(below)


def _triples(symbols: torch.Tensor, down: int, across: int, out: torch.Tensor) -> None:
    """Codes of three symbols so far apart, to (..., rows, columns)."""
    rows, columns = out.shape[-2:]
    first, second, third = (
        symbols[..., k * down : k * down + rows, k * across : k * across + columns]
        for k in range(3)
    )
    torch.add(second, first, alpha=LEVELS, out=out)
    torch.add(third, out, alpha=LEVELS, out=out)


@lru_cache(maxsize=8)
def _edge_scale(device: torch.device) -> torch.Tensor:
    """(1, 3, steps, 2, 1, 1, 1): by channel and step, of first differences and of the others."""
    limits = [
        (int(near), int(far))
        for channel in (LIMITS_Y, LIMITS_CHROMA, LIMITS_CHROMA)
        for near, far in channel.reshape(-1, 2)
    ]
    return scales(limits, device).view(1, 3, _STEPS, 2, 1, 1, 1)
