"""DCTs of many 8x8 blocks of a grid at once, side by side, in pieces that stay in the caches.

    for each piece: lay_out; for each grid: transform_rows; for each v: transform_columns

Letters: H rows, W columns of a plane, u and v the vertical and the horizontal frequency. A piece is
up to `LANES` blocks wide, and so many rows of blocks high that `CHUNK` blocks are transformed
together. Its tables are flat arrays, contiguous, which the caller keeps from piece to piece. In
them a row of blocks takes `pitch` places, a multiple of 16; where no block is, all frequencies are
exactly 0.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.sixteen import WIDTH

LANES = 64
"""Blocks side by side, at most."""
PITCH = LANES + 2
"""Places of a stream: a block more for what shifted grids reach, and one to be even."""
CHUNK = 512
"""Blocks of a piece, at most; their coefficients of eight modes fit the first cache."""
# Apart stand the tables by a little more, so that they do not share lines of the cache. These are
# constants so that the compiler sees that none is written over another.
APART = CHUNK + 16
"""Places of one vertical frequency in the coefficients."""
PHASE = CHUNK + LANES + 16
"""Places of every eighth row of one horizontal frequency."""
TABLE = 8 * PHASE + 16
"""Places of one horizontal frequency in the rows."""
# Multiply and add at once, but never in another order: a flat picture stays exactly 0.
NEAR = {"contract"}
# Orthonormal DCT-II of eight numbers: _C[k] = cos(k pi / 16) / 2, as JPEG's.
COSINES = tuple(np.float32(np.cos(k * np.pi / 16) / 2) for k in range(1, 8))
_C1, _C2, _C3, _C4, _C5, _C6, _C7 = COSINES
_ZERO = np.float32(0)


@njit(cache=True, nogil=True)
def piece_size(width: int) -> tuple[int, int, int]:
    """Blocks side by side, the places that they take, and rows of blocks, of a plane so wide."""
    lanes = min(LANES, width // 8)
    pitch = (lanes + WIDTH - 1) // WIDTH * WIDTH
    return lanes, pitch, CHUNK // pitch


@njit(cache=True, nogil=True)
def piece_tables(
    width: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Room for the streams, the rows and the coefficients of one piece.

    What was never written, where a piece is narrower, is transformed and not read.
    """
    _, _, deep = piece_size(width)
    return (
        np.empty((8 * deep + 8) * 8 * PITCH, dtype=np.float32),
        np.empty(8 * TABLE, dtype=np.float32),
        np.empty(8 * APART, dtype=np.float32),
    )


