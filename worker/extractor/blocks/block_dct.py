"""Block DCT statistics of Y, Cb and Cr on the codec's own 8x8 grid: 768 numbers.

The best single block after JPEG, and it costs one transform. Features in order: channel (Y, Cb,
Cr), statistic (log mean |c|, log mean c squared, share below 1, share below 4), then the 64 modes,
row by row (vertical frequency first).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.planes import Planes
from worker.extractor.blocks.shifted_dct import FLOOR, SUMS, Grids, dct_sums

SIZE = 3 * 4 * 64
MODES: NDArray[np.bool_] = np.ones((8, 8), dtype=np.bool_)
BELOW = (1, 3)
"""Which of the `THRESHOLDS` shares are told of: 1 and 4 grey levels."""


@njit(cache=True, nogil=True, inline="always")
def accumulate(planes: Planes, luma: Grids) -> NDArray[np.float64]:
    """Sums (1 + 3*64*S,): the blocks, then channel, mode and the kernel's sums.

    `luma` are those of Y on grids of which the first is this one.
    """
    counts, of_y = luma
    _, of_cb = dct_sums(planes.cb, 8, MODES)
    _, of_cr = dct_sums(planes.cr, 8, MODES)
    return np.concatenate((counts[0, :1], of_y[0, 0].ravel(), of_cb.ravel(), of_cr.ravel()))


def finish(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """Features (768,) of sums, added over any number of regions."""
    means = sums[1:].reshape(3, 64, SUMS) / sums[0]
    statistics = np.stack(
        [
            np.log(means[..., 0] + FLOOR),
            np.log(means[..., 1] + FLOOR**2),
            *(means[..., 2 + k] for k in BELOW),
        ],
        axis=1,
    )  # (3, 4, 64)
    return statistics.astype(np.float32).ravel()
