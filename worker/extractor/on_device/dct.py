"""Sums over the DCT coefficients of 8x8 blocks on one grid, or on sixteen that are shifted.

Letters: P planes, G grids an axis, M modes, K sums of a mode, L blocks of a grid.

Each block less one of its pixels, which is exact, is multiplied by the cosines of all modes at
once. So a flat block gives exactly 0, and rounding grows with contrast, not with brightness.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

_PIXEL = 3  # row and column of the pixel that is taken off; in the middle it is near to most


def dct_sums(
    planes: torch.Tensor, step: int, modes: NDArray[np.bool_], thresholds: Sequence[float]
) -> torch.Tensor:
    """Sums (P, G, G, M, K) float32 of planes (P, H + 8, W + 8), NaN beyond their pixels.

    Of each of the M modes of `modes` (8, 8), row by row: the sum of |c|, the sum of c squared, and
    how many coefficients lie below each threshold. Grids begin at the multiples of `step` below 8,
    rows first; blocks that are not wholly there are left out. H and W are multiples of 8.
    """
    grids, reached = 8 // step, 16 - step
    down, across = planes.shape[1] // 8 - 1, planes.shape[2] // 8 - 1
    view = planes.unfold(1, reached, 8)[:, :down].unfold(2, reached, 8)[:, :, :across]
    view = view.unfold(3, 8, step).unfold(4, 8, step)  # (P, down, across, G, G, 8, 8)
    view = view.permute(0, 3, 4, 1, 2, 5, 6)
    taken = view[..., _PIXEL : _PIXEL + 1, _PIXEL : _PIXEL + 1]
    blocks = torch.empty(view.shape, device=planes.device)
    torch.sub(view, taken, out=blocks)
    blocks = blocks.view(-1, down * across, 64)  # (P G G, L, 64)
    cosines = _cosines(modes.tobytes(), planes.device)  # (M, 64)
    coefficients = torch.matmul(cosines, blocks.transpose(1, 2))  # (P G G, M, L)
    if modes[0, 0]:
        coefficients[:, 0] += 8 * taken.reshape(-1, down * across)
    sums = _sums(coefficients.abs_(), thresholds)  # (P G G, M, K)
    return sums.view(len(planes), grids, grids, *sums.shape[1:])


def block_counts(sizes: torch.Tensor, step: int) -> torch.Tensor:
    """Whole blocks (N, G, G) of regions with these heights and widths, int (N, 2)."""
    offsets = torch.arange(0, 8, step, device=sizes.device)
    whole = ((sizes[:, :, None] - offsets) // 8).clamp_(min=0)  # (N, 2, G)
    return whole[:, 0, :, None] * whole[:, 1, None, :]


def fold(grids: torch.Tensor) -> torch.Tensor:
    """(N, 4, 4, ...) to (N, 3, 3, ...): what a mirror exchanges is added, as in shifted_dct."""
    rows = torch.stack([grids[:, 0], grids[:, 1] + grids[:, 3], grids[:, 2]], dim=1)
    return torch.stack([rows[:, :, 0], rows[:, :, 1] + rows[:, :, 3], rows[:, :, 2]], dim=2)


def halved(planes: torch.Tensor) -> torch.Tensor:
    """(P, H, W) to (P, H / 2, W / 2): means of 2x2 pixels, added in the order of chroma_phase."""
    above = planes[:, ::2, ::2] + planes[:, ::2, 1::2]
    below = planes[:, 1::2, ::2] + planes[:, 1::2, 1::2]
    return (above + below) * 0.25


def _sums(sizes: torch.Tensor, thresholds: Sequence[float]) -> torch.Tensor:
    """Of |c| (A, M, L), which is overwritten: (A, M, K); a comparison with NaN is false."""
    below = [(sizes < threshold).sum(dim=-1) for threshold in thresholds]
    total = sizes.nansum(dim=-1)
    return torch.stack([total, sizes.square_().nansum(dim=-1), *below], dim=-1)


@lru_cache(maxsize=8)
def _cosines(modes: bytes, device: torch.device) -> torch.Tensor:
    """(M, 64): the two-dimensional cosines of the modes that bool (8, 8) has, row by row."""
    k, x = np.mgrid[:8, :8]
    waves = np.cos((2 * x + 1) * k * np.pi / 16) / 2
    waves[0] /= np.sqrt(2)
    products = np.einsum("ui,vj->uvij", waves, waves).reshape(64, 64)
    chosen = np.frombuffer(modes, np.bool_).reshape(64)
    return torch.from_numpy(products[chosen].astype(np.float32)).to(device)