@njit(cache=True, nogil=True, fastmath=NEAR)
def lay_out(
    plane: NDArray[np.float32],
    top: int,
    rows: int,
    left: int,
    lanes: int,
    streams: NDArray[np.float32],
) -> None:
    """Columns of a piece apart: (row, left + 8 i + j) goes to (8 row + j) * PITCH + i.

    So the eight neighbours that one transform reads are eight streams without gaps.
    """
    width = plane.shape[1]
    across = min((width - left) // 8, lanes + 1)
    p = np.uint64(PITCH)
    for row in range(rows):
        y = top + row
        to = np.uint64(8 * PITCH * row)
        for i in range(np.uint64(across)):
            x = np.uint64(left) + np.uint64(8) * i
            k = to + i
            # All are read first: what is written might else be read again.
            x0, x1 = plane[y, x], plane[y, x + np.uint64(1)]
            x2, x3 = plane[y, x + np.uint64(2)], plane[y, x + np.uint64(3)]
            x4, x5 = plane[y, x + np.uint64(4)], plane[y, x + np.uint64(5)]
            x6, x7 = plane[y, x + np.uint64(6)], plane[y, x + np.uint64(7)]
            streams[k], streams[k + p] = x0, x1
            streams[k + np.uint64(2) * p], streams[k + np.uint64(3) * p] = x2, x3
            streams[k + np.uint64(4) * p], streams[k + np.uint64(5) * p] = x4, x5
            streams[k + np.uint64(6) * p], streams[k + np.uint64(7) * p] = x6, x7
        for j in range(min(8, width - left - 8 * across)):
            streams[(8 * row + j) * PITCH + across] = plane[y, left + 8 * across + j]


@njit(cache=True, nogil=True, fastmath=NEAR)
def transform_rows(
    streams: NDArray[np.float32],
    count: int,
    offset: int,
    across: int,
    pitch: int,
    rows: NDArray[np.float32],
) -> None:
    """The horizontal frequencies of blocks that begin `offset` columns after a multiple of 8.

    Frequency v of `count` rows goes to the v-th of eight tables, in it every eighth row of pixels
    after the other, so that what one vertical transform reads are eight streams again. Of `pitch`
    places `across` are blocks; what the others read may not be the picture's, and is made 0.
    """
    table = np.uint64(TABLE)
    for row in range(count):
        # An index that numba cannot see to be positive would keep the loop from being vectorised.
        k0, k1 = _stream(row, offset), _stream(row, offset + 1)
        k2, k3 = _stream(row, offset + 2), _stream(row, offset + 3)
        k4, k5 = _stream(row, offset + 4), _stream(row, offset + 5)
        k6, k7 = _stream(row, offset + 6), _stream(row, offset + 7)
        to = place_of(0, row, pitch)
        for i in range(np.uint64(pitch)):
            c0, c1, c2, c3, c4, c5, c6, c7 = _transformed(
                streams[k0 + i],
                streams[k1 + i],
                streams[k2 + i],
                streams[k3 + i],
                streams[k4 + i],
                streams[k5 + i],
                streams[k6 + i],
                streams[k7 + i],
            )
            k = to + i
            rows[k], rows[k + table] = c0, c1
            rows[k + np.uint64(2) * table], rows[k + np.uint64(3) * table] = c2, c3
            rows[k + np.uint64(4) * table], rows[k + np.uint64(5) * table] = c4, c5
            rows[k + np.uint64(6) * table], rows[k + np.uint64(7) * table] = c6, c7
        for v in range(8):
            for i in range(across, pitch):
                rows[to + np.uint64(v * TABLE + i)] = _ZERO


@njit(cache=True, nogil=True)
def _stream(row: int, column: int) -> np.uint64:
    """Where the pixels begin that lie so many columns after a multiple of 8."""
    return np.uint64((8 * row + column % 8) * PITCH + column // 8)


@njit(cache=True, nogil=True)
def place_of(v: int, row: int, pitch: int) -> np.uint64:
    """Where the horizontal frequency v of a row of pixels begins, and of each eighth after it."""
    return np.uint64(v * TABLE + row % 8 * PHASE + row // 8 * pitch)


@njit(cache=True, nogil=True, fastmath=NEAR)
def transform_columns(
    rows: NDArray[np.float32],
    v: int,
    pitch: int,
    size: int,
    coefficients: NDArray[np.float32],
) -> None:
    """The vertical frequencies of blocks from the first row on, in `size` places, one horizontal's.

    Those of each vertical frequency come `APART` after those of the one before.
    """
    k0, k1 = place_of(v, 0, pitch), place_of(v, 1, pitch)
    k2, k3 = place_of(v, 2, pitch), place_of(v, 3, pitch)
    k4, k5 = place_of(v, 4, pitch), place_of(v, 5, pitch)
    k6, k7 = place_of(v, 6, pitch), place_of(v, 7, pitch)
    chunk = np.uint64(APART)
    for i in range(np.uint64(size)):
        c0, c1, c2, c3, c4, c5, c6, c7 = _transformed(
            rows[k0 + i],
            rows[k1 + i],
            rows[k2 + i],
            rows[k3 + i],
            rows[k4 + i],
            rows[k5 + i],
            rows[k6 + i],
            rows[k7 + i],
        )
        coefficients[i], coefficients[i + chunk] = c0, c1
        coefficients[i + np.uint64(2) * chunk] = c2
        coefficients[i + np.uint64(3) * chunk] = c3
        coefficients[i + np.uint64(4) * chunk] = c4
        coefficients[i + np.uint64(5) * chunk] = c5
        coefficients[i + np.uint64(6) * chunk] = c6
        coefficients[i + np.uint64(7) * chunk] = c7


@njit(cache=True, nogil=True, fastmath=NEAR, inline="always")
def _transformed(
    x0: np.float32,
    x1: np.float32,
    x2: np.float32,
    x3: np.float32,
    x4: np.float32,
    x5: np.float32,
    x6: np.float32,
    x7: np.float32,
) -> tuple[
    np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32
]:
    """The eight frequencies of eight numbers."""
    s0, s1, s2, s3 = x0 + x7, x1 + x6, x2 + x5, x3 + x4
    d0, d1, d2, d3 = x0 - x7, x1 - x6, x2 - x5, x3 - x4
    e0, e1, f0, f1 = s0 + s3, s1 + s2, s0 - s3, s1 - s2
    return (
        _C4 * (e0 + e1),
        _C1 * d0 + _C3 * d1 + _C5 * d2 + _C7 * d3,
        _C2 * f0 + _C6 * f1,
        _C3 * d0 - _C7 * d1 - _C1 * d2 - _C5 * d3,
        _C4 * (e0 - e1),
        _C5 * d0 - _C1 * d1 + _C7 * d2 + _C3 * d3,
        _C6 * f0 - _C2 * f1,
        _C7 * d0 - _C5 * d1 + _C3 * d2 - _C1 * d3,
    )
