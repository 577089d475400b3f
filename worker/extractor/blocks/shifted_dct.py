"""Statistics of 8x8 DCT coefficients on one grid, or on sixteen that are shifted: one kernel.

Letters for axes: H rows, W columns of a plane, G grids an axis, U and V the vertical and the
horizontal frequency (8 each), S the sums of a mode.

The horizontal transforms of a row are shared by all grids that read them, so that sixteen grids
cost about four times what four would with their own.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.block_transforms import (
    COSINES,
    lay_out,
    piece_size,
    piece_tables,
    place_of,
    transform_rows,
)
from worker.extractor.blocks.sixteen import (
    LIMITS,
    TWO_APART,
    WIDTH,
    added,
    counted,
    load,
    magnitude,
    no_sizes,
    same,
    size_of,
)

THRESHOLDS = LIMITS
"""Grey levels: 0.5, 1, 2, 4, 8, moved a hundredth away from where the coefficients of whole
numbers lie (multiples of 1/8 in the modes 0 and 4), so that rounding cannot decide."""
SUMS = 2 + len(THRESHOLDS)
"""Of each mode: the sum of |c|, the sum of c squared, the coefficients below each threshold."""
FLOOR = 0.02
"""Grey levels, added to means before their logarithm; rounding to bytes alone makes 0.2."""

_C1, _C2, _C3, _C4, _C5, _C6, _C7 = COSINES
_ZERO = np.float32(0)
_STEP = np.uint64(WIDTH)


Grids = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Counts (G, G) and sums (G, G, 8, 8, S), G grids down and G across."""


@njit(cache=True, nogil=True, inline="always")
def dct_sums(plane: NDArray[np.float32], step: int, modes: NDArray[np.bool_]) -> Grids:
    """Of a contiguous (H, W) plane.

    The grids begin at the multiples of `step` below 8 (G = 8 / step, rows first); only whole
    blocks are read. Of modes that `modes` (8, 8) leaves out the sums mean nothing, but on the first
    grid, the codec's own, where none is left out.
    """
    grids = 8 // step
    counts = np.zeros((grids, grids))
    sums = np.zeros((grids, grids, 8, 8, SUMS))
    _accumulate(plane, modes, counts, sums)
    return counts, sums


