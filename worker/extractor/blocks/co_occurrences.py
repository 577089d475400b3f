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

from worker.extractor.blocks.lanes import WORD
from worker.extractor.blocks.planes import Planes
from worker.extractor.blocks.residual_symbols import (
    CODES,
    CORNERS,
    FARTHEST,
    FIRST,
    LEVELS,
    SECOND,
    bands,
    count_triples,
    find_symbols,
    load_band,
    mirroring,
    root_shares,
    shift_across,
    shift_down,
    words_across,
)

STEPS = (1, 2, FARTHEST)
_BINS_OF = mirroring()
_BINS = _BINS_OF.shape[1]
_BIN = _BINS_OF.argmax(axis=1)
SIZE = 3 * len(STEPS) * 3 * _BINS
# Thresholds (near, far) of the symbols: residuals rounded to multiples of 1, 2 and 4 grey levels.
_FINE, _MIDDLE, _COARSE = (1, 2), (1, 3), (2, 6)
# By step, of first differences and of the others: brightness moves more with the distance, chroma
# little.
LIMITS_Y = np.array([[_FINE, _MIDDLE], [_MIDDLE, _COARSE], [_MIDDLE, _COARSE]], dtype=np.int8)
LIMITS_CHROMA = np.array([[_FINE, _MIDDLE]] * len(STEPS), dtype=np.int8)


@njit(cache=True, nogil=True, inline="always")
def accumulate(planes: Planes) -> NDArray[np.float64]:
    """Sums (1053,): how often each bin was met; each 39 add up to their count."""
    read = bands(planes.whole_y.shape[0], planes.whole_y.shape[1])
    counts = np.zeros((3, len(STEPS), 3, CODES), dtype=np.int64)
    _count_channel(planes.whole_y, LIMITS_Y, read, counts[0])
    _count_channel(planes.whole_cb, LIMITS_CHROMA, read, counts[1])
    _count_channel(planes.whole_cr, LIMITS_CHROMA, read, counts[2])
    binned = np.zeros((counts.size // CODES, _BINS))
    for place, count in enumerate(counts.ravel()):
        binned[place // CODES, _BIN[place % CODES]] += count
    return binned.ravel()


def finish(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """Features (1053,) of sums, added over any number of regions."""
    return root_shares(sums.reshape(-1, _BINS)).astype(np.float32).ravel()


@njit(cache=True, nogil=True)
def _count_channel(
    pixels: NDArray[np.int16],
    limits: NDArray[np.int8],
    read: NDArray[np.intp],
    counts: NDArray[np.int64],
) -> None:
    """Adds the read bands (N, 2) of a channel (H, W) to counts (steps, 3, 63).

    `limits` are (steps, 2, 2). A triple downwards begins in the band and ends below it.
    """
    height, width = pixels.shape
    words = words_across(width)
    most = read[:, 1].max()
    below = 2 * FARTHEST
    band = np.zeros((most + 2 * below) * words * WORD + WORD, dtype=np.int16)
    residuals = np.empty((most + below) * words * WORD, dtype=np.int8)
    bits = np.empty((LEVELS, (most + below) * words), dtype=np.uint64)
    second = np.empty((LEVELS, most * words), dtype=np.uint64)
    third = np.empty((LEVELS, most * words), dtype=np.uint64)
    for top, rows in read:
        load_band(pixels, top, rows + 2 * below, band)
        left, size = height - top, rows * words
        for number, step in enumerate(STEPS):
            reached = rows + 2 * step
            for kind in (FIRST, SECOND, CORNERS):
                own, into = limits[number, min(kind, 1)], counts[number, kind]
                down, seen = (step, reached) if kind == CORNERS else (0, rows)
                find_symbols(band, left, width, seen, kind, down, step, own, residuals, bits)
                shift_across(bits, words, size, step, second)
                shift_across(bits, words, size, 2 * step, third)
                count_triples(bits, second, third, size, into)
                if kind != CORNERS:
                    find_symbols(band, left, width, reached, kind, step, 0, own, residuals, bits)
                shift_down(bits, size, step * words, second)
                shift_down(bits, size, 2 * step * words, third)
                count_triples(bits, second, third, size, into)
