"""What earlier_jpeg counts in the pixels: votes for grids, histograms of DCT coefficients.

Letters for axes: H rows, W columns, M the 64 modes of an 8x8 DCT (row by row, vertical frequency
first), N bins.
"""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

PER_LEVEL: Final = 4
"""Bins a grey level."""
BINS: Final = 256
"""Coefficients below 64 grey levels; the last bin holds all larger ones too."""

_COSINES: Final = np.array(
    [
        [np.cos((2 * i + 1) * k * np.pi / 16) * (0.5 if k else np.sqrt(0.125)) for i in range(8)]
        for k in range(8)
    ],
    dtype=np.float32,
)
_HIGH: Final = (np.array([(3, 3), (5, 5)], dtype=np.int64), np.float32(0.5))
_MIDDLE: Final = (np.array([(2, 4), (4, 2)], dtype=np.int64), np.float32(16))
"""Frequencies (vertical, horizontal) that vote, and the square of what counts as near nothing in
grey levels. Those of _HIGH tell qualities up to 97; a later JPEG leaves those of _MIDDLE."""


def grid_votes(plane: NDArray[np.float32], compressed: bool) -> NDArray[np.float64]:
    """Sums and counts (2, 8, 8) by grid (y, x) of a plane (H, W), for the mean nearness to nothing.

    A coefficient c counts near / (near + c squared). `compressed`: a JPEG, with a later grid.
    """
    votes = np.zeros((2, 8, 8))
    _vote(plane, _COSINES, *(_MIDDLE if compressed else _HIGH), votes)
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
    _count(plane, clipped, top, left, _COSINES, counts)
    added: NDArray[np.float32] = counts.sum(axis=0).astype(np.float32)
    return added


@njit(cache=True, nogil=True, fastmath=True)
def _vote(
    plane: NDArray[np.float32],
    cosines: NDArray[np.float32],
    voters: NDArray[np.int64],
    near: np.float32,
    votes: NDArray[np.float64],
) -> None:
    height, width = plane.shape
    across = width - 7
    rows = np.empty((height, across), dtype=np.float32)
    sums = np.empty((8, across), dtype=np.float32)
    for u, v in voters:
        c0, c1, c2, c3, c4, c5, c6, c7 = cosines[v]
        for y in range(height):
            p = plane[y]
            for x in range(across):
                left = c0 * p[x] + c1 * p[x + 1] + c2 * p[x + 2] + c3 * p[x + 3]
                right = c4 * p[x + 4] + c5 * p[x + 5] + c6 * p[x + 6] + c7 * p[x + 7]
                rows[y, x] = left + right
        c0, c1, c2, c3, c4, c5, c6, c7 = cosines[u]
        sums[:] = 0
        for y in range(height - 7):
            into = sums[y % 8]
            r0, r1, r2, r3 = rows[y], rows[y + 1], rows[y + 2], rows[y + 3]
            r4, r5, r6, r7 = rows[y + 4], rows[y + 5], rows[y + 6], rows[y + 7]
            for x in range(across):
                upper = c0 * r0[x] + c1 * r1[x] + c2 * r2[x] + c3 * r3[x]
                c = upper + (c4 * r4[x] + c5 * r5[x] + c6 * r6[x] + c7 * r7[x])
                into[x] += near / (near + c * c)
        for y in range(8):
            for x in range(across):
                votes[0, y, x % 8] += sums[y, x]
    for y in range(8):
        for x in range(8):
            votes[1, y, x] += len(voters) * ((height - y) // 8) * ((width - x) // 8)


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
    cosines: NDArray[np.float32],
    counts: NDArray[np.int32],
) -> None:
    """All blocks of a row of blocks side by side; neighbours count into two tables in turn."""
    height, width = plane.shape
    across = (width - left) // 8
    side = 8 * across
    pixels = np.empty((8, side), dtype=np.float32)
    columns = np.empty(side, dtype=np.float32)
    cut = np.empty(across, dtype=np.uint8)
    bins = np.empty(across, dtype=np.uint32)
    per_level, half = np.float32(PER_LEVEL), np.float32(0.5)
    last = np.float32(BINS - 1)
    for y in range(top, height - 7, 8):
        cut[:] = 0
        for i in range(8):
            row, mask, into = plane[y + i], clipped[y + i], pixels[i]
            for j in range(8):
                for b in range(across):
                    into[j * across + b] = row[left + 8 * b + j]
            for b in range(across):
                for j in range(8):
                    cut[b] |= mask[left + 8 * b + j]
        for u in range(8):
            c0, c1, c2, c3, c4, c5, c6, c7 = cosines[u]
            p0, p1, p2, p3 = pixels[0], pixels[1], pixels[2], pixels[3]
            p4, p5, p6, p7 = pixels[4], pixels[5], pixels[6], pixels[7]
            for x in range(side):
                upper = c0 * p0[x] + c1 * p1[x] + c2 * p2[x] + c3 * p3[x]
                columns[x] = upper + (c4 * p4[x] + c5 * p5[x] + c6 * p6[x] + c7 * p7[x])
            q0, q1, q2, q3 = columns, columns[across:], columns[2 * across :], columns[3 * across :]
            q4, q5, q6 = columns[4 * across :], columns[5 * across :], columns[6 * across :]
            q7 = columns[7 * across :]
            for v in range(8 - u):
                c0, c1, c2, c3, c4, c5, c6, c7 = cosines[v]
                for b in range(across):
                    nearer = c0 * q0[b] + c1 * q1[b] + c2 * q2[b] + c3 * q3[b]
                    c = nearer + (c4 * q4[b] + c5 * q5[b] + c6 * q6[b] + c7 * q7[b])
                    bins[b] = np.uint32(np.int32(min(abs(c) * per_level + half, last)))
                even, odd = counts[0, 8 * u + v], counts[1, 8 * u + v]
                for b in range(0, across - 1, 2):
                    even[bins[b]] += 1 - cut[b]
                    odd[bins[b + 1]] += 1 - cut[b + 1]
                if across % 2:
                    even[bins[across - 1]] += 1 - cut[across - 1]
