"""Periods along rows and columns: how strong derivatives are at each pixel, and which period shows.

Letters for axes: H rows, W columns of a region; L lines of N pixels, rows or columns alike.
"""

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.sixteen import WIDTH, load, same, store

STRIP = 64  # lines whose profile is taken together
_FEW = 16  # rows whose third derivatives, at most 1,020 each, are added in int16
_TWO, _THREE = np.uint64(2), np.uint64(3)
_ONE = np.uint64(1)
_TINY = 1e-9
_LINES = 2 * WIDTH  # of a spectrum, but the constant; a shorter one fills half of them
_SIXTEEN = np.uint64(WIDTH)
_ZERO = np.float32(0)
_AROUND = (-5, -4, -3, -2, 2, 3, 4, 5)  # lines beside one that it is held against


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


def strongest_period(windows: NDArray[np.float64], floor: float) -> float:
    """log2 of the strongest line over what surrounds it, of windows (2, windows, N) of profiles.

    Each window is taken by its own mean and `floor` more; the two kinds of profile are apart, and
    so are the lines of a codec: a grid of eight stands out at every eighth of the sampling
    frequency, a period of two or four pixels at the half and the quarter alone; there what the odd
    eighths have is taken off.
    """
    length = windows.shape[2]
    powers = np.zeros((2, _LINES), dtype=np.float32)
    _add_power(windows, floor, *_waves(length), powers)
    return max(_stands_out(own[: length // 2] / windows.shape[1]) for own in powers)


@lru_cache(maxsize=2)
def _waves(length: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Cosines and sines (N / 2 + 1, 32), by pixel and by line from the first on; Hann's taper."""
    turns = np.outer(np.arange(length // 2 + 1), np.arange(1, _LINES + 1)) * 2 * np.pi / length
    return np.cos(turns).astype("f4"), np.sin(turns).astype("f4"), np.hanning(length)


@njit(cache=True)
def _add_power(
    windows: NDArray[np.float64],
    floor: float,
    cosines: NDArray[np.float32],
    sines: NDArray[np.float32],
    taper: NDArray[np.float64],
    powers: NDArray[np.float32],
) -> None:
    """Power (2, 32) from the first line on, added over windows; N is 64 at most.

    Two pixels as far from the end as from the beginning are taken at once; the first, which has
    none, is made nothing by the taper.
    """
    _, count, length = windows.shape
    half = length // 2
    pixels = np.empty(length, dtype=np.float32)
    flat_cosines, flat_sines = cosines.ravel(), sines.ravel()
    for kind in range(2):
        low = high = same(_ZERO)
        for window in range(count):
            mean = 0.0
            for x in range(length):
                mean += windows[kind, window, x]
            mean /= length
            scale = 1 / (mean + floor)
            for x in range(length):
                pixels[x] = (windows[kind, window, x] - mean) * scale * taper[x]
            middle, i = same(pixels[half]), np.uint64(half * _LINES)
            r, r_high = middle * load(flat_cosines, i), middle * load(flat_cosines, i + _SIXTEEN)
            m = m_high = same(_ZERO)
            for x in range(1, half):
                even = same(np.float32(pixels[x] + pixels[length - x]))
                odd = same(np.float32(pixels[x] - pixels[length - x]))
                i = np.uint64(x * _LINES)
                r, m = r + even * load(flat_cosines, i), m + odd * load(flat_sines, i)
                i = i + _SIXTEEN
                r_high = r_high + even * load(flat_cosines, i)
                m_high = m_high + odd * load(flat_sines, i)
            low = low + r * r + m * m
            high = high + r_high * r_high + m_high * m_high
        store(low, powers, np.uint64(kind * _LINES))
        store(high, powers, np.uint64(kind * _LINES + WIDTH))


@njit(cache=True)
def _stands_out(power: NDArray[np.float32]) -> float:
    """Of the lines (N / 2,): log2 of one from the sixth on over the median of eight around it."""
    half = len(power)
    eighth = half // 4
    around = np.empty(len(_AROUND))
    above = np.zeros(half + 1)
    odd, odds = 0.0, 0
    for line in range(6, half + 1):
        for i, beside in enumerate(_AROUND):
            other = line + beside
            other = 2 * half - other if other > half else other  # the spectrum comes back
            value, place = power[other - 1], i
            while place > 0 and around[place - 1] > value:
                around[place] = around[place - 1]
                place -= 1
            around[place] = value
        median = (around[3] + around[4]) / 2
        above[line] = np.log2((power[line - 1] + _TINY) / (median + _TINY))
        if line % (2 * eighth) == eighth:
            odd += above[line]
            odds += 1
    strongest = -np.inf
    for line in range(6, half + 1):
        if line % (2 * eighth) == 0:
            above[line] -= max(0.0, odd / odds)
        elif line % (2 * eighth) == eighth:
            above[line] = 0.0
        strongest = max(strongest, above[line])
    return strongest
