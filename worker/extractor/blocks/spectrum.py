"""Log mean power of Y, Cb and Cr over windows of 32x32 pixels: 1,539 numbers.

Upsampling leaves peaks and bands; this block leads on files that were never a JPEG. A generator's
learned kernels need not be symmetric, so the diagonals are kept apart: of the half plane of
frequencies that a real picture has, all 513 but the constant.

Features in order: channel (Y, Cb, Cr), then the frequencies as `numpy.fft.rfft2` gives them, row
by row, without the constant and without those that repeat another.

Two windows of a channel are the real and the imaginary part of one complex transform Z: the sum of
their powers at k is (|Z(k)| squared + |Z(-k)| squared) / 2, so they need not be taken apart.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.planes import Planes

SIDE = 32
"""Pixels; windows stand side by side, from the region's top left."""
_HALF = SIDE // 2
_FLOOR = 1e-2
"""Squared grey levels: below what rounding to bytes makes (1/12), so that flat pictures have a
finite logarithm."""
_ROWS, _COLUMNS = np.mgrid[:SIDE, : _HALF + 1]
# In the first and the last column the rows above the half repeat those below it.
_KEPT: NDArray[np.bool_] = ((_COLUMNS % _HALF > 0) | (_ROWS <= _HALF)) & (_ROWS + _COLUMNS > 0)
_COUNT = int(_KEPT.sum())
SIZE = 3 * _COUNT
_HANN = np.hanning(SIDE)
_WINDOW = np.outer(_HANN, _HANN)
_WINDOW = (_WINDOW / np.sqrt((_WINDOW**2).mean()) / SIDE).astype(np.float32)
_WAVE = np.exp(-2j * np.pi * np.arange(_HALF) / SIDE)
_COSINES, _SINES = _WAVE.real.astype(np.float32), _WAVE.imag.astype(np.float32)
# The transform leaves frequency k in the row whose five bits are those of k in reverse.
_PLACE = np.array([int(f"{k:05b}"[::-1], 2) for k in range(SIDE)])
_ZERO = np.float32(0)
_NEAR = {"contract"}  # multiply and add at once, but never in another order


def accumulate(planes: Planes) -> NDArray[np.float64]:
    """Sums (1 + 1539,): the windows, then the power of each channel and frequency."""
    height, width = planes.y.shape
    windows = (height // SIDE) * (width // SIDE)
    powers = [_kept_power(plane) for plane in (planes.y, planes.cb, planes.cr)]
    return np.concatenate([[float(windows)], *powers])


def finish(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """Features (1539,) of sums, added over any number of regions."""
    logs: NDArray[np.float64] = np.log(sums[1:] / sums[0] + _FLOOR)
    return logs.astype(np.float32)


def _kept_power(plane: NDArray[np.float32]) -> NDArray[np.float64]:
    """(H, W) to the power (513,) of all windows, added."""
    power = np.zeros((SIDE, SIDE))
    _add_power(plane, power)
    power = power[_PLACE][:, _PLACE].T  # (vertical, horizontal), in order
    opposite = np.roll(power[::-1, ::-1], 1, axis=(0, 1))  # that of -k
    kept: NDArray[np.float64] = ((power + opposite) / 2)[:, : _HALF + 1][_KEPT]
    return kept


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _add_power(plane: NDArray[np.float32], power: NDArray[np.float64]) -> None:
    """Adds |Z| squared of each pair of windows to power (horizontal, vertical), as `_PLACE` has it.

    A last window without a partner is paired with zeros.
    """
    real = np.empty((SIDE, SIDE), dtype=np.float32)
    imaginary = np.empty((SIDE, SIDE), dtype=np.float32)
    across = plane.shape[1] // SIDE
    windows = plane.shape[0] // SIDE * across
    for first in range(0, windows, 2):
        _load(plane, first // across * SIDE, first % across * SIDE, real)
        second = first + 1
        if second < windows:
            _load(plane, second // across * SIDE, second % across * SIDE, imaginary)
        else:
            imaginary[:] = _ZERO
        _transform(real, imaginary)
        _transpose(real)
        _transpose(imaginary)
        _transform(real, imaginary)
        for k in range(SIDE):
            for j in range(SIDE):
                power[k, j] += real[k, j] * real[k, j] + imaginary[k, j] * imaginary[k, j]


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _load(plane: NDArray[np.float32], top: int, left: int, into: NDArray[np.float32]) -> None:
    """One window, its mean taken off."""
    mean = _mean(plane, top, left)
    for y in range(SIDE):
        for x in range(SIDE):
            into[y, x] = (plane[top + y, left + x] - mean) * _WINDOW[y, x]


@njit(cache=True, nogil=True, fastmath=True)
def _mean(plane: NDArray[np.float32], top: int, left: int) -> np.float32:
    """Of one window; its pixels are multiples of 1/65536, so float64 adds them exactly."""
    total = 0.0
    for y in range(SIDE):
        for x in range(SIDE):
            total += plane[top + y, left + x]
    return np.float32(total / (SIDE * SIDE))


@njit(cache=True, nogil=True, fastmath=_NEAR)
def _transform(real: NDArray[np.float32], imaginary: NDArray[np.float32]) -> None:
    """Fourier transform of the 32 columns at once, in place, radix 2, decimation in frequency."""
    half = _HALF
    while half > 0:
        for start in range(0, SIDE, 2 * half):
            for k in range(half):
                c = _COSINES[k * (_HALF // half)]
                s = _SINES[k * (_HALF // half)]
                ar, ai = real[start + k], imaginary[start + k]
                br, bi = real[start + k + half], imaginary[start + k + half]
                for j in range(SIDE):
                    dr, di = ar[j] - br[j], ai[j] - bi[j]
                    ar[j] += br[j]
                    ai[j] += bi[j]
                    br[j] = c * dr - s * di
                    bi[j] = c * di + s * dr
        half //= 2


@njit(cache=True, nogil=True)
def _transpose(square: NDArray[np.float32]) -> None:
    for y in range(SIDE):
        for x in range(y):
            square[y, x], square[x, y] = square[x, y], square[y, x]
