"""Differences of neighbours as five symbols, and joint counts of three, of a batch of regions.

Letters: N regions, R rows and W columns that are counted of a band, T bands of a region. Residuals
and symbols, 0 to 4, are whole numbers in float16, which up to 2,048 are exact in it; NaN where a
pixel is not there.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from worker.extractor.blocks.residual_symbols import BAND, BANDS, CODES, LEVELS
from worker.extractor.on_device.planes import MARGIN

_MOST = LEVELS - 1
_MIDDLE = _MOST / 2
_EVERY = BAND * len(BANDS)  # rows, after which bands are read in the same way
_TOPS = tuple(BAND * number for number, is_read in enumerate(BANDS) if is_read)
_BEYOND = LEVELS**3  # the row of the table for places where no three symbols are
_PIECE = 1024  # places that are counted at once, so that a region keeps many threads at work
_PACKED = 32  # numbers of a row of the table: as many as threads of a card work in step
_HIGH = 2048.0  # what the second of two counts in one number is counted by; above any piece's
_JUST_ABOVE = 1.02
"""A residual at a threshold is rounded upwards; the thresholds are whole numbers, so that this
moves none across another (test_symbols)."""


def in_bands(planes: torch.Tensor, *, thinned: bool) -> torch.Tensor:
    """(N, 3, H + M, W + M) to (N, 3, T, R + M, W + M): what is counted, and what that reaches.

    One band of all H rows; thinned, the first and the fourth of each eight bands of eight rows.
    """
    if not thinned:
        return planes.unsqueeze(2)
    parts = [planes[:, :, top:].unfold(2, BAND + MARGIN, _EVERY) for top in _TOPS]
    return torch.cat(parts, dim=2).transpose(3, 4).contiguous()


def scales(limits: Sequence[tuple[int, int]], device: torch.device) -> torch.Tensor:
    """What residuals are multiplied with, (len(limits),) float16, for thresholds (near, far)."""
    return torch.tensor([_JUST_ABOVE / (far - near) for near, far in limits]).to(
        device, torch.float16
    )


def to_symbols(residuals: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Residuals, which are overwritten, to symbols: rounded to multiples, at most two of them."""
    torch.addcmul(_middle(residuals.device), residuals, scale, out=residuals)
    return residuals.round_().clamp_(0, _MOST)


def count_triples(codes: torch.Tensor) -> torch.Tensor:
    """Of (A, places) float16 codes 25 a + 5 b + c, which are overwritten: counts (A, 63) float32.

    A code and its negative count as one; NaN counts nowhere. Each code's row of a table is added
    up, which has a number for two counts at once: both stay exact, and it takes half as long.
    """
    rows, places = codes.shape
    piece = next(size for size in (_PIECE, 512, 256, 128, 64) if places % size == 0)
    found = codes.nan_to_num_(nan=_BEYOND).to(torch.int32).view(-1, piece)
    packed = F.embedding_bag(found, _table(codes.device), mode="sum")  # (A places / piece, 32)
    high = torch.floor(packed / _HIGH)
    counts = torch.cat([packed - high * _HIGH, high], dim=1)  # (A places / piece, 64)
    return counts.view(rows, -1, 2 * _PACKED).sum(dim=1)[:, :CODES]


@lru_cache(maxsize=8)
def _table(device: torch.device) -> torch.Tensor:
    """(126, 32): what a code, or its negative, adds to its count; the last row adds nothing."""
    table: NDArray[np.float32] = np.zeros((_BEYOND + 1, _PACKED), np.float32)
    for code in range(_BEYOND):
        second, place = divmod(min(code, _BEYOND - 1 - code), _PACKED)
        table[code, place] = _HIGH if second else 1
    return torch.from_numpy(table).to(device)


@lru_cache(maxsize=8)
def _middle(device: torch.device) -> torch.Tensor:
    """() float16: the symbol of nothing."""
    return torch.tensor(_MIDDLE, dtype=torch.float16).to(device)
