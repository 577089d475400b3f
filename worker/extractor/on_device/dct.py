"""Sums over the DCT coefficients of 8x8 blocks on one grid, or on sixteen that are shifted.

Letters: N regions, C planes of each, G grids an axis, M modes, K sums of a mode, D blocks down and
A across, L of a grid together.

Each block less one of its pixels, which is exact, is multiplied by the cosines of all modes at
once. So a flat block gives exactly 0, and rounding grows with contrast, not with brightness. A
block that is not wholly its region's counts as a flat one, and is taken off the counts.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from worker.extractor.blocks.shifted_dct import THRESHOLDS

_UNIT = THRESHOLDS[0]  # grey levels
_FRACTION_BITS, _EXPONENT_OF_ONE = 23, 127  # of a float32
_PIXEL = 3  # row and column of the pixel that is taken off; in the middle it is near to most


def dct_sums(
    planes: torch.Tensor,
    sizes: torch.Tensor,
    step: int,
    modes: NDArray[np.bool_],
    below: Sequence[int],
) -> torch.Tensor:
    """Sums (N, C, G, G, M, K) float32 of planes (N, C, H + 8, W + 8), all of them finite.

    Of each of the M modes of `modes` (8, 8), row by row: the sum of |c|, the sum of c squared, and
    how many coefficients lie below `THRESHOLDS[k]` for each k of `below`. Grids begin at the
    multiples of `step` under 8, rows first; blocks that are not wholly there are left out. `sizes`
    (N, 2) are the regions' heights and widths; H and W are multiples of 8.
    """
    reached = 16 - step
    down, across = planes.shape[2] // 8 - 1, planes.shape[3] // 8 - 1
    view = planes.unfold(2, reached, 8)[:, :, :down].unfold(3, reached, 8)[:, :, :, :across]
    view = view.unfold(4, 8, step).unfold(5, 8, step)  # (N, C, D, A, G, G, 8, 8)
    view = view.permute(0, 1, 4, 5, 2, 3, 6, 7)
    there = _there(sizes, step, down, across).to(planes.dtype)[:, None, ..., None, None]
    taken = view[..., _PIXEL : _PIXEL + 1, _PIXEL : _PIXEL + 1] * there
    blocks = torch.empty(view.shape, device=planes.device)
    torch.addcmul(-taken, view, there, out=blocks)
    blocks = blocks.view(-1, down * across, 64)  # (N C G G, L, 64)
    cosines = _cosines(modes.tobytes(), planes.device)  # (M, 64)
    coefficients = torch.bmm(cosines.expand(len(blocks), -1, -1), blocks.transpose(1, 2))
    if modes[0, 0]:
        coefficients[:, 0] += 8 / _UNIT * taken.reshape(-1, down * across)
    sums = _sums(coefficients.abs_(), below).view(*view.shape[:4], len(cosines), -1)
    missing = down * across - block_counts(sizes, step)  # (N, G, G)
    sums[..., 2:] -= missing[:, None, ..., None, None]
    return sums


def block_counts(sizes: torch.Tensor, step: int) -> torch.Tensor:
    """Whole blocks (N, G, G) of regions with these heights and widths, int (N, 2)."""
    offsets = torch.arange(0, 8, step, device=sizes.device)
    whole = ((sizes[:, :, None] - offsets) // 8).clamp_(min=0)  # (N, 2, G)
    return whole[:, 0, :, None] * whole[:, 1, None, :]


def _there(sizes: torch.Tensor, step: int, down: int, across: int) -> torch.Tensor:
    """(N, G, G, D, A): which blocks are wholly of their region."""
    offsets = torch.arange(8, 16, step, device=sizes.device)[:, None]  # of ends, (G, 1)
    rows = offsets + 8 * torch.arange(down, device=sizes.device) <= sizes[:, :1, None]  # (N, G, D)
    columns = offsets + 8 * torch.arange(across, device=sizes.device) <= sizes[:, 1:, None]
    return rows[:, :, None, :, None] & columns[:, None, :, None]


def fold(grids: torch.Tensor) -> torch.Tensor:
    """(N, 4, 4, ...) to (N, 3, 3, ...): what a mirror exchanges is added, as in shifted_dct."""
    rows = torch.stack([grids[:, 0], grids[:, 1] + grids[:, 3], grids[:, 2]], dim=1)
    return torch.stack([rows[:, :, 0], rows[:, :, 1] + rows[:, :, 3], rows[:, :, 2]], dim=2)


def halved(planes: torch.Tensor) -> torch.Tensor:
    """(..., H, W) to (..., H / 2, W / 2): means of 2x2 pixels, added as in chroma_phase."""
    above = planes[..., ::2, ::2] + planes[..., ::2, 1::2]
    below = planes[..., 1::2, ::2] + planes[..., 1::2, 1::2]
    return (above + below) * 0.25


def _sums(sizes: torch.Tensor, below: Sequence[int]) -> torch.Tensor:
    """Of |c| (A, M, L) in units of the first threshold: (A, M, K).

    Each threshold is twice the one before, so that the exponent of a number says below which it is,
    in a byte. Mean and variance are found in one pass, and make both sums.
    """
    exponents = torch.empty(sizes.shape, dtype=torch.uint8, device=sizes.device)
    torch.bitwise_right_shift(sizes.view(torch.int32), _FRACTION_BITS, out=exponents)
    counts = [(exponents < _EXPONENT_OF_ONE + k).sum(dim=-1) for k in below]
    variance, mean = torch.var_mean(sizes, dim=-1, correction=0)
    unit = sizes.shape[-1] * _UNIT
    squares = unit * _UNIT * (variance + mean.square())
    return torch.stack([unit * mean, squares, *counts], dim=-1)


@lru_cache(maxsize=8)
def _cosines(modes: bytes, device: torch.device) -> torch.Tensor:
    """(M, 64): the cosines of the modes that bool (8, 8) has, row by row, for units of _UNIT."""
    k, x = np.mgrid[:8, :8]
    waves = np.cos((2 * x + 1) * k * np.pi / 16) / 2
    waves[0] /= np.sqrt(2)
    products = np.einsum("ui,vj->uvij", waves, waves).reshape(64, 64)
    chosen = np.frombuffer(modes, np.bool_).reshape(64)
    return torch.from_numpy((products[chosen] / _UNIT).astype(np.float32)).to(device)
