"""DCT statistics of Y on sixteen grids, shifted by 0, 2, 4, 6 both ways: 2,772 numbers.

A codec's grid sits at phase 0; a generator's lattice of 2, 4 or 8 pixels shows in how a mode
changes with the phase. What a mirror exchanges is folded: nine phases (0, 2 or 6, 4 both ways).

Features in order: phase (vertical first), statistic (log mean |c|, log root mean square, share
below 0.5, 1, 2, 4, 8), then the 44 modes within radius 7 of the constant, row by row.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.planes import Planes
from worker.extractor.blocks.shifted_dct import FLOOR, SUMS, Grids, dct_sums, fold, in_modes

_U, _V = np.mgrid[:8, :8]
MODES: NDArray[np.bool_] = (_U**2 + _V**2 <= 49) & (_U + _V > 0)
"""(8, 8): a disc, so that turning the picture by 90 degrees keeps the set; no constant."""
_COUNT = int(MODES.sum())
SIZE = 9 * SUMS * _COUNT
_STEP = 2


@njit(cache=True, nogil=True, inline="always")
def grids(planes: Planes, only_own: bool = False) -> Grids:
    """Y on the sixteen grids, or the first alone, the codec's own; on that one in all modes."""
    return dct_sums(planes.y, 8 if only_own else _STEP, MODES)


@njit(cache=True, nogil=True, inline="always")
def accumulate(luma: Grids) -> NDArray[np.float64]:
    """Sums (9 + 9*44*S,), of the `grids`: the blocks of each phase, then phase, mode, kernel's."""
    counts, sums = luma
    return np.concatenate((fold(counts).ravel(), in_modes(fold(sums), MODES)))


def finish(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """Features (2772,) of sums, added over any number of regions."""
    means = sums[9:].reshape(9, _COUNT, SUMS) / sums[:9, None, None]
    statistics = np.concatenate(
        [
            np.log(means[..., :1] + FLOOR),
            np.log(means[..., 1:2] + FLOOR**2) / 2,
            means[..., 2:],
        ],
        axis=2,
    )  # (9, 44, 7)
    return statistics.transpose(0, 2, 1).astype(np.float32).ravel()
