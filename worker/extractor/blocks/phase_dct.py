"""DCT statistics of Y on sixteen grids, shifted by 0, 2, 4, 6 both ways: 2,772 numbers.

A codec's grid sits at phase 0; a generator's lattice of 2, 4 or 8 pixels shows in how a mode
changes with the phase. What a mirror exchanges is folded: nine phases (0, 2 or 6, 4 both ways).

Features in order: phase (vertical first), statistic (log mean |c|, log root mean square, share
below 0.5, 1, 2, 4, 8), then the 44 modes within radius 7 of the constant, row by row.
"""

import numpy as np
from numpy.typing import NDArray

from worker.extractor.blocks.planes import Planes
from worker.extractor.blocks.shifted_dct import FLOOR, SUMS, Grids, dct_sums, fold

_U, _V = np.mgrid[:8, :8]
MODES: NDArray[np.bool_] = (_U**2 + _V**2 <= 49) & (_U + _V > 0)
"""(8, 8): a disc, so that turning the picture by 90 degrees keeps the set; no constant."""
_COUNT = int(MODES.sum())
SIZE = 9 * SUMS * _COUNT
_STEP = 2


def grids(planes: Planes) -> Grids:
    """Y on the sixteen grids; on the first, the codec's own, in all modes."""
    return dct_sums(planes.y, _STEP, MODES)


def accumulate(planes: Planes, known: Grids | None = None) -> NDArray[np.float64]:
    """Sums (9 + 9*44*S,): the blocks of each phase, then phase, mode and the kernel's sums.

    `known` are the planes' `grids`, where they are.
    """
    counts, sums = known or grids(planes)
    return np.concatenate([fold(counts).ravel(), fold(sums)[:, :, MODES].ravel()])


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
