"""The passes over the pixels behind `nuisance`, compiled.

Letters for axes: H rows, W columns of a region; L lines of N pixels, rows or columns alike.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

STRIP = 64  # lines whose profile is taken together
_EDGE = np.float32(32)  # grey levels over eight pixels, from which on it is an edge
_HALF = np.float32(0.5)
_SHARE = np.float32(1 / 16)


@njit(cache=True, nogil=True)
def add_blocks(
    y: NDArray[np.float32], filled: int, some: NDArray[np.float32], means: NDArray[np.float32]
) -> int:
    """High-pass of each 8x8 block of (H, W): |a + d - b - c| / 2 over 2x2 pixels, grey levels.

    From row `filled` on, `some` (blocks, 4) gets that of four of the sixteen, `means` (blocks,) the
    mean of all; -1 where the block is of one level. Returns the rows filled now.
    """
    for top in range(0, y.shape[0] - 7, 8):
        for left in range(0, y.shape[1] - 7, 8):
            total = np.float32(0)
            flat = True
            for i in range(0, 8, 2):
                for j in range(0, 8, 2):
                    a, b = y[top + i, left + j], y[top + i, left + j + 1]
                    c, d = y[top + i + 1, left + j], y[top + i + 1, left + j + 1]
                    high = abs(a + d - b - c) * _HALF
                    total += high
                    flat = flat and a == y[top, left] and a == b and a == c and a == d
                    if i == j:
                        some[filled, i // 2] = high
            means[filled] = np.float32(-1) if flat else total * _SHARE
            filled += 1
    return filled


@njit(cache=True, nogil=True)
def add_edges(lines: NDArray[np.float32], sums: NDArray[np.float64]) -> None:
    """To `sums` (5,), of contiguous (L, N): edges, their log2 widths, energies, what they count.

    An edge is where eight pixels rise or fall by 32 levels, the fourth step most of all; its width
    is the whole by this step. The energies are of differences over one and over four pixels.
    """
    for line in range(lines.shape[0]):
        for x in range(lines.shape[1] - 8):
            here = lines[line, x]
            near = lines[line, x + 1] - here
            far = lines[line, x + 4] - here
            sums[2] += near * near
            sums[3] += far * far
            whole = abs(lines[line, x + 8] - here)
            if whole >= _EDGE:
                fourth = abs(lines[line, x + 4] - lines[line, x + 3])
                most = True
                for k in range(8):
                    step = abs(lines[line, x + k + 1] - lines[line, x + k])
                    # Of equal steps the first counts, so that every edge is met once.
                    most = most and (step < fourth or (step == fourth and k >= 3))
                if most:
                    sums[0] += 1
                    # Where it overshoots, the largest step is more than the whole.
                    sums[1] += max(0.0, np.log2(whole / fourth))
        sums[4] += lines.shape[1] - 8


@njit(cache=True, nogil=True)
def add_samples(rgb: NDArray[np.uint8], row_step: int, histogram: NDArray[np.int64]) -> int:
    """Counts of levels of each channel to (3, 256), over every `row_step`-th row of (3, H, W).

    Returns the sum over these pixels of their largest less their smallest channel.
    """
    spread = 0
    for row in range(0, rgb.shape[1], row_step):
        for column in range(rgb.shape[2]):
            red, green, blue = rgb[0, row, column], rgb[1, row, column], rgb[2, row, column]
            histogram[0, red] += 1
            histogram[1, green] += 1
            histogram[2, blue] += 1
            spread += int(max(red, green, blue)) - int(min(red, green, blue))
    return spread


@njit(cache=True, nogil=True)
def profiles(lines: NDArray[np.int16], jumps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of contiguous (L, N): means (2, strips, N) of the size of the second and third derivative.

    64 lines are a strip, a last one of fewer than 32 part of the one before; an x without
    neighbours has 0. To `jumps` (2, 8): sums of the third derivative's size and counts, by the
    phase of the pixel behind the step in its middle. Sums are of whole numbers, and exact.
    """
    height, width = lines.shape
    strips = max(1, (height + STRIP // 2) // STRIP)
    means = np.zeros((2, strips, width))
    second = np.empty(width, dtype=np.int32)
    third = np.empty(width, dtype=np.int32)
    for strip in range(strips):
        first = strip * STRIP
        last = height if strip == strips - 1 else first + STRIP
        second[:] = 0
        third[:] = 0
        for line in range(first, last):
            row = lines[line]
            for x in range(2, width - 1):
                before, here, after = np.int32(row[x - 1]), np.int32(row[x]), np.int32(row[x + 1])
                second[x] += abs(2 * here - before - after)
                third[x] += abs(3 * (here - before) - (after - np.int32(row[x - 2])))
        for x in range(2, width - 1):
            means[0, strip, x] = second[x] / (last - first)
            means[1, strip, x] = third[x] / (last - first)
            jumps[0, x % 8] += third[x]
            jumps[1, x % 8] += last - first
    return means
