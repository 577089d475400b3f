"""Joint co-occurrences of the residuals of R, G and B at the same place: 756 numbers.

A camera and a generator tie the colours of a pixel together in other ways; this block adds most on
files that were never a JPEG. A triple and its negative share a bin.

Features in order: step (1, 2), residual (first difference across, down; second difference across,
down; corners of a square; 3x3 square), then 63 bins: square roots of shares.

Of a region above 256x256 pixels a quarter of the rows is counted (residual_symbols).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.lanes import WORD
from worker.extractor.blocks.planes import Planes
from worker.extractor.blocks.residual_symbols import (
    CODES,
    CORNERS,
    FIRST,
    LEVELS,
    SECOND,
    SQUARE,
    bands,
    count_triples,
    find_symbols,
    load_band,
    root_shares,
    words_across,
)

STEPS = (1, 2)
# By residual: its kind, whether neighbours stand below and beside, and which limits it has.
RESIDUALS = (
    (FIRST, 0, 1, 0),
    (FIRST, 1, 0, 0),
    (SECOND, 0, 1, 1),
    (SECOND, 1, 0, 1),
    (CORNERS, 1, 1, 1),
    (SQUARE, 1, 1, 2),
)
SIZE = len(STEPS) * len(RESIDUALS) * CODES
# Thresholds of the symbols: (near, far), residuals rounded to multiples of 1, 2, 4 and 8 levels.
_FINE, _MIDDLE, _COARSE, _COARSEST = (1, 2), (1, 3), (2, 6), (4, 12)
LIMITS = np.array(
    [[_FINE, _MIDDLE, _COARSE], [_MIDDLE, _COARSE, _COARSEST]], dtype=np.int8
)  # by step, of first differences, of second ones and corners, of 3x3 squares


@njit(cache=True, nogil=True, inline="always")
def accumulate(planes: Planes) -> NDArray[np.float64]:
    """Sums (756,): how often each bin was met; each 63 add up to their count."""
    counts = np.zeros((len(STEPS), len(RESIDUALS), CODES), dtype=np.int64)
    _count_region(planes.rgb, bands(planes.rgb.shape[1], planes.rgb.shape[2]), counts)
    return counts.astype(np.float64).ravel()


def finish(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """Features (756,) of sums, added over any number of regions."""
    return root_shares(sums.reshape(-1, CODES)).astype(np.float32).ravel()


@njit(cache=True, nogil=True)
def _count_region(
    rgb: NDArray[np.uint8], read: NDArray[np.intp], counts: NDArray[np.int64]
) -> None:
    """Adds the read bands (N, 2) of a region (3, H, W) to counts (steps, 6, 63)."""
    _, height, width = rgb.shape
    words = words_across(width)
    most = read[:, 1].max()
    below = 2 * STEPS[-1]
    band = np.zeros((3, (most + below) * words * WORD + WORD), dtype=np.int16)
    residuals = np.empty(most * words * WORD, dtype=np.int8)
    bits = np.empty((3, LEVELS, most * words), dtype=np.uint64)
    for top, rows in read:
        for c in range(3):
            load_band(rgb[c], top, rows + below, band[c])
        left = height - top
        for number, step in enumerate(STEPS):
            for residual, (kind, down, across, which) in enumerate(RESIDUALS):
                for c in range(3):
                    find_symbols(
                        band[c],
                        left,
                        width,
                        rows,
                        kind,
                        down * step,
                        across * step,
                        LIMITS[number, which],
                        residuals,
                        bits[c],
                    )
                count_triples(bits[0], bits[1], bits[2], rows * words, counts[number, residual])
