"""A region's pixels as the planes that every block reads, converted once.

Letters for axes: H rows, W columns.

The weights are ITU-R BT.601 as in JFIF, full range, in 1/65536 as libjpeg has them (jccolor.c):
sums of bytes so weighted stay below 2**24, so that each float32 here is exact and the same on
every machine.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

SMALLEST_SIDE = 32
"""Pixels; a region is at least so high and so wide."""
_UNIT = np.float32(1 / 65536)


class Planes(NamedTuple):
    """One region: (H, W) each; `rgb` is the region itself, (3, H, W) uint8.

    `y`, `cb`, `cr` are float32 in grey levels, centred (Y has 128 taken off, as before a JPEG's
    DCT); the `whole_` ones are the same rounded to whole grey levels, int16.
    """

    rgb: NDArray[np.uint8]
    y: NDArray[np.float32]
    cb: NDArray[np.float32]
    cr: NDArray[np.float32]
    whole_y: NDArray[np.int16]
    whole_cb: NDArray[np.int16]
    whole_cr: NDArray[np.int16]


def to_planes(region: NDArray[np.uint8]) -> Planes:
    """uint8 RGB (3, H, W), H and W at least 32, its top left on the picture's 16-pixel grid."""
    if region.ndim != 3 or region.shape[0] != 3 or min(region.shape[1:]) < SMALLEST_SIDE:
        raise ValueError(
            f"a region is (3, H, W) with sides of {SMALLEST_SIDE} and more, not {region.shape}"
        )
    region = np.ascontiguousarray(region, dtype=np.uint8)
    exact = np.empty(region.shape, dtype=np.float32)
    whole = np.empty(region.shape, dtype=np.int16)
    _convert(region.reshape(3, -1), exact.reshape(3, -1), whole.reshape(3, -1))
    return Planes(region, exact[0], exact[1], exact[2], whole[0], whole[1], whole[2])


@njit(cache=True, nogil=True)
def _convert(rgb: NDArray[np.uint8], exact: NDArray[np.float32], whole: NDArray[np.int16]) -> None:
    """(3, H*W) each; the rounding is to the nearest, halves upwards, as the shift does it."""
    for i in range(rgb.shape[1]):
        red = np.int32(rgb[0, i])
        green = np.int32(rgb[1, i])
        blue = np.int32(rgb[2, i])
        y = np.int32(19595 * red + 38470 * green + 7471 * blue - 8388608)
        cb = np.int32(-11059 * red - 21709 * green + 32768 * blue)
        cr = np.int32(32768 * red - 27439 * green - 5329 * blue)
        exact[0, i] = np.float32(y) * _UNIT
        exact[1, i] = np.float32(cb) * _UNIT
        exact[2, i] = np.float32(cr) * _UNIT
        whole[0, i] = (y + 32768) >> 16
        whole[1, i] = (cb + 32768) >> 16
        whole[2, i] = (cr + 32768) >> 16
