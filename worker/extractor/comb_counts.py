"""What earlier_jpeg counts in the pixels: votes for grids, histograms of DCT coefficients.

Letters for axes: H rows, W columns, M the 64 modes of an 8x8 DCT (row by row, vertical frequency
first), N bins.
"""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.block_transforms import (
    APART,
    CHUNK,
    lay_out,
    piece_size,
    piece_tables,
    transform_columns,
    transform_rows,
)

PER_LEVEL: Final = 4
"""Bins a grey level."""
BINS: Final = 256
"""Coefficients below 64 grey levels; the last bin holds all larger ones too."""

_HIGH: Final = (np.array([(3, 3), (5, 5)], dtype=np.int64), np.float32(0.5))
_MIDDLE: Final = (np.array([(2, 4), (4, 2)], dtype=np.int64), np.float32(16))
"""Frequencies (vertical, horizontal) that vote, and the square of what counts as near nothing in
grey levels. Those of _HIGH tell qualities up to 97; a later JPEG leaves those of _MIDDLE."""
_WAVES: Final = np.array(
    [[np.cos((2 * i + 1) * k * np.pi / 16) / 2 for i in range(4)] for k in range(8)],
    dtype=np.float32,
)  # the first half of each cosine but the constant; the second is its mirror image, or less that
_ACROSS: Final = 256  # places side by side that vote together
_DOWN: Final = 64  # and rows of them
_VOTERS: Final = (_DOWN + 7) * _ACROSS  # places between the rows of the two voters
_LAST: Final = np.float32(BINS - 1)
_HALF: Final = np.float32(0.5)


def grid_votes(plane: NDArray[np.float32], compressed: bool) -> NDArray[np.float64]:
    """Sums and counts (2, 8, 8) by grid (y, x) of a plane (H, W), for the mean nearness to nothing.

    A coefficient c counts near / (near + c squared). `compressed`: a JPEG, with a later grid.
    """
    votes = np.zeros((2, 8, 8))
    _vote(plane, *(_MIDDLE if compressed else _HIGH), votes)
    return votes


def clipped_pixels(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W), 1 where a channel of (3, H, W) is 0 or 255, so that a JPEG's value may be cut."""
    clipped = np.empty(rgb.shape[1:], dtype=np.uint8)
    _find_clipped(rgb.reshape(3, -1), clipped.reshape(-1))
    return clipped


def block_histograms(
    plane: NDArray[np.float32], clipped: NDArray[np.uint8], top: int, left: int
) -> NDArray[np.float32]:
    """Counts (M, N) of |coefficient| on the grid that begins at `top`, `left`.

    Blocks with a clipped pixel are left out, and modes beyond the diagonal, where little is left to
    tell by: they stay 0. The mode 0 is counted and means little.
    """
    counts = np.zeros((2, 64, BINS), dtype=np.int32)
    _count(plane, clipped, top, left, counts)
    added: NDArray[np.float32] = counts.sum(axis=0).astype(np.float32)
    return added


