"""Differences of neighbouring pixels as symbols 0 to 4, and joint histograms of three symbols.

Letters for axes: H rows, W columns. `step` is the distance of neighbours in pixels.

A residual r becomes the number of the four r > -far, r > -near, r >= near, r >= far that hold, so 2
where it is small. The thresholds are int16, since with wider ones the loops take twice the time.
All of it is whole numbers: the same on every machine.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

LEVELS = 5
CODES = LEVELS**3
"""Joint values of three symbols a, b, c: the code is 25 a + 5 b + c."""
TABLES = 4
"""Histograms are counted in four tables in turn; else equal neighbours would wait for another."""
TABLE = 128
DENSE_PIXELS = 256 * 256
"""A region of more pixels is thinned out where a block would else cost too much."""
_BAND = 8  # rows
_BANDS = (True, False, False, True, False, False, False, False)  # read, of each eight

Pixels = NDArray[np.uint8] | NDArray[np.int16]


def rows_to_read(height: int, width: int) -> NDArray[np.bool_]:
    """(H,): the rows whose places are counted: all of a small region, a quarter of a large one's.

    In bands of eight rows, the first and the fourth of each eight, so that every phase of a lattice
    of up to 16 pixels is counted equally often. A quarter of 512x512 is as many places as a whole
    256x256 has; counting is what costs.
    """
    chosen = np.ones(height, dtype=np.bool_)
    if height * width > DENSE_PIXELS:
        chosen = np.array(_BANDS)[np.arange(height) // _BAND % len(_BANDS)]
    return chosen


@njit(cache=True, nogil=True)
def rows_reached(rows: NDArray[np.bool_], apart: int) -> NDArray[np.bool_]:
    """(H,): the chosen rows and those that lie `apart` and twice as far below one of them."""
    reached = rows.copy()
    for y in range(rows.size):
        if rows[y]:
            reached[y + apart : y + apart + 1] = True
            reached[y + 2 * apart : y + 2 * apart + 1] = True
    return reached


@njit(cache=True, nogil=True)
def first_symbols(
    pixels: Pixels,
    down: int,
    across: int,
    rows: NDArray[np.bool_],
    near: np.int16,
    far: np.int16,
    symbols: NDArray[np.uint8],
) -> None:
    """The pixel `down` rows and `across` columns further, less this one.

    `symbols` is (H, W); of the chosen rows (H,) the places that have that pixel are written.
    """
    height, width = pixels.shape
    for y in range(height - down):
        if not rows[y]:
            continue
        a = pixels[y, : width - across]
        b = pixels[y + down, across:]
        out = symbols[y]
        for i in range(a.size):
            r = np.int16(b[i] - a[i])
            out[i] = np.uint8((r > -far) + (r > -near) + (r >= near) + (r >= far))


@njit(cache=True, nogil=True)
def second_symbols(
    pixels: Pixels,
    down: int,
    across: int,
    rows: NDArray[np.bool_],
    near: np.int16,
    far: np.int16,
    symbols: NDArray[np.uint8],
) -> None:
    """This pixel and the one twice as far, less twice the one between."""
    height, width = pixels.shape
    for y in range(height - 2 * down):
        if not rows[y]:
            continue
        a = pixels[y, : width - 2 * across]
        b = pixels[y + down, across:]
        c = pixels[y + 2 * down, 2 * across :]
        out = symbols[y]
        for i in range(a.size):
            r = np.int16(a[i] + c[i] - b[i] - b[i])
            out[i] = np.uint8((r > -far) + (r > -near) + (r >= near) + (r >= far))


@njit(cache=True, nogil=True)
def cross_symbols(
    pixels: Pixels,
    step: int,
    rows: NDArray[np.bool_],
    near: np.int16,
    far: np.int16,
    symbols: NDArray[np.uint8],
) -> None:
    """The corners of a square of that step: one diagonal less the other."""
    height, width = pixels.shape
    for y in range(height - step):
        if not rows[y]:
            continue
        a = pixels[y, : width - step]
        b = pixels[y, step:]
        c = pixels[y + step]
        d = pixels[y + step, step:]
        out = symbols[y]
        for i in range(a.size):
            r = np.int16(a[i] + d[i] - b[i] - c[i])
            out[i] = np.uint8((r > -far) + (r > -near) + (r >= near) + (r >= far))


@njit(cache=True, nogil=True)
def square_symbols(
    pixels: Pixels,
    step: int,
    rows: NDArray[np.bool_],
    near: np.int16,
    far: np.int16,
    symbols: NDArray[np.uint8],
) -> None:
    """Second difference across of second differences down: -1 2 -1, 2 -4 2, -1 2 -1."""
    height, width = pixels.shape
    size = width - 2 * step
    column = np.empty(width, dtype=np.int16)
    for y in range(height - 2 * step):
        if not rows[y]:
            continue
        a, b, c = pixels[y], pixels[y + step], pixels[y + 2 * step]
        for i in range(width):
            column[i] = np.int16(a[i] + c[i] - b[i] - b[i])
        left, middle, right = column[:size], column[step:], column[2 * step :]
        out = symbols[y]
        for i in range(size):
            r = np.int16(middle[i] + middle[i] - left[i] - right[i])
            out[i] = np.uint8((r > -far) + (r > -near) + (r >= near) + (r >= far))


@njit(cache=True, nogil=True)
def count_triples(
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    c: NDArray[np.uint8],
    rows: NDArray[np.bool_],
    tables: NDArray[np.int64],
) -> None:
    """Adds the codes of three planes of symbols of one shape, in the chosen rows.

    `rows` is at least as long as the planes are high; `tables` is (4 * 128,).
    """
    height, width = a.shape
    codes = np.empty(width, dtype=np.uint8)
    for y in range(height):
        if not rows[y]:
            continue
        for i in range(width):
            codes[i] = np.uint8(np.int16(a[y, i] * 25 + b[y, i] * 5 + c[y, i]))
        for k in range(width // 4):
            tables[codes[4 * k]] += 1
            tables[128 + np.intp(codes[4 * k + 1])] += 1
            tables[256 + np.intp(codes[4 * k + 2])] += 1
            tables[384 + np.intp(codes[4 * k + 3])] += 1
        for i in range(width // 4 * 4, width):
            tables[codes[i]] += 1


def folding(mirrored: bool) -> NDArray[np.intp]:
    """(125,): for each code the bin that it shares with its negative; `mirrored`, also in reverse.

    63 bins, or 39 mirrored: a mirrored picture reverses triples of neighbours.
    """
    bins: dict[int, int] = {}
    index = []
    for code in range(CODES):
        reverse = code % 5 * 25 + code // 5 % 5 * 5 + code // 25
        alike = [code, 124 - code] + ([reverse, 124 - reverse] if mirrored else [])
        index.append(bins.setdefault(min(alike), len(bins)))
    return np.array(index, dtype=np.intp)


def folded(tables: NDArray[np.int64], fold: NDArray[np.intp]) -> NDArray[np.float64]:
    """Histograms (N, 4 * 128) to counts by bin (N, bins)."""
    histograms = tables.reshape(-1, TABLES, TABLE).sum(axis=1)[:, :CODES]  # (N, 125)
    into = np.arange(int(fold.max()) + 1) == fold[:, None]  # (125, bins)
    counts: NDArray[np.float64] = histograms.astype(np.float64) @ into.astype(np.float64)
    return counts


def root_shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts (N, bins) to the square roots of their shares of a row: even noise in all of them."""
    shares: NDArray[np.float64] = np.sqrt(counts / counts.sum(axis=1, keepdims=True))
    return shares
