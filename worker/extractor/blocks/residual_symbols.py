"""Differences of neighbouring pixels as symbols 0 to 4, and joint histograms of three symbols.

Letters for axes: H rows, W columns. `step` is the distance of neighbours in pixels.

A residual r becomes the number of the four r > -far, r > -near, r >= near, r >= far that hold, so 2
where it is small. All of it is whole numbers: the same on every machine.

A band of rows is read at once, and of each symbol a bit is kept for every place, 64 to a word. The
places where three symbols stand are then what three words have in common, and counting them takes
a sixth of the time that a histogram of single places would.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.lanes import WORD, at_least, ones

LEVELS = 5
CODES = 63
"""Joint values of three symbols a, b, c and their negatives together: the smaller code, 25 a + 5 b
+ c, of the two."""
DENSE_PIXELS = 256 * 256
"""A region of more pixels is thinned out where a block would else cost too much."""
FIRST, SECOND, CORNERS, SQUARE = 0, 1, 2, 3
"""Residuals: the pixel one step further less this one; this one and that two steps further less
twice the one between; one diagonal of a square less the other; second difference across of second
differences down (-1 2 -1, 2 -4 2, -1 2 -1)."""
FARTHEST = 4
"""Pixels; no step is larger."""
BAND = 8
"""Rows of a band of a region that is thinned out."""
BANDS = (True, False, False, True, False, False, False, False)
"""Of each eight bands of such a region, which are read."""
_WORDS = 64  # of a band at a time, about: so the bits of all symbols stay in the first cache
_LEAST, _LARGEST = np.int16(-127), np.int16(127)  # of a residual; no threshold lies beyond
_ALL = np.uint64(2**64 - 1)
_ONE = np.uint64(1)

Pixels = NDArray[np.uint8] | NDArray[np.int16]


@njit(cache=True, nogil=True, inline="always")
def bands(height: int, width: int) -> NDArray[np.intp]:
    """(N, 2): first row and rows of the bands that are read: all rows, or a quarter of a large one.

    Those have eight rows, the first and the fourth of each eight bands, so that every phase of a
    lattice of up to 16 pixels is counted equally often. A quarter of 512x512 is as many places as a
    whole 256x256 has; counting is what costs.
    """
    thinned = height * width > DENSE_PIXELS
    rows = BAND if thinned else BAND * max(1, _WORDS // BAND // words_across(width))
    found = np.empty(((height + rows - 1) // rows, 2), dtype=np.intp)
    count = 0
    for number, top in enumerate(range(0, height, rows)):
        if not thinned or BANDS[number % len(BANDS)]:
            found[count] = top, min(rows, height - top)
            count += 1
    return found[:count]


@njit(cache=True, nogil=True)
def words_across(width: int) -> int:
    """Words that hold the places of a row."""
    return (width + WORD - 1) // WORD


@njit(cache=True, nogil=True)
def load_band(pixels: Pixels, top: int, rows: int, band: NDArray[np.int16]) -> None:
    """Rows of (H, W) from `top` on, as many as there are, side by side, each filling its words."""
    height, width = pixels.shape
    for i in range(min(rows, height - top)):
        row = np.uint64(i * words_across(width) * WORD)
        for x in range(np.uint64(width)):
            band[row + x] = pixels[top + i, x]


@njit(cache=True, nogil=True)
def find_symbols(
    band: NDArray[np.int16],
    height: int,
    width: int,
    rows: int,
    kind: int,
    down: int,
    across: int,
    limits: NDArray[np.int8],
    residuals: NDArray[np.int8],
    bits: NDArray[np.uint64],
) -> None:
    """Bits (5, words) of the first `rows` rows: where each symbol stands, and nowhere else.

    `height` rows of the band are the picture's; neighbours are `down` rows and `across` columns
    apart; limits are (near, far). `residuals` is overwritten.
    """
    words = words_across(width)
    pitch = words * WORD
    _fill_residuals(band, kind, down * pitch, across, rows * pitch, residuals)
    lowest, low = np.int8(1 - limits[1]), np.int8(1 - limits[0])
    high, highest = np.int8(limits[0]), np.int8(limits[1])
    for k in range(rows * words):
        above_lowest = at_least(residuals, WORD * k, lowest)
        above_low = at_least(residuals, WORD * k, low)
        from_high = at_least(residuals, WORD * k, high)
        from_highest = at_least(residuals, WORD * k, highest)
        bits[0, k] = ~above_lowest
        bits[1, k] = above_lowest & ~above_low
        bits[2, k] = above_low & ~from_high
        bits[3, k] = from_high & ~from_highest
        bits[4, k] = from_highest
    reach = 2 if kind in (SECOND, SQUARE) else 1
    _clear(rows, words, height - reach * down, width - reach * across, bits)


@njit(cache=True, nogil=True)
def _fill_residuals(
    p: NDArray[np.int16], kind: int, down: int, across: int, size: int, out: NDArray[np.int8]
) -> None:
    """Of `size` places; what lies `down` and `across` further is that much further in `p`."""
    d, a = np.uint64(down), np.uint64(across)
    one, two = d + a, d + d + a + a
    if kind == FIRST:
        for i in range(np.uint64(size)):
            out[i] = _byte(p[i + one] - p[i])
    elif kind == SECOND:
        for i in range(np.uint64(size)):
            out[i] = _byte(p[i] + p[i + two] - p[i + one] - p[i + one])
    elif kind == CORNERS:
        for i in range(np.uint64(size)):
            out[i] = _byte(p[i] + p[i + one] - p[i + a] - p[i + d])
    else:
        for i in range(np.uint64(size)):
            left = p[i] + p[i + d + d] - p[i + d] - p[i + d]
            k = i + a
            middle = p[k] + p[k + d + d] - p[k + d] - p[k + d]
            k = k + a
            right = p[k] + p[k + d + d] - p[k + d] - p[k + d]
            out[i] = _byte(middle + middle - left - right)


@njit(cache=True, nogil=True)
def _byte(residual: int) -> np.int8:
    """No further than a byte goes; through int16, since wider loops take twice the time."""
    return np.int8(min(max(np.int16(residual), _LEAST), _LARGEST))


@njit(cache=True, nogil=True)
def _clear(rows: int, words: int, height: int, width: int, bits: NDArray[np.uint64]) -> None:
    """No symbols beyond so many rows and columns."""
    edge = width // WORD
    kept = (_ONE << np.uint64(width % WORD)) - _ONE
    for s in range(LEVELS):
        for i in range(rows):
            for w in range(edge, words):
                bits[s, i * words + w] &= kept if w == edge else np.uint64(0)
        for k in range(max(0, height) * words, rows * words):
            bits[s, k] = 0


@njit(cache=True, nogil=True)
def shift_across(
    bits: NDArray[np.uint64], words: int, size: int, by: int, out: NDArray[np.uint64]
) -> None:
    """What stands `by` columns further in the row, of the first `size` words; nothing at its end.

    `by` is 1 to 63.
    """
    lower, upper, next_word = np.uint64(by), np.uint64(WORD - by), np.uint64(1)
    for s in range(LEVELS):
        for k in range(np.uint64(size - 1)):
            out[s, k] = (bits[s, k] >> lower) | (bits[s, k + next_word] << upper)
        for k in range(words - 1, size, words):
            out[s, k] = bits[s, k] >> lower


@njit(cache=True, nogil=True)
def shift_down(bits: NDArray[np.uint64], size: int, by: int, out: NDArray[np.uint64]) -> None:
    """What stands `by` words further, of the first `size` words: some rows below."""
    further = np.uint64(by)
    for s in range(LEVELS):
        for k in range(np.uint64(size)):
            out[s, k] = bits[s, k + further]


@njit(cache=True, nogil=True)
def count_triples(
    a: NDArray[np.uint64],
    b: NDArray[np.uint64],
    c: NDArray[np.uint64],
    size: int,
    counts: NDArray[np.int64],
) -> None:
    """Adds to counts (63,) how often each code stands in the first `size` words of (5, words).

    The negative of a symbol s is 4 - s. Where a and b are their own negatives, so is the code of
    c and 4 - c, counted once.
    """
    for pair in range(CODES // LEVELS + 1):
        i, j = pair // LEVELS, pair % LEVELS
        n0, n1, n2, n3, n4 = 0, 0, 0, 0, 0
        for w in range(size):
            own = a[i, w] & b[j, w]
            negative = a[4 - i, w] & b[4 - j, w]
            n0 += ones((own & c[0, w]) | (negative & c[4, w]))
            n1 += ones((own & c[1, w]) | (negative & c[3, w]))
            n2 += ones((own | negative) & c[2, w])
            n3 += ones((own & c[3, w]) | (negative & c[1, w]))
            n4 += ones((own & c[4, w]) | (negative & c[0, w]))
        counts[LEVELS * pair] += n0
        counts[LEVELS * pair + 1] += n1
        counts[LEVELS * pair + 2] += n2
        if LEVELS * pair + 3 < CODES:
            counts[LEVELS * pair + 3] += n3
            counts[LEVELS * pair + 4] += n4


def mirroring() -> NDArray[np.float64]:
    """(63, 39): 1 where a code has this bin, which it shares with its mirror image c, b, a.

    For triples of neighbours, which a mirrored picture reverses. Bins are in the order of their
    smallest codes.
    """
    bins: dict[int, int] = {}
    index = []
    for code in range(CODES):
        reverse = code % 5 * 25 + code // 5 % 5 * 5 + code // 25
        index.append(bins.setdefault(min(code, reverse, 124 - reverse), len(bins)))
    into: NDArray[np.float64] = (np.arange(len(bins)) == np.array(index)[:, None]).astype(
        np.float64
    )
    return into


def root_shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts (N, bins) to the square roots of their shares of a row: even noise in all of them."""
    shares: NDArray[np.float64] = np.sqrt(counts / counts.sum(axis=1, keepdims=True))
    return shares