@njit(cache=True, nogil=True, fastmath=True)
def _vote(
    plane: NDArray[np.float32],
    voters: NDArray[np.int64],
    near: np.float32,
    votes: NDArray[np.float64],
) -> None:
    """Of both voters at once, in pieces of which the eight rows of a block fit the first cache."""
    height, width = plane.shape
    rows = np.empty(2 * _VOTERS, dtype=np.float32)
    sums = np.zeros((8, width), dtype=np.float32)  # by phase of the row, and column
    for left in range(0, width - 7, _ACROSS):
        across = min(_ACROSS, width - 7 - left)
        for top in range(0, height - 7, _DOWN):
            down = min(_DOWN, height - 7 - top)
            _transform_rows(plane, top, left, down + 7, across, voters, rows)
            _add_votes(rows, top, left, down, across, voters, near, sums)
    for y in range(8):
        for x in range(width):
            votes[0, y, x % 8] += sums[y, x]
        for x in range(8):
            votes[1, y, x] += len(voters) * ((height - y) // 8) * ((width - x) // 8)


@njit(cache=True, nogil=True, fastmath=True)
def _transform_rows(
    p: NDArray[np.float32],
    top: int,
    left: int,
    down: int,
    across: int,
    voters: NDArray[np.int64],
    rows: NDArray[np.float32],
) -> None:
    """The voters' horizontal frequencies of what begins at each place of `down` rows."""
    v, w = voters[0, 1], voters[1, 1]
    a0, a1, a2, a3 = _WAVES[v, 0], _WAVES[v, 1], _WAVES[v, 2], _WAVES[v, 3]
    b0, b1, b2, b3 = _WAVES[w, 0], _WAVES[w, 1], _WAVES[w, 2], _WAVES[w, 3]
    a, b = np.float32(1 - v % 2 * 2), np.float32(1 - w % 2 * 2)
    for row in range(down):
        y, k = top + row, np.uint64(row * _ACROSS)
        for i in range(np.uint64(across)):
            x = np.uint64(left) + i
            p0, p7 = p[y, x], p[y, x + np.uint64(7)]
            p1, p6 = p[y, x + np.uint64(1)], p[y, x + np.uint64(6)]
            p2, p5 = p[y, x + np.uint64(2)], p[y, x + np.uint64(5)]
            p3, p4 = p[y, x + np.uint64(3)], p[y, x + np.uint64(4)]
            outer = a0 * (p0 + a * p7) + a1 * (p1 + a * p6)
            rows[k + i] = outer + a2 * (p2 + a * p5) + a3 * (p3 + a * p4)
            outer = b0 * (p0 + b * p7) + b1 * (p1 + b * p6)
            rows[k + i + np.uint64(_VOTERS)] = outer + b2 * (p2 + b * p5) + b3 * (p3 + b * p4)


# The other model of errors looks at every divisor, one after the other.
@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _add_votes(
    rows: NDArray[np.float32],
    top: int,
    left: int,
    down: int,
    across: int,
    voters: NDArray[np.int64],
    near: np.float32,
    sums: NDArray[np.float32],
) -> None:
    """Of the blocks that begin in each of `down` rows."""
    u, v = voters[0, 0], voters[1, 0]
    a0, a1, a2, a3 = _WAVES[u, 0], _WAVES[u, 1], _WAVES[u, 2], _WAVES[u, 3]
    b0, b1, b2, b3 = _WAVES[v, 0], _WAVES[v, 1], _WAVES[v, 2], _WAVES[v, 3]
    a, b = np.float32(1 - u % 2 * 2), np.float32(1 - v % 2 * 2)
    n1, n2, n3 = np.uint64(_ACROSS), np.uint64(2 * _ACROSS), np.uint64(3 * _ACROSS)
    n4, n5, n6 = np.uint64(4 * _ACROSS), np.uint64(5 * _ACROSS), np.uint64(6 * _ACROSS)
    n7 = np.uint64(7 * _ACROSS)
    for row in range(down):
        phase, start = (top + row) % 8, np.uint64(row * _ACROSS)
        for i in range(np.uint64(across)):
            k = start + i
            outer = a0 * (rows[k] + a * rows[k + n7]) + a1 * (rows[k + n1] + a * rows[k + n6])
            inner = a2 * (rows[k + n2] + a * rows[k + n5]) + a3 * (rows[k + n3] + a * rows[k + n4])
            c = outer + inner
            k = k + np.uint64(_VOTERS)
            outer = b0 * (rows[k] + b * rows[k + n7]) + b1 * (rows[k + n1] + b * rows[k + n6])
            inner = b2 * (rows[k + n2] + b * rows[k + n5]) + b3 * (rows[k + n3] + b * rows[k + n4])
            d = outer + inner
            # near / (near + c c) + near / (near + d d), with one division.
            c, d = near + c * c, near + d * d
            sums[phase, np.uint64(left) + i] += near * (c + d) / (c * d)


@njit(cache=True, nogil=True)
def _find_clipped(rgb: NDArray[np.uint8], clipped: NDArray[np.uint8]) -> None:
    """(3, H*W) to (H*W,). A byte less one, round the corner, is 254 or 255 for 255 and 0."""
    for i in range(clipped.size):
        red, green, blue = rgb[0, i], rgb[1, i], rgb[2, i]
        dark = (red == 0) | (green == 0) | (blue == 0)
        clipped[i] = dark | (red == 255) | (green == 255) | (blue == 255)


@njit(cache=True, nogil=True, fastmath=True)
def _count(
    plane: NDArray[np.float32],
    clipped: NDArray[np.uint8],
    top: int,
    left: int,
    counts: NDArray[np.int32],
) -> None:
    """Of all blocks, piece by piece; neighbours count into two tables in turn."""
    height, width = plane.shape
    lanes, pitch, deep = piece_size(width)
    streams, rows, coefficients = piece_tables(width)
    weights = np.empty(CHUNK, dtype=np.int32)
    bins = np.empty(CHUNK, dtype=np.uint32)
    for x in range(left, width - 7, 8 * lanes):
        across = min((width - x) // 8, lanes)
        for y in range(top, height - 7, 8 * deep):
            down = min((height - y) // 8, deep)
            lay_out(plane, y, 8 * down, x, lanes, streams)
            transform_rows(streams, 8 * down, 0, across, pitch, rows)
            _weigh(clipped, y, x, down, across, pitch, weights)
            for v in range(8):
                transform_columns(rows, v, pitch, down * pitch, coefficients)
                for u in range(8 - v):
                    _count_mode(
                        coefficients, u * APART, weights, down * pitch, bins, counts, 8 * u + v
                    )


@njit(cache=True, nogil=True)
def _weigh(
    clipped: NDArray[np.uint8],
    top: int,
    left: int,
    down: int,
    across: int,
    pitch: int,
    weights: NDArray[np.int32],
) -> None:
    """1 for each block without a clipped pixel, else 0; 0 too where none of `pitch` places is."""
    row = np.empty(8 * across, dtype=np.uint8)
    for block_row in range(down):
        row[:] = 0
        for y in range(top + 8 * block_row, top + 8 * block_row + 8):
            for x in range(np.uint64(row.size)):
                row[x] |= clipped[y, np.uint64(left) + x]
        for block in range(across):
            cut = np.uint8(0)
            for x in range(8 * block, 8 * block + 8):
                cut |= row[x]
            weights[block_row * pitch + block] = 1 - cut
        for place in range(across, pitch):
            weights[block_row * pitch + place] = 0


@njit(cache=True, nogil=True, fastmath=True)
def _count_mode(
    coefficients: NDArray[np.float32],
    first: int,
    weights: NDArray[np.int32],
    size: int,
    bins: NDArray[np.uint32],
    counts: NDArray[np.int32],
    mode: int,
) -> None:
    for i in range(np.uint64(size)):
        c = abs(coefficients[np.uint64(first) + i])
        bins[i] = np.uint32(np.int32(min(c * np.float32(PER_LEVEL) + _HALF, _LAST)))
    for i in range(0, size - 1, 2):
        counts[0, mode, bins[i]] += weights[i]
        counts[1, mode, bins[i + 1]] += weights[i + 1]
    if size % 2:
        counts[0, mode, bins[size - 1]] += weights[size - 1]
