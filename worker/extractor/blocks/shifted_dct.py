"""Statistics of 8x8 DCT coefficients on one grid, or on sixteen that are shifted: one kernel.

Letters for axes: H rows, W columns of a plane, G grids an axis, U and V the vertical and the
horizontal frequency (8 each), S the sums of a mode.

The horizontal transforms of a row are shared by all grids that read them, so that sixteen grids
cost about four times what four would with their own.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

THRESHOLDS = (0.505, 1.01, 2.02, 4.04, 8.08)
"""Grey levels: 0.5, 1, 2, 4, 8, moved a hundredth away from where the coefficients of whole
numbers lie (multiples of 1/8 in the modes 0 and 4), so that rounding cannot decide."""
SUMS = 2 + len(THRESHOLDS)
"""Of each mode: the sum of |c|, the sum of c squared, the coefficients below each threshold."""
FLOOR = 0.02
"""Grey levels, added to means before their logarithm; rounding to bytes alone makes 0.2."""

_BAND = 64  # blocks side by side that are transformed together, so that all stays in the caches
_PITCH = _BAND + 1  # and the pixels of one more, where the shifted grids' last blocks end
_CHUNK = 512  # coefficients of a mode summed in float32 at once; eight modes fit the first cache
_T = tuple(np.float32(t) for t in THRESHOLDS)
# Multiply and add at once, but never in another order: a flat picture stays exactly 0.
_NEAR = {"contract"}
_ONE = np.float32(1)
_ZERO = np.float32(0)
# Orthonormal DCT-II of eight numbers: _C[k] = cos(k pi / 16) / 2, as JPEG's.
_C1, _C2, _C3, _C4, _C5, _C6, _C7 = (np.float32(np.cos(k * np.pi / 16) / 2) for k in range(1, 8))


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


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _accumulate(
    plane: NDArray[np.float32],
    step: int,
    modes: NDArray[np.bool_],
    counts: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    height, width = plane.shape
    # Where a band is narrower than the pitch, what was never written is transformed and not read.
    streams = np.empty((8, height * _PITCH + 1), dtype=np.float32)
    rows = np.empty(height * _PITCH, dtype=np.float32)
    coefficients = np.empty(8 * _CHUNK, dtype=np.float32)
    for left in range(0, width, 8 * _BAND):
        _lay_out(plane, left, streams)
        for grid_x in range(8 // step):
            across = min((width - left - grid_x * step) // 8, _BAND)
            for grid_y in range(8 // step):
                counts[grid_y, grid_x] += (height - grid_y * step) // 8 * across
            for v in range(8):
                if not modes[:, v].any():
                    continue
                _transform_rows(streams, grid_x * step, v, rows)
                for grid_y in range(8 // step):
                    into = sums[grid_y, grid_x, :, v]
                    offset = grid_y * step
                    filled = 0
                    for block_row in range((height - offset) // 8):
                        start = (8 * block_row + offset) * _PITCH
                        _transform_columns(rows[start:], coefficients[filled:], across)
                        filled += across
                        if filled + across > _CHUNK:
                            _add(coefficients, filled, modes[:, v], into)
                            filled = 0
                    _add(coefficients, filled, modes[:, v], into)


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _lay_out(plane: NDArray[np.float32], left: int, streams: NDArray[np.float32]) -> None:
    """Columns of a band apart: (row, left + 8 i + j) goes to [j, row * _PITCH + i].

    So the eight neighbours that one transform reads are eight streams without gaps.
    """
    height, width = plane.shape
    for row in range(height):
        for j in range(8):
            for i in range(min((width - left - j + 7) // 8, _PITCH)):
                streams[j, row * _PITCH + i] = plane[row, left + 8 * i + j]


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _transform_rows(
    streams: NDArray[np.float32], offset: int, v: int, rows: NDArray[np.float32]
) -> None:
    """Frequency v of all blocks that begin `offset` columns after a multiple of 8.

    The last block of a row may read into the next row; nobody reads its result.
    """
    a0 = np.float32(np.cos(v * np.pi / 16) * (0.5 if v else np.sqrt(0.125)))
    a1 = np.float32(np.cos(3 * v * np.pi / 16) / 2)
    a2 = np.float32(np.cos(5 * v * np.pi / 16) / 2)
    a3 = np.float32(np.cos(7 * v * np.pi / 16) / 2)
    size = rows.size
    x0 = streams[offset % 8, offset // 8 :]
    x1 = streams[(offset + 1) % 8, (offset + 1) // 8 :]
    x2 = streams[(offset + 2) % 8, (offset + 2) // 8 :]
    x3 = streams[(offset + 3) % 8, (offset + 3) // 8 :]
    x4 = streams[(offset + 4) % 8, (offset + 4) // 8 :]
    x5 = streams[(offset + 5) % 8, (offset + 5) // 8 :]
    x6 = streams[(offset + 6) % 8, (offset + 6) // 8 :]
    x7 = streams[(offset + 7) % 8, (offset + 7) // 8 :]
    if v == 0:
        for i in range(size):
            outer = (x0[i] + x7[i]) + (x3[i] + x4[i])
            rows[i] = a0 * (outer + ((x1[i] + x6[i]) + (x2[i] + x5[i])))
    elif v == 4:
        for i in range(size):
            outer = (x0[i] + x7[i]) + (x3[i] + x4[i])
            rows[i] = a0 * (outer - ((x1[i] + x6[i]) + (x2[i] + x5[i])))
    elif v % 2 == 0:
        for i in range(size):
            outer = (x0[i] + x7[i]) - (x3[i] + x4[i])
            rows[i] = a0 * outer + a1 * ((x1[i] + x6[i]) - (x2[i] + x5[i]))
    else:
        for i in range(size):
            outer = a0 * (x0[i] - x7[i]) + a1 * (x1[i] - x6[i])
            rows[i] = outer + a2 * (x2[i] - x5[i]) + a3 * (x3[i] - x4[i])


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _transform_columns(
    x: NDArray[np.float32], coefficients: NDArray[np.float32], size: int
) -> None:
    """The eight vertical frequencies of `size` neighbouring blocks, each at its `_CHUNK`.

    Both arrays begin where the first block does: an index that numba cannot see to be positive
    would keep the loop from being vectorised.
    """
    for i in range(size):
        x0, x7 = x[i], x[i + 7 * _PITCH]
        x1, x6 = x[i + _PITCH], x[i + 6 * _PITCH]
        x2, x5 = x[i + 2 * _PITCH], x[i + 5 * _PITCH]
        x3, x4 = x[i + 3 * _PITCH], x[i + 4 * _PITCH]
        s0, s1, s2, s3 = x0 + x7, x1 + x6, x2 + x5, x3 + x4
        d0, d1, d2, d3 = x0 - x7, x1 - x6, x2 - x5, x3 - x4
        e0, e1, f0, f1 = s0 + s3, s1 + s2, s0 - s3, s1 - s2
        coefficients[i] = _C4 * (e0 + e1)
        coefficients[i + _CHUNK] = _C1 * d0 + _C3 * d1 + _C5 * d2 + _C7 * d3
        coefficients[i + 2 * _CHUNK] = _C2 * f0 + _C6 * f1
        coefficients[i + 3 * _CHUNK] = _C3 * d0 - _C7 * d1 - _C1 * d2 - _C5 * d3
        coefficients[i + 4 * _CHUNK] = _C4 * (e0 - e1)
        coefficients[i + 5 * _CHUNK] = _C5 * d0 - _C1 * d1 + _C7 * d2 + _C3 * d3
        coefficients[i + 6 * _CHUNK] = _C6 * f0 - _C2 * f1
        coefficients[i + 7 * _CHUNK] = _C7 * d0 - _C5 * d1 + _C3 * d2 - _C1 * d3


@njit(cache=True, nogil=True, fastmath=True)
def _add(
    coefficients: NDArray[np.float32],
    size: int,
    modes: NDArray[np.bool_],
    sums: NDArray[np.float64],
) -> None:
    """Adds `size` coefficients of each wanted u to sums (8, S)."""
    for u in range(8):
        if not modes[u]:
            continue
        values = coefficients[u * _CHUNK : u * _CHUNK + size]
        total, square = _ZERO, _ZERO
        n0, n1, n2, n3, n4 = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
        for i in range(size):
            c = abs(values[i])
            total += c
            square += c * c
            n0 += _ONE if c < _T[0] else _ZERO
            n1 += _ONE if c < _T[1] else _ZERO
            n2 += _ONE if c < _T[2] else _ZERO
            n3 += _ONE if c < _T[3] else _ZERO
            n4 += _ONE if c < _T[4] else _ZERO
        sums[u, 0] += total
        sums[u, 1] += square
        sums[u, 2] += n0
        sums[u, 3] += n1
        sums[u, 4] += n2
        sums[u, 5] += n3
        sums[u, 6] += n4
