"""A region's pixels as the planes that every block reads, converted once.

Letters for axes: H rows, W columns.

The weights are ITU-R BT.601 as in JFIF, full range, in 1/65536 as libjpeg has them (jccolor.c):
sums of bytes so weighted stay below 2**24 of these, so that each float32 here, on the way too, is
exact and the same on every machine.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

SMALLEST_SIDE = 32
"""Pixels; a region is at least so high and so wide."""
_UNIT = 1 / 65536
_RED_Y, _GREEN_Y, _BLUE_Y = (np.float32(weight * _UNIT) for weight in (19595, 38470, 7471))
_RED_CB, _GREEN_CB = np.float32(-11059 * _UNIT), np.float32(-21709 * _UNIT)
_GREEN_CR, _BLUE_CR = np.float32(-27439 * _UNIT), np.float32(-5329 * _UNIT)
_HALF, _MIDDLE = np.float32(0.5), np.float32(128)
WEIGHTS = (
    (_RED_Y, _GREEN_Y, _BLUE_Y),
    (_RED_CB, _GREEN_CB, _HALF),
    (_HALF, _GREEN_CR, _BLUE_CR),
)
"""Of R, G and B in Y (which has 128 taken off), Cb and Cr."""


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


Region = NDArray[np.uint8] | Planes
"""uint8 RGB (3, H, W), H and W at least 32, or what `to_planes` made of it, which saves a while."""


def to_planes(region: Region) -> Planes:
    """The planes of a region whose top left is on the picture's 16-pixel grid."""
    if isinstance(region, Planes):
        return region
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
    """(3, H*W) each; whole levels are the nearest, halves upwards."""
    for i in range(rgb.shape[1]):
        red, green, blue = np.float32(rgb[0, i]), np.float32(rgb[1, i]), np.float32(rgb[2, i])
        y = _RED_Y * red + _GREEN_Y * green + _BLUE_Y * blue - _MIDDLE
        cb = _RED_CB * red + _GREEN_CB * green + _HALF * blue
        cr = _HALF * red + _GREEN_CR * green + _BLUE_CR * blue
        exact[0, i] = y
        exact[1, i] = cb
        exact[2, i] = cr
        whole[0, i] = np.int16(np.floor(y + _HALF))
        whole[1, i] = np.int16(np.floor(cb + _HALF))
        whole[2, i] = np.int16(np.floor(cr + _HALF))
