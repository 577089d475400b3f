"""Log mean power of Y, Cb and Cr over windows of 32x32 pixels: 1,539 numbers.

Upsampling leaves peaks and bands; this block leads on files that were never a JPEG. A generator's
learned kernels need not be symmetric, so the diagonals are kept apart: of the half plane of
frequencies that a real picture has, all 513 but the constant.

Features in order: channel (Y, Cb, Cr), then the frequencies as `numpy.fft.rfft2` gives them, row
by row, without the constant and without those that repeat another.

The transform of 32 numbers is one of eight of every fourth, turned, and one of four across those
(Cooley and Tukey 1965, radix 8 and 4): of all columns of a window at once, then of all rows.

Two windows of a channel are the real and the imaginary part of one complex transform Z: the sum of
their powers at k is (|Z(k)| squared + |Z(-k)| squared) / 2, so they need not be taken apart.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.lanes import copy_4, copy_32
from worker.extractor.blocks.planes import Planes

SIDE = 32
"""Pixels; windows stand side by side, from the region's top left."""
_HALF = SIDE // 2
FLOOR = 1e-2
"""Squared grey levels: below what rounding to bytes makes (1/12), so that flat pictures have a
finite logarithm."""
_ROWS, _COLUMNS = np.mgrid[:SIDE, : _HALF + 1]
# In the first and the last column the rows above the half repeat those below it.
KEPT: NDArray[np.bool_] = ((_COLUMNS % _HALF > 0) | (_ROWS <= _HALF)) & (_ROWS + _COLUMNS > 0)
_KEPT_ROWS, _KEPT_COLUMNS = (np.ascontiguousarray(axis) for axis in np.nonzero(KEPT))
_COUNT = len(_KEPT_ROWS)
SIZE = 3 * _COUNT
_HANN = np.hanning(SIDE)
WINDOW = np.outer(_HANN, _HANN)
WINDOW = (WINDOW / np.sqrt((WINDOW**2).mean()) / SIDE).astype(np.float32).ravel()
# What turns the q-th of eight frequencies of every fourth number from the k-th on.
_TURN = np.exp(-2j * np.pi * np.outer(np.arange(4), np.arange(8)) / SIDE)
_COSINES, _SINES = _TURN.real.astype(np.float32), _TURN.imag.astype(np.float32)
_DIAGONAL = np.float32(np.sqrt(0.5))
# The frequency q + 8 p comes out at 4 q + p.
_PLACE = np.array([k % 8 * 4 + k // 8 for k in range(SIDE)])
_AREA = SIDE * SIDE
_ADDED = 16  # pairs of windows whose power is added in float32
_NONE = np.float32(0)
_Four = tuple[float, float, float, float, float, float, float, float]
_NEAR = {"contract"}  # multiply and add at once, but never in another order


@njit(cache=True, nogil=True, inline="always")
def accumulate(planes: Planes) -> NDArray[np.float64]:
    """Sums (1 + 1539,): the windows, then the power of each channel and frequency."""
    height, width = planes.y.shape
    sums = np.empty(1 + SIZE)
    sums[0] = (height // SIDE) * (width // SIDE)
    for number, plane in enumerate((planes.y, planes.cb, planes.cr)):
        sums[1 + number * _COUNT : 1 + (number + 1) * _COUNT] = _kept_power(plane)
    return sums


def finish(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """Features (1539,) of sums, added over any number of regions."""
    logs: NDArray[np.float64] = np.log(sums[1:] / sums[0] + FLOOR)
    return logs.astype(np.float32)


@njit(cache=True, nogil=True, inline="always")
def _kept_power(plane: NDArray[np.float32]) -> NDArray[np.float64]:
    """(H, W) to the power (513,) of all windows, added."""
    power = np.zeros(_AREA)
    _add_power(plane.ravel(), plane.shape[1], power)
    kept = np.empty(_COUNT)
    for i in range(_COUNT):
        down, across = _KEPT_ROWS[i], _KEPT_COLUMNS[i]
        own = power[_PLACE[across] * SIDE + _PLACE[down]]
        opposite = power[_PLACE[-across % SIDE] * SIDE + _PLACE[-down % SIDE]]  # that of -k
        kept[i] = (own + opposite) / 2
    return kept


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _add_power(plane: NDArray[np.float32], width: int, power: NDArray[np.float64]) -> None:
    """Adds |Z| squared of each pair of windows of (H * W,) to power (horizontal, vertical).

    Both axes are as `_PLACE` has it. A last window without a partner is paired with zeros.
    """
    pair = np.zeros(2 * _AREA, dtype=np.float32)  # the real parts, then the imaginary ones
    turned = np.empty(2 * _AREA, dtype=np.float32)
    some = np.zeros(_AREA, dtype=np.float32)
    across = width // SIDE
    windows = plane.size // width // SIDE * across
    for first in range(0, windows, 2):
        for k in range(2):
            window = first + k
            place = window // across * SIDE * width + window % across * SIDE
            if window < windows:
                _load(plane, width, place, pair, k * _AREA)
            else:
                pair[_AREA:] = _NONE
        _transform_eights(pair)
        _transform_fours(pair, turned)
        _transpose(turned, pair)
        _transform_eights(pair)
        _add_fours(pair, some)
        if first // 2 % _ADDED == _ADDED - 1 or first + 2 >= windows:
            for i in range(_AREA):
                power[i] += some[i]
                some[i] = _NONE


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _load(
    plane: NDArray[np.float32], width: int, place: int, into: NDArray[np.float32], to: int
) -> None:
    """The window that begins at `place`, its mean taken off, to `into` from `to` on."""
    for y in range(SIDE):
        copy_32(plane, place + y * width, into, to + y * SIDE)
    mean = np.float32(_total(into, to) / _AREA)
    start = np.uint64(to)
    for i in range(np.uint64(_AREA)):
        into[start + i] = (into[start + i] - mean) * WINDOW[i]


@njit(cache=True, nogil=True, fastmath=True)
def _total(pixels: NDArray[np.float32], start: int) -> float:
    """Of one window; its pixels are multiples of 1/65536, so float64 adds them exactly."""
    total = 0.0
    for i in range(np.uint64(_AREA)):
        total += pixels[np.uint64(start) + i]
    return total


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _transform_eights(pair: NDArray[np.float32]) -> None:
    """Of each column, in place: the rows k, k + 4, ... become their eight frequencies, turned."""
    for k in range(4):
        c1, c2, c3, c4 = _COSINES[k, 1], _COSINES[k, 2], _COSINES[k, 3], _COSINES[k, 4]
        c5, c6, c7 = _COSINES[k, 5], _COSINES[k, 6], _COSINES[k, 7]
        s1, s2, s3, s4 = _SINES[k, 1], _SINES[k, 2], _SINES[k, 3], _SINES[k, 4]
        s5, s6, s7 = _SINES[k, 5], _SINES[k, 6], _SINES[k, 7]
        for i in range(SIDE * k, SIDE * (k + 1)):
            j = i + _AREA
            # Sums and differences of the rows half a turn apart.
            ar, ai = pair[i] + pair[i + 512], pair[j] + pair[j + 512]
            br, bi = pair[i] - pair[i + 512], pair[j] - pair[j + 512]
            cr, ci = pair[i + 128] + pair[i + 640], pair[j + 128] + pair[j + 640]
            dr, di = pair[i + 128] - pair[i + 640], pair[j + 128] - pair[j + 640]
            er, ei = pair[i + 256] + pair[i + 768], pair[j + 256] + pair[j + 768]
            fr, fi = pair[i + 256] - pair[i + 768], pair[j + 256] - pair[j + 768]
            gr, gi = pair[i + 384] + pair[i + 896], pair[j + 384] + pair[j + 896]
            hr, hi = pair[i + 384] - pair[i + 896], pair[j + 384] - pair[j + 896]
            # Even frequencies: a transform of four of the sums.
            pr, pi, mr, mi = ar + er, ai + ei, ar - er, ai - ei
            tr, ti, ur, ui = cr + gr, ci + gi, cr - gr, ci - gi
            pair[i], pair[j] = pr + tr, pi + ti
            xr, xi = mr + ui, mi - ur
            pair[i + 256], pair[j + 256] = c2 * xr - s2 * xi, c2 * xi + s2 * xr
            xr, xi = pr - tr, pi - ti
            pair[i + 512], pair[j + 512] = c4 * xr - s4 * xi, c4 * xi + s4 * xr
            xr, xi = mr - ui, mi + ur
            pair[i + 768], pair[j + 768] = c6 * xr - s6 * xi, c6 * xi + s6 * xr
            # Odd ones: of the differences, those of d and h turned by an eighth and three eighths.
            pr, pi, mr, mi = br + fi, bi - fr, br - fi, bi + fr
            tr, ti = _DIAGONAL * ((dr - hr) + (di + hi)), _DIAGONAL * ((di - hi) - (dr + hr))
            ur, ui = _DIAGONAL * ((di + hi) - (dr - hr)), -_DIAGONAL * ((di - hi) + (dr + hr))
            xr, xi = pr + tr, pi + ti
            pair[i + 128], pair[j + 128] = c1 * xr - s1 * xi, c1 * xi + s1 * xr
            xr, xi = mr + ur, mi + ui
            pair[i + 384], pair[j + 384] = c3 * xr - s3 * xi, c3 * xi + s3 * xr
            xr, xi = pr - tr, pi - ti
            pair[i + 640], pair[j + 640] = c5 * xr - s5 * xi, c5 * xi + s5 * xr
            xr, xi = mr - ur, mi - ui
            pair[i + 896], pair[j + 896] = c7 * xr - s7 * xi, c7 * xi + s7 * xr


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _four(pair: NDArray[np.float32], i: int) -> _Four:
    """Of the rows 4 q, ..., 4 q + 3 of the column at i the frequencies q + 8 p, p = 0 to 3.

    The real parts, then the imaginary ones.
    """
    j = i + _AREA
    ar, ai = pair[i] + pair[i + 64], pair[j] + pair[j + 64]
    br, bi = pair[i] - pair[i + 64], pair[j] - pair[j + 64]
    cr, ci = pair[i + 32] + pair[i + 96], pair[j + 32] + pair[j + 96]
    dr, di = pair[i + 32] - pair[i + 96], pair[j + 32] - pair[j + 96]
    return ar + cr, br + di, ar - cr, br - di, ai + ci, bi - dr, ai - ci, bi + dr


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _transform_fours(pair: NDArray[np.float32], turned: NDArray[np.float32]) -> None:
    """All of them, as (q, column, p)."""
    for q in range(8):
        for x in range(SIDE):
            r0, r1, r2, r3, i0, i1, i2, i3 = _four(pair, 4 * SIDE * q + x)
            i = 4 * (SIDE * q + x)
            j = i + _AREA
            turned[i], turned[i + 1], turned[i + 2], turned[i + 3] = r0, r1, r2, r3
            turned[j], turned[j + 1], turned[j + 2], turned[j + 3] = i0, i1, i2, i3


@njit(cache=True, nogil=True)
def _transpose(turned: NDArray[np.float32], pair: NDArray[np.float32]) -> None:
    """(q, column, p) to (column, 4 q + p), of the real parts and of the imaginary ones."""
    for part in range(0, 2 * _AREA, _AREA):
        for x in range(SIDE):
            for q in range(8):
                copy_4(turned, part + 4 * (SIDE * q + x), pair, part + SIDE * x + 4 * q)


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _add_fours(pair: NDArray[np.float32], power: NDArray[np.float32]) -> None:
    """Their squares, to power (4 q + p, column)."""
    for q in range(8):
        for x in range(SIDE):
            i = 4 * SIDE * q + x
            r0, r1, r2, r3, i0, i1, i2, i3 = _four(pair, i)
            power[i] += r0 * r0 + i0 * i0
            power[i + 32] += r1 * r1 + i1 * i1
            power[i + 64] += r2 * r2 + i2 * i2
            power[i + 96] += r3 * r3 + i3 * i3