@njit(cache=True, nogil=True, inline="always")
def fold(grids: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, 4, ...) over offsets 0, 2, 4, 6 to (3, 3, ...): what a mirror exchanges is added.

    A mirrored picture has the offset 6 where the other had 2 and differs in signs alone.
    """
    rows = grids[:3].copy()
    rows[1] += grids[3]
    folded = rows[:, :3].copy()
    folded[:, 1] += rows[:, 3]
    return folded


@njit(cache=True, nogil=True, inline="always")
def in_modes(sums: NDArray[np.float64], modes: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Folded sums (3, 3, 8, 8, S) to those of M modes, flat: (9 * M * S,)."""
    chosen = np.empty((9, modes.sum(), SUMS))
    for phase in range(9):
        mode = 0
        for u in range(8):
            for v in range(8):
                if modes[u, v]:
                    chosen[phase, mode] = sums[phase // 3, phase % 3, u, v]
                    mode += 1
    return chosen.ravel()


@njit(cache=True, nogil=True)
def _accumulate(
    plane: NDArray[np.float32],
    modes: NDArray[np.bool_],
    counts: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    height, width = plane.shape
    step = 8 // len(counts)
    lanes, pitch, deep = piece_size(width)
    streams, rows, _ = piece_tables(width)
    own_grid = np.array([[6] * 8, [7] * 8])
    other_grids = np.full((2, 8), -1)  # even and odd vertical frequencies, by horizontal ones
    for u in range(8):
        for v in range(8):
            if modes[u, v]:
                other_grids[u % 2, v] = u
    for left in range(0, width - 7, 8 * lanes):
        for top in range(0, height - 7, 8 * deep):
            here = min(8 * deep + 8, height - top)
            lay_out(plane, top, here, left, lanes, streams)
            for grid_x in range(8 // step):
                across = min((width - left - grid_x * step) // 8, lanes)
                transform_rows(streams, here, grid_x * step, across, pitch, rows)
                for v in range(8):  # before the grids, so that what they read stays near
                    for grid_y in range(8 // step):
                        offset, own = grid_y * step, sums[grid_y, grid_x, :, v]
                        highest = own_grid if grid_y + grid_x == 0 else other_grids
                        down = min((height - top - offset) // 8, deep)
                        size, none = down * pitch, down * (pitch - across)
                        if v == 0:
                            counts[grid_y, grid_x] += down * across
                        if highest[0, v] >= 0:
                            _add_even(rows, v, offset, pitch, size, highest[0, v], none, own)
                        if highest[1, v] >= 0:
                            _add_odd(rows, v, offset, pitch, size, highest[1, v], none, own)


@njit(cache=True, nogil=True)
def _add_even(
    rows: NDArray[np.float32],
    v: int,
    offset: int,
    pitch: int,
    size: int,
    highest: int,
    none: int,
    sums: NDArray[np.float64],
) -> None:
    """Adds the even vertical frequencies up to `highest` of one horizontal one to sums (8, S).

    Of blocks that begin `offset` rows down, in `size` places, of which `none` hold no block and 0.
    The coefficients stay in registers.
    """
    k0, k1 = place_of(v, offset, pitch), place_of(v, offset + 1, pitch)
    k2, k3 = place_of(v, offset + 2, pitch), place_of(v, offset + 3, pitch)
    k4, k5 = place_of(v, offset + 4, pitch), place_of(v, offset + 5, pitch)
    k6, k7 = place_of(v, offset + 6, pitch), place_of(v, offset + 7, pitch)
    w2, w4, w6 = same(_C2), same(_C4), same(_C6)
    t0 = t2 = t4 = t6 = q0 = q2 = q4 = q6 = same(_ZERO)
    n0 = n2 = n4 = n6 = no_sizes()
    for i in range(np.uint64(0), np.uint64(size), _STEP):
        s0, s1 = load(rows, k0 + i) + load(rows, k7 + i), load(rows, k1 + i) + load(rows, k6 + i)
        s2, s3 = load(rows, k2 + i) + load(rows, k5 + i), load(rows, k3 + i) + load(rows, k4 + i)
        e0, e1, f0, f1 = s0 + s3, s1 + s2, s0 - s3, s1 - s2
        c = magnitude(w4 * (e0 + e1))
        t0, q0, n0 = t0 + c, q0 + c * c, n0 + size_of(c)
        if highest >= 2:
            c = magnitude(w2 * f0 + w6 * f1)
            t2, q2, n2 = t2 + c, q2 + c * c, n2 + size_of(c)
        if highest >= 4:
            c = magnitude(w4 * (e0 - e1))
            t4, q4, n4 = t4 + c, q4 + c * c, n4 + size_of(c)
        if highest >= 6:
            c = magnitude(w6 * f0 - w2 * f1)
            t6, q6, n6 = t6 + c, q6 + c * c, n6 + size_of(c)
    _note(t0, q0, n0, none, sums[0])
    _note(t2, q2, n2, none, sums[2])
    _note(t4, q4, n4, none, sums[4])
    _note(t6, q6, n6, none, sums[6])


@njit(cache=True, nogil=True)
def _add_odd(
    rows: NDArray[np.float32],
    v: int,
    offset: int,
    pitch: int,
    size: int,
    highest: int,
    none: int,
    sums: NDArray[np.float64],
) -> None:
    """As `_add_even`, the odd ones."""
    k0, k1 = place_of(v, offset, pitch), place_of(v, offset + 1, pitch)
    k2, k3 = place_of(v, offset + 2, pitch), place_of(v, offset + 3, pitch)
    k4, k5 = place_of(v, offset + 4, pitch), place_of(v, offset + 5, pitch)
    k6, k7 = place_of(v, offset + 6, pitch), place_of(v, offset + 7, pitch)
    w1, w3, w5, w7 = same(_C1), same(_C3), same(_C5), same(_C7)
    t1 = t3 = t5 = t7 = q1 = q3 = q5 = q7 = same(_ZERO)
    n1 = n3 = n5 = n7 = no_sizes()
    for i in range(np.uint64(0), np.uint64(size), _STEP):
        d0, d1 = load(rows, k0 + i) - load(rows, k7 + i), load(rows, k1 + i) - load(rows, k6 + i)
        d2, d3 = load(rows, k2 + i) - load(rows, k5 + i), load(rows, k3 + i) - load(rows, k4 + i)
        c = magnitude(w1 * d0 + w3 * d1 + w5 * d2 + w7 * d3)
        t1, q1, n1 = t1 + c, q1 + c * c, n1 + size_of(c)
        if highest >= 3:
            c = magnitude(w3 * d0 - w7 * d1 - w1 * d2 - w5 * d3)
            t3, q3, n3 = t3 + c, q3 + c * c, n3 + size_of(c)
        if highest >= 5:
            c = magnitude(w5 * d0 - w1 * d1 + w7 * d2 + w3 * d3)
            t5, q5, n5 = t5 + c, q5 + c * c, n5 + size_of(c)
        if highest >= 7:
            c = magnitude(w7 * d0 - w5 * d1 + w3 * d2 - w1 * d3)
            t7, q7, n7 = t7 + c, q7 + c * c, n7 + size_of(c)
    _note(t1, q1, n1, none, sums[1])
    _note(t3, q3, n3, none, sums[3])
    _note(t5, q5, n5, none, sums[5])
    _note(t7, q7, n7, none, sums[7])


@njit(nogil=True)
def _note(total: Any, square: Any, sizes: Any, none: int, sums: NDArray[np.float64]) -> None:
    """Adds the lanes of one mode to its sums (S,); `none` were counted that are no blocks."""
    sums[0] += added(total)
    sums[1] += added(square)
    first, second, last = counted(sizes, 0), counted(sizes, 1), counted(sizes, 4)
    below = first % TWO_APART - none
    sums[2] += below
    below += second % TWO_APART
    sums[3] += below
    below += first // TWO_APART
    sums[4] += below
    below += second // TWO_APART
    sums[5] += below
    sums[6] += below + last
