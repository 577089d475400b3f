"""Joint counts of the residuals of R, G and B at one place, of blocks.colour, for a batch.

Letters: N regions, T bands of R rows and W columns, M the margin beyond them (symbols).
"""

from functools import lru_cache

import torch

from worker.extractor.blocks.colour import LIMITS, RESIDUALS, STEPS
from worker.extractor.blocks.residual_symbols import CODES, CORNERS, FIRST, LEVELS, SECOND
from worker.extractor.on_device.planes import MARGIN
from worker.extractor.on_device.symbols import count_triples, scales, to_symbols

_KINDS = len(RESIDUALS)


def colours(bands: torch.Tensor) -> torch.Tensor:
    """Counts (N, steps, 6, 63) of bands (N, 3, T, R + M, W + M) of R, G, B."""
    count, channels, parts, height, width = bands.shape
    rows, columns = height - MARGIN, width - MARGIN
    residuals = bands.new_empty((count, len(STEPS), _KINDS, channels, parts, rows, columns))
    for k, step in enumerate(STEPS):
        for number, (kind, down, across, _) in enumerate(RESIDUALS):
            _fill(bands, kind, down * step, across * step, residuals[:, k, number])
    to_symbols(residuals, _scale(bands.device))
    red, green, blue = residuals.unbind(dim=3)
    codes = torch.add(green, red, alpha=LEVELS)  # (N, steps, 6, T, R, W)
    torch.add(blue, codes, alpha=LEVELS, out=codes)
    counts = count_triples(codes.view(-1, parts * rows * columns))
    return counts.view(count, len(STEPS), _KINDS, CODES)


def _fill(bands: torch.Tensor, kind: int, down: int, across: int, out: torch.Tensor) -> None:
    """A residual as residual_symbols has it, to (N, 3, T, R, W)."""
    rows, columns = out.shape[-2:]

    def at(y: int, x: int) -> torch.Tensor:
        return bands[..., y * down : y * down + rows, x * across : x * across + columns]

    if kind == FIRST:
        torch.sub(at(1, 1), at(0, 0), out=out)
    elif kind == SECOND:
        torch.add(at(0, 0), at(2, 2), out=out)
        out.sub_(at(1, 1), alpha=2)
    elif kind == CORNERS:
        torch.add(at(0, 0), at(1, 1), out=out)
        out.sub_(at(0, 1)).sub_(at(1, 0))
    else:  # the square: its corners once, its edges twice, its middle four times
        torch.add(at(0, 0), at(0, 2), out=out)
        out.add_(at(2, 0)).add_(at(2, 2)).add_(at(1, 1), alpha=4)
        out.sub_(at(0, 1), alpha=2).sub_(at(1, 0), alpha=2)
        out.sub_(at(1, 2), alpha=2).sub_(at(2, 1), alpha=2)
        out.neg_()


@lru_cache(maxsize=8)
def _scale(device: torch.device) -> torch.Tensor:
    """(1, steps, 6, 1, 1, 1, 1): by step and residual."""
    limits = [
        (int(LIMITS[step, which, 0]), int(LIMITS[step, which, 1]))
        for step in range(len(STEPS))
        for _, _, _, which in RESIDUALS
    ]
    return scales(limits, device).view(1, len(STEPS), _KINDS, 1, 1, 1, 1)
