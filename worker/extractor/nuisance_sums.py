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
_EVERY, _FIRST = 8, 3  # of the lines that edges are looked for in
_APART = 16  # places more than a line has, so that columns do not share lines of the cache
_FEW = 16  # rows whose third derivatives, at most 1,020 each, are added in int16
_WINDOW = 9  # levels
_TWO, _THREE = np.uint64(2), np.uint64(3)
_ONE = np.uint64(1)


@njit(cache=True, nogil=True)
def add_blocks(
    y: NDArray[np.float32], filled: int, some: NDArray[np.float32], means: NDArray[np.float32]
) -> int:
    """High-pass of each 8x8 block of (H, W): |a + d - b - c| / 2 over 2x2 pixels, grey levels.

    From row `filled` on, `some` (blocks, 4) gets that of four of the sixteen, `means` (blocks,) the
    mean of all; -1 where the block is of one level. Returns the rows filled now.
    """
    height, width = y.shape
    high = np.empty((4, width // 2), dtype=np.float32)
    for top in range(0, height - 7, 8):
        for pair in range(4):
            row = top + 2 * pair
            for i in range(np.uint64(width // 2)):
                a, b = y[row, _TWO * i], y[row, _TWO * i + _ONE]
                c, d = y[row + 1, _TWO * i], y[row + 1, _TWO * i + _ONE]
                high[pair, i] = abs(a + d - b - c) * _HALF
        for block in range(width // 8):
            total = np.float32(0)
            for i in range(4 * block, 4 * block + 4):
                total += (high[0, i] + high[1, i]) + (high[2, i] + high[3, i])
            for pair in range(4):
                some[filled, pair] = high[pair, 4 * block + pair]
            flat = total == 0 and _is_flat(y, top, 8 * block)
            means[filled] = np.float32(-1) if flat else total * _SHARE
            filled += 1
    return filled


@njit(cache=True, nogil=True)
def _is_flat(y: NDArray[np.float32], top: int, left: int) -> bool:
    for i in range(8):
        for j in range(8):
            if y[top + i, left + j] != y[top, left]:
                return False
    return True


@njit(cache=True, nogil=True)
def add_edges(y: NDArray[np.float32], sums: NDArray[np.float64]) -> None:
    """To `sums` (5,), of (H, W): edges, their log2 widths, energies, what they count.

    Along every eighth row and every eighth column. An edge is where eight pixels rise or fall by 32
    levels, the fourth step most of all; its width is the whole by this step. The energies are of
    differences over one and over four pixels.
    """
    height, width = y.shape
    rows = np.empty(((height + _EVERY - 1 - _FIRST) // _EVERY, width + _APART), dtype=np.float32)
    for line in range(rows.shape[0]):
        for x in range(width):
            rows[line, x] = y[_FIRST + _EVERY * line, x]
    _add_lines(rows, width, sums)
    lines = (width + _EVERY - 1 - _FIRST) // _EVERY
    columns = np.empty((lines, height + _APART), dtype=np.float32)
    for x in range(height):
        for line in range(lines):
            columns[line, x] = y[x, _FIRST + _EVERY * line]
    _add_lines(columns, height, sums)


@njit(cache=True, nogil=True, fastmath=True)
def _add_lines(lines: NDArray[np.float32], length: int, sums: NDArray[np.float64]) -> None:
    """The first `length` pixels of each line; there are eight and more."""
    places = length - 8
    energy_near, energy_far = 0.0, 0.0
    for line in range(lines.shape[0]):
        for x in range(np.uint64(places)):
            near = lines[line, x + _ONE] - lines[line, x]
            far = lines[line, x + np.uint64(4)] - lines[line, x]
            energy_near += near * near
            energy_far += far * far
        for x in range(places):
            whole = abs(lines[line, x + 8] - lines[line, x])
            if whole < _EDGE:
                continue
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
    sums[2] += energy_near
    sums[3] += energy_far
    sums[4] += lines.shape[0] * places


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
def empty_levels(histogram: NDArray[np.int64]) -> float:
    """The share of levels (256,) between the ends that are empty, less what chance leaves so.

    Which is what counts of the mean of nine levels around leave empty; 0 of fewer than three
    levels. At least one level is not empty.
    """
    first, last = 0, histogram.size - 1
    while histogram[first] == 0:
        first += 1
    while histogram[last] == 0:
        last -= 1
    levels = last + 1 - first
    if levels < 3:
        return 0.0
    empty = 0
    for level in range(first, last + 1):
        empty += histogram[level] == 0
    # Windows of nine about each level; about nine places where there are fewer levels.
    windows, by_chance = max(levels, _WINDOW), 0.0
    above = first + (min(levels, _WINDOW) - 1) // 2
    for _ in range(windows):
        lowest, highest = max(first, above - _WINDOW + 1), min(last, above)
        total = 0
        for level in range(lowest, highest + 1):
            total += histogram[level]
        by_chance += np.exp(-total / (highest + 1 - lowest))
        above += 1
    return empty / levels - by_chance / windows


@njit(cache=True, nogil=True)
def profiles(
    plane: NDArray[np.int16], axis: int, jumps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of (H, W): means (2, strips, N) of the size of the second and third derivative.

    Along rows where `axis` is 0, else along columns. 64 lines are a strip, a last one of fewer than
    32 part of the one before; an x without neighbours has 0. To `jumps` (2, 8): sums of the third
    derivative's size and counts, by the phase of the pixel behind the step in its middle. Sums are
    of whole numbers, and exact.
    """
    lines, length = plane.shape if axis == 0 else plane.shape[::-1]
    strips = max(1, (lines + STRIP // 2) // STRIP)
    second = np.zeros(length, dtype=np.int32)
    third = np.zeros(length, dtype=np.int32)
    means = np.zeros((2, strips, length))
    for strip in range(strips):
        first = strip * STRIP
        last = lines if strip == strips - 1 else first + STRIP
        if axis == 0:
            _sum_rows(plane, first, last, second, third)
        else:
            _sum_columns(plane, first, last, second, third)
        for x in range(2, length - 1):
            means[0, strip, x] = second[x] / (last - first)
            means[1, strip, x] = third[x] / (last - first)
            jumps[0, x % 8] += third[x]
            jumps[1, x % 8] += last - first
    return means


@njit(cache=True, nogil=True)
def _sum_rows(
    plane: NDArray[np.int16],
    first: int,
    last: int,
    second: NDArray[np.int32],
    third: NDArray[np.int32],
) -> None:
    """A few rows at a time in int16, since wider loops take twice the time."""
    some_second = np.zeros(second.size, dtype=np.int16)
    some_third = np.zeros(third.size, dtype=np.int16)
    second[:] = 0
    third[:] = 0
    for top in range(first, last, _FEW):
        for y in range(top, min(top + _FEW, last)):
            for i in range(np.uint64(second.size - 3)):
                a, b = plane[y, i], plane[y, i + _ONE]
                c, d = plane[y, i + _TWO], plane[y, i + _THREE]
                some_second[i + _TWO] += _size(2 * c - b - d)
                some_third[i + _TWO] += _size(3 * (c - b) - (d - a))
        for x in range(second.size):
            second[x] += some_second[x]
            third[x] += some_third[x]
            some_second[x] = 0
            some_third[x] = 0


@njit(cache=True, nogil=True)
def _sum_columns(
    plane: NDArray[np.int16],
    first: int,
    last: int,
    second: NDArray[np.int32],
    third: NDArray[np.int32],
) -> None:
    for y in range(2, second.size - 1):
        total_second, total_third = np.int32(0), np.int32(0)
        for x in range(np.uint64(first), np.uint64(last)):
            a, b, c, d = plane[y - 2, x], plane[y - 1, x], plane[y, x], plane[y + 1, x]
            total_second = np.int32(total_second + _size(2 * c - b - d))
            total_third = np.int32(total_third + _size(3 * (c - b) - (d - a)))
        second[y] = total_second
        third[y] = total_third


@njit(cache=True, nogil=True)
def _size(difference: int) -> np.int16:
    narrow = np.int16(difference)
    return max(narrow, np.int16(-narrow))
