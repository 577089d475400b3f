"""Co-occurrences of residuals in Y, Cb and Cr at distances of 1, 2 and 4 pixels: 1,053 numbers.

After Fridrich and Kodovsky, "Rich Models for Steganalysis of Digital Images", TIFS 2012: three
neighbouring residuals, each quantised to five symbols, across and down pooled; a triple, its
negative and its mirror image share a bin.

Features in order: channel (Y, Cb, Cr), step (1, 2, 4), residual (first difference, second
difference, corners of a square), then 39 bins: square roots of shares.

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
    rows_reached,
    rows_to_read,
    second_symbols,
)

STEPS = (1, 2, 4)
_FOLD = folding(mirrored=True)
_BINS = int(_FOLD.max()) + 1
SIZE = 3 * len(STEPS) * 3 * _BINS
# Thresholds (near, far) of the symbols: residuals rounded to multiples of 1, 2 and 4 grey levels.
_FINE, _MIDDLE, _COARSE = (1, 2), (1, 3), (2, 6)
# By step, of first differences and of the others: brightness moves more with the distance, chroma
# little.
_THRESHOLDS_Y = np.array([[_FINE, _MIDDLE], [_MIDDLE, _COARSE], [_MIDDLE, _COARSE]], dtype=np.int16)
_THRESHOLDS_CHROMA = np.array([[_FINE, _MIDDLE]] * len(STEPS), dtype=np.int16)


def accumulate(planes: Planes) -> NDArray[np.float64]:
    """Sums (1053,): how often each bin was met; each 39 add up to their count."""
    rows = rows_to_read(*planes.whole_y.shape)
    tables = np.zeros((3, len(STEPS), 3, TABLES * TABLE), dtype=np.int64)
    _count_channel(planes.whole_y, _THRESHOLDS_Y, rows, tables[0])
    _count_channel(planes.whole_cb, _THRESHOLDS_CHROMA, rows, tables[1])
    _count_channel(planes.whole_cr, _THRESHOLDS_CHROMA, rows, tables[2])
    return folded(tables.reshape(-1, TABLES * TABLE), _FOLD).ravel()


def finish(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """Features (1053,) of sums, added over any number of regions."""
    return root_shares(sums.reshape(-1, _BINS)).astype(np.float32).ravel()


@njit(cache=True, nogil=True)
def _count_channel(
    pixels: NDArray[np.int16],
    thresholds: NDArray[np.int16],
    rows: NDArray[np.bool_],
    tables: NDArray[np.int64],
) -> None:
    """Adds one channel (H, W) to tables (steps, 3, 4 * 128); thresholds are (steps, 2, 2)."""
    symbols = np.empty(pixels.shape, dtype=np.uint8)
    for number, step in enumerate(STEPS):
        near, far = thresholds[number, 0, 0], thresholds[number, 0, 1]
        near_other, far_other = thresholds[number, 1, 0], thresholds[number, 1, 1]
        into = tables[number]
        for down, across in ((0, step), (step, 0)):
            needed = rows_reached(rows, down)
            first_symbols(pixels, down, across, needed, near, far, symbols)
            _count(symbols, down, across, down, across, rows, into[0])
            second_symbols(pixels, down, across, needed, near_other, far_other, symbols)
            _count(symbols, 2 * down, 2 * across, down, across, rows, into[1])
        needed = rows_reached(rows, step)
        cross_symbols(pixels, step, needed, near_other, far_other, symbols)
        _count(symbols, step, step, 0, step, rows, into[2])
        _count(symbols, step, step, step, 0, rows, into[2])


@njit(cache=True, nogil=True)
def _count(
    symbols: NDArray[np.uint8],
    rows_without: int,
    columns_without: int,
    down: int,
    across: int,
    rows: NDArray[np.bool_],
    tables: NDArray[np.int64],
) -> None:
    """Triples of symbols that stand so far apart; the last rows and columns `without` hold none."""
    height = symbols.shape[0] - rows_without - 2 * down
    width = symbols.shape[1] - columns_without - 2 * across
    a = symbols[:height, :width]
    b = symbols[down : down + height, across : across + width]
    c = symbols[2 * down : 2 * down + height, 2 * across : 2 * across + width]
    count_triples(a, b, c, rows, tables)
