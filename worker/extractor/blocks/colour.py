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

from worker.extractor.blocks.planes import Planes
from worker.extractor.blocks.residual_symbols import (
    TABLE,
    TABLES,
    count_triples,
    cross_symbols,
    first_symbols,
    folded,
    folding,
    root_shares,
    rows_to_read,
    second_symbols,
    square_symbols,
)

STEPS = (1, 2)
_FOLD = folding(mirrored=False)
_BINS = int(_FOLD.max()) + 1
_RESIDUALS = 6
SIZE = len(STEPS) * _RESIDUALS * _BINS
# Thresholds of the symbols: (near, far), residuals rounded to multiples of 1, 2, 4 and 8 levels.
_FINE, _MIDDLE, _COARSE, _COARSEST = (1, 2), (1, 3), (2, 6), (4, 12)
_THRESHOLDS = np.array(
    [[_FINE, _MIDDLE, _COARSE], [_MIDDLE, _COARSE, _COARSEST]], dtype=np.int16
)  # by step, of first differences, of second ones and corners, of 3x3 squares


def accumulate(planes: Planes) -> NDArray[np.float64]:
    """Sums (756,): how often each bin was met; each 63 add up to their count."""
    tables = np.zeros((len(STEPS), _RESIDUALS, TABLES * TABLE), dtype=np.int64)
    _count_region(planes.rgb, rows_to_read(*planes.rgb.shape[1:]), tables)
    return folded(tables.reshape(-1, TABLES * TABLE), _FOLD).ravel()


def finish(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """Features (756,) of sums, added over any number of regions."""
    return root_shares(sums.reshape(-1, _BINS)).astype(np.float32).ravel()


@njit(cache=True, nogil=True)
def _count_region(
    rgb: NDArray[np.uint8], rows: NDArray[np.bool_], tables: NDArray[np.int64]
) -> None:
    """Adds a region (3, H, W) to tables (steps, 6, 4 * 128)."""
    symbols = np.empty(rgb.shape, dtype=np.uint8)
    for number, step in enumerate(STEPS):
        limits = _THRESHOLDS[number]
        into = tables[number]
        for turn, (down, across) in enumerate(((0, step), (step, 0))):
            for c in range(3):
                first_symbols(rgb[c], down, across, rows, limits[0, 0], limits[0, 1], symbols[c])
            _count(symbols, down, across, rows, into[turn])
            for c in range(3):
                second_symbols(rgb[c], down, across, rows, limits[1, 0], limits[1, 1], symbols[c])
            _count(symbols, 2 * down, 2 * across, rows, into[2 + turn])
        for c in range(3):
            cross_symbols(rgb[c], step, rows, limits[1, 0], limits[1, 1], symbols[c])
        _count(symbols, step, step, rows, into[4])
        for c in range(3):
            square_symbols(rgb[c], step, rows, limits[2, 0], limits[2, 1], symbols[c])
        _count(symbols, 2 * step, 2 * step, rows, into[5])


@njit(cache=True, nogil=True)
def _count(
    symbols: NDArray[np.uint8],
    rows_without: int,
    columns_without: int,
    rows: NDArray[np.bool_],
    tables: NDArray[np.int64],
) -> None:
    """The three channels' symbols (3, H, W) of a place; the last `without` hold none."""
    height = symbols.shape[1] - rows_without
    width = symbols.shape[2] - columns_without
    red, green, blue = (
        symbols[0, :height, :width],
        symbols[1, :height, :width],
        symbols[2, :height, :width],
    )
    count_triples(red, green, blue, rows, tables)
