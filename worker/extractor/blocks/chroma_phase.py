"""DCT statistics of Cb and Cr on sixteen grids with a period of 16 pixels: 1,440 numbers.

Most files keep chroma at half size (4:2:0), where a block of 8x8 covers 16x16 pixels. So Cb and Cr
are averaged over 2x2 pixels, on the codec's grid, and the grids are shifted by 0, 4, 8, 12 pixels
both ways (0, 2, 4, 6 at half size), folded to nine phases as in phase_dct.

Features in order: channel (Cb, Cr), phase (vertical first), statistic (log mean |c|, log root mean
square, share below 0.5, share below 2), then the 20 modes with u + v of 1 to 5, row by row.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.planes import Planes
from worker.extractor.blocks.shifted_dct import FLOOR, SUMS, dct_sums, fold, in_modes

_U, _V = np.mgrid[:8, :8]
MODES: NDArray[np.bool_] = (_U + _V <= 5) & (_U + _V > 0)
"""(8, 8): the twenty lowest but the constant; chroma has little above."""
BELOW = (0, 2)
"""Which of the `THRESHOLDS` shares are told of: 0.5 and 2 grey levels."""
_COUNT = int(MODES.sum())
SIZE = 2 * 9 * 4 * _COUNT
_STEP = 2  # of pixels at half size
_QUARTER = np.float32(0.25)


@njit(cache=True, nogil=True, inline="always")
def accumulate(planes: Planes) -> NDArray[np.float64]:
    """Sums (9 + 2*9*20*S,): the blocks of each phase, then channel, phase, mode, kernel's sums."""
    counts, of_cb = dct_sums(_halved(planes.cb), _STEP, MODES)
    _, of_cr = dct_sums(_halved(planes.cr), _STEP, MODES)
    parts = fold(counts).ravel(), in_modes(fold(of_cb), MODES), in_modes(fold(of_cr), MODES)
    return np.concatenate(parts)


def finish(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """Features (1440,) of sums, added over any number of regions."""
    means = sums[9:].reshape(2, 9, _COUNT, SUMS) / sums[:9, None, None]
    statistics = np.stack(
        [
            np.log(means[..., 0] + FLOOR),
            np.log(means[..., 1] + FLOOR**2) / 2,
            *(means[..., 2 + k] for k in BELOW),
        ],
        axis=2,
    )  # (2, 9, 4, 20)
    return statistics.astype(np.float32).ravel()


@njit(cache=True, nogil=True, inline="always")
def _halved(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) to (H // 2, W // 2): means of 2x2 pixels."""
    halved = np.empty((plane.shape[0] // 2, plane.shape[1] // 2), dtype=np.float32)
    for row in range(halved.shape[0]):
        for i in range(halved.shape[1]):
            above = plane[2 * row, 2 * i] + plane[2 * row, 2 * i + 1]
            below = plane[2 * row + 1, 2 * i] + plane[2 * row + 1, 2 * i + 1]
            halved[row, i] = (above + below) * _QUARTER
    return halved
