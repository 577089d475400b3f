"""Statistics of 8x8 DCT coefficients on one grid, or on sixteen that are shifted: one kernel.

Letters for axes: H rows, W columns of a plane, G grids an axis, U and V the vertical and the
horizontal frequency (8 each), S the sums of a mode.

The horizontal transforms of a row are shared by all grids that read them, so that sixteen grids
cost about four times what four would with their own.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.block_transforms import (
    APART,
    NEAR,
    TABLE,
    lay_out,
    piece_size,
    piece_tables,
    transform_columns,
    transform_rows,
)

THRESHOLDS = (0.505, 1.01, 2.02, 4.04, 8.08)
"""Grey levels: 0.5, 1, 2, 4, 8, moved a hundredth away from where the coefficients of whole
numbers lie (multiples of 1/8 in the modes 0 and 4), so that rounding cannot decide."""
SUMS = 2 + len(THRESHOLDS)
"""Of each mode: the sum of |c|, the sum of c squared, the coefficients below each threshold."""
FLOOR = 0.02
"""Grey levels, added to means before their logarithm; rounding to bytes alone makes 0.2."""

_T = tuple(np.float32(t) for t in THRESHOLDS)
_ONE = np.float32(1)
_ZERO = np.float32(0)


def dct_sums(
    plane: NDArray[np.float32], step: int, modes: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts (G, G) and sums (G, G, 8, 8, S) of a contiguous (H, W) plane.

    The grids begin at the multiples of `step` below 8 (G = 8 / step, rows first); only whole
    blocks are read. Modes that `modes` (8, 8) leaves out keep the sum 0.
    """
    grids = 8 // step
    counts = np.zeros((grids, grids))
    sums = np.zeros((grids, grids, 8, 8, SUMS))
    _accumulate(plane, step, modes, counts, sums)
    return counts, sums


def fold(grids: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, 4, ...) over offsets 0, 2, 4, 6 to (3, 3, ...): what a mirror exchanges is added.

    A mirrored picture has the offset 6 where the other had 2 and differs in signs alone.
    """
    rows = np.stack([grids[0], grids[1] + grids[3], grids[2]])
    return np.stack([rows[:, 0], rows[:, 1] + rows[:, 3], rows[:, 2]], axis=1)


@njit(cache=True, nogil=True, fastmath=NEAR)
def _accumulate(
    plane: NDArray[np.float32],
    step: int,
    modes: NDArray[np.bool_],
    counts: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    height, width = plane.shape
    lanes, deep = piece_size(width)
    streams, rows, coefficients = piece_tables(width)
    wanted = [v for v in range(8) if modes[:, v].any()]
    for left in range(0, width - 7, 8 * lanes):
        for top in range(0, height - 7, 8 * deep):
            here = min(8 * deep + 8, height - top)
            lay_out(plane, top, here, left, lanes, streams)
            for grid_x in range(8 // step):
                across = min((width - left - grid_x * step) // 8, lanes)
                transform_rows(streams, here, grid_x * step, lanes, rows)
                for grid_y in range(8 // step):
                    offset = grid_y * step
                    down = min((height - top - offset) // 8, deep)
                    counts[grid_y, grid_x] += down * across
                    for v in wanted:
                        first = v * TABLE + offset * lanes
                        transform_columns(rows, first, lanes, down, across, coefficients)
                        _add(coefficients, down * across, modes, v, sums, grid_y, grid_x)


@njit(cache=True, nogil=True, fastmath=True)
def _add(
    coefficients: NDArray[np.float32],
    size: int,
    modes: NDArray[np.bool_],
    v: int,
    sums: NDArray[np.float64],
    grid_y: int,
    grid_x: int,
) -> None:
    """Adds `size` coefficients of each wanted (u, v) to the sums (G, G, 8, 8, S) of a grid."""
    for u in range(8):
        if not modes[u, v]:
            continue
        first = np.uint64(u * APART)
        total, square = _ZERO, _ZERO
        n0, n1, n2, n3, n4 = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
        for i in range(np.uint64(size)):
            c = abs(coefficients[first + i])
            total += c
            square += c * c
            n0 += _ONE if c < _T[0] else _ZERO
            n1 += _ONE if c < _T[1] else _ZERO
            n2 += _ONE if c < _T[2] else _ZERO
            n3 += _ONE if c < _T[3] else _ZERO
            n4 += _ONE if c < _T[4] else _ZERO
        sums[grid_y, grid_x, u, v, 0] += total
        sums[grid_y, grid_x, u, v, 1] += square
        sums[grid_y, grid_x, u, v, 2] += n0
        sums[grid_y, grid_x, u, v, 3] += n1
        sums[grid_y, grid_x, u, v, 4] += n2
        sums[grid_y, grid_x, u, v, 5] += n3
        sums[grid_y, grid_x, u, v, 6] += n4
