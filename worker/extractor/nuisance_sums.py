"""The passes over the pixels behind `nuisance`, compiled.

One call for a region, since each call that lets go of the interpreter's lock waits for it
afterwards; what takes a few hundredths of a millisecond keeps it.

Letters for axes: H rows, W columns of a region; L lines of N pixels, rows or columns alike.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from worker.extractor.blocks.lanes import WORD, at_least, ones
from worker.extractor.blocks.planes import Planes
from worker.extractor.periods import profiles

_EDGE = np.float32(32)  # grey levels over eight pixels, from which on it is an edge
_HALF = np.float32(0.5)
_SHARE = np.float32(1 / 16)
_EVERY, _FIRST = 8, 3  # of the lines that edges are looked for in
_APART = 16  # places more than a line has: where sides are powers of two, lines that begin such a
# power apart would push one another out of the cache
_WINDOW = 9  # levels
_TWO, _THREE = np.uint64(2), np.uint64(3)
_ONE = np.uint64(1)
_LARGE = 1e100  # a product of widths; a word's, each at most 8 and no two within four places, so 16
# at most, stay far below the largest float64 with it
_SCATTER = np.uint32(2654435761)  # 2**32 by the golden ratio (Knuth, The Art, volume 3, 6.4)


class Room(NamedTuple):
    """What all regions of a picture add to, and the steps at which pixels are taken.

    `some`, `means` and `lines` are as `add_luma` has them, `histogram` and `row_step` as
    `add_samples`, `table` and `step` as `add_colours`; `jumps` (2, 2, 8) as `profiles`, by axis.
    """

    some: NDArray[np.float32]
    means: NDArray[np.float32]
    lines: NDArray[np.float64]
    histogram: NDArray[np.int64]
    row_step: int
    table: NDArray[np.uint32]
    step: int
    jumps: NDArray[np.float64]


@njit(cache=True, nogil=True)
def look(
    planes: Planes, filled: int, room: Room
) -> tuple[int, int, int, NDArray[np.float64], NDArray[np.float64]]:
    """All passes over one region: what each adds goes to `room`, whose blocks are `filled` so far.

    Returns the blocks filled now, the spread of samples, the colours looked at, and the profiles
    along rows and along columns.
    """
    now = add_luma(planes.y, filled, room.some, room.means, room.lines)
    spread = add_samples(planes.rgb, room.row_step, room.histogram)
    looked_at = add_colours(planes.rgb.reshape(3, -1), room.step, room.table)
    rows = profiles(planes.whole_y, 0, room.jumps[0])
    return now, spread, looked_at, rows, profiles(planes.whole_y, 1, room.jumps[1])


@njit(cache=True, nogil=True)
def add_luma(
    y: NDArray[np.float32],
    filled: int,
    some: NDArray[np.float32],
    means: NDArray[np.float32],
    sums: NDArray[np.float64],
) -> int:
    """One reading of (H, W), eight rows at a time: high-pass of 8x8 blocks, edges, energies.

    The high-pass is |a + d - b - c| / 2 over 2x2 pixels, grey levels. From row `filled` on, `some`
    (blocks, 4) gets that of four of a block's sixteen, `means` (blocks,) the mean of all; -1 where
    the block is of one level. Returns the rows filled now.

    To `sums` (5,): edges, their log2 widths, energies, what they count, along every eighth row and
    every eighth column. An edge is where eight pixels rise or fall by 32 levels, the fourth step
    most of all; its width is the whole by this step. The energies are of differences over one and
    over four pixels.
    """
    height, width = y.shape
    high = np.empty((4, width // 2), dtype=np.float32)
    columns = np.empty(((width + _EVERY - 1 - _FIRST) // _EVERY, height + _APART), dtype=np.float32)
    steps = np.empty(max(height, width), dtype=np.float32)
    edges = np.zeros(max(height, width) + WORD, dtype=np.int8)
    for top in range(0, height, _EVERY):
        if top <= height - 8:
            filled = _add_blocks(y, top, filled, high, some, means)
        if top + _FIRST < height:
            _add_line(y[top + _FIRST], width, steps, edges, sums)
        below = min(top + _EVERY, height)
        for line in range(len(columns)):
            for row in range(top, below):
                columns[line, row] = y[row, _FIRST + _EVERY * line]
    for line in range(len(columns)):
        _add_line(columns[line], height, steps, edges, sums)
    return filled


@njit(cache=True, nogil=True)
def _add_blocks(
    y: NDArray[np.float32],
    top: int,
    filled: int,
    high: NDArray[np.float32],
    some: NDArray[np.float32],
    means: NDArray[np.float32],
) -> int:
    """Those of the eight rows from `top` on; `high` (4, W / 2) is overwritten."""
    width = y.shape[1]
    for pair in range(4):
        row = top + 2 * pair
        for i in range(np.uint64(width // 2)):
            a, b = y[row, _TWO * i], y[row, _TWO * i + _ONE]
            c, d = y[row + 1, _TWO * i], y[row + 1, _TWO * i + _ONE]
            high[pair, i] = abs(a + d - b - c) * _HALF
    for block in range(width // 8):
        total = np.float32(0)
        for i in range(4 * block, 4 * block + 4):
            total += (high[0, i] + high[1, i]) + (high[2, i] + high[3, i])
        for pair in range(4):
            some[filled, pair] = high[pair, 4 * block + pair]
        flat = total == 0 and _is_flat(y, top, 8 * block)
        means[filled] = np.float32(-1) if flat else total * _SHARE
        filled += 1
    return filled


@njit(cache=True, nogil=True)
def _is_flat(y: NDArray[np.float32], top: int, left: int) -> bool:
    for i in range(8):
        for j in range(8):
            if y[top + i, left + j] != y[top, left]:
                return False
    return True


@njit(cache=True, nogil=True, fastmath=True)
def _add_line(
    line: NDArray[np.float32],
    length: int,
    steps: NDArray[np.float32],
    edges: NDArray[np.int8],
    sums: NDArray[np.float64],
) -> None:
    """The first `length` pixels of a line; there are eight and more. `edges` end in 64 zeros."""
    places = length - 8
    for x in range(np.uint64(length - 1)):
        steps[x] = abs(line[x + _ONE] - line[x])
    near, far = np.float32(0), np.float32(0)
    for x in range(np.uint64(places)):
        over_four = line[x + np.uint64(4)] - line[x]
        near += steps[x] * steps[x]
        far += over_four * over_four
        # Of equal steps the first counts, so that every edge is met once.
        fourth = steps[x + _THREE]
        before = max(steps[x], max(steps[x + _ONE], steps[x + _TWO]))
        after = max(
            max(steps[x + np.uint64(4)], steps[x + np.uint64(5)]),
            max(steps[x + np.uint64(6)], steps[x + np.uint64(7)]),
        )
        whole = abs(line[x + np.uint64(8)] - line[x])
        edges[x] = (whole >= _EDGE) & (fourth > before) & (fourth >= after)
    widths = 1.0  # their product, since a logarithm takes longer than an edge
    for first in range(0, places, WORD):
        word = at_least(edges, first, np.int8(1))
        sums[0] += ones(word)
        while word:
            rest = word & (word - _ONE)
            x = first + ones((word ^ rest) - _ONE)  # the place of the lowest bit
            # Where it overshoots, the largest step is more than the whole.
            widths *= max(1.0, abs(line[x + 8] - line[x]) / steps[x + 3])
            word = rest
        if widths > _LARGE:
            sums[1] += np.log2(widths)
            widths = 1.0
    sums[1] += np.log2(widths)
    sums[2] += near
    sums[3] += far
    sums[4] += places
    edges[:places] = 0


@njit(cache=True)
def ranked(values: NDArray[np.float32], rank: int) -> tuple[np.float32, np.float32]:
    """Of values (N,), none negative, in order: the one at `rank` and the one after, if there is.

    The bits of such numbers are in the same order; eleven, eleven and nine are told in turn. All
    values are looked at three times, and none is moved.
    """
    bits = values.view(np.uint32)
    found, below = np.uint32(0), 0
    counts = np.empty(2048, dtype=np.int64)
    for known, shift in ((31, 20), (20, 9), (9, 0)):
        counts[:] = 0
        mask = np.uint32((1 << (known - shift)) - 1)
        for i in range(bits.size):
            if bits[i] >> np.uint32(known) == found:
                counts[(bits[i] >> np.uint32(shift)) & mask] += 1
        digit = 0
        while below + counts[digit] <= rank:
            below += counts[digit]
            digit += 1
        found = np.uint32((found << np.uint32(known - shift)) | np.uint32(digit))
    after = found
    if below + counts[digit] == rank + 1 and rank + 1 < bits.size:
        after = np.uint32(0xFFFFFFFF)
        for i in range(bits.size):
            after = min(after, bits[i] if bits[i] > found else np.uint32(0xFFFFFFFF))
    return np.uint32(found).view(np.float32), np.uint32(after).view(np.float32)


@njit(cache=True, nogil=True)
def add_colours(rgb: NDArray[np.uint8], step: int, table: NDArray[np.uint32]) -> int:
    """Looks at every `step`-th pixel of (3, H * W), and returns at how many.

    Each colour is put, one more than its number, into one place of `table`, which has a power of
    two of places, 0 where nothing is, and is never more than half full.
    """
    last = np.uint32(len(table) - 1)
    seen = 0
    for i in range(0, rgb.shape[1], step):
        colour = np.uint32(rgb[0, i]) << 16 | np.uint32(rgb[1, i]) << 8 | np.uint32(rgb[2, i])
        kept = np.uint32(colour + 1)
        place = np.uint32(np.uint32(kept * _SCATTER) >> np.uint32(16)) & last
        while table[place] != 0 and table[place] != kept:
            place = np.uint32(place + 1) & last
        table[place] = kept
        seen += 1
    return seen


@njit(cache=True, nogil=True)
def add_samples(rgb: NDArray[np.uint8], row_step: int, histogram: NDArray[np.int64]) -> int:
    """Counts of levels of each channel to (3, 256), over every `row_step`-th row of (3, H, W).

    Returns the sum over these pixels of their largest less their smallest channel.
    """
    spread = 0
    for row in range(0, rgb.shape[1], row_step):
        for column in range(rgb.shape[2]):
            red, green, blue = rgb[0, row, column], rgb[1, row, column], rgb[2, row, column]
            histogram[0, red] += 1
            histogram[1, green] += 1
            histogram[2, blue] += 1
            spread += int(max(red, green, blue)) - int(min(red, green, blue))
    return spread


@njit(cache=True)
def empty_levels(histogram: NDArray[np.int64]) -> float:
    """The share of levels (256,) between the ends that are empty, less what chance leaves so.

    Which is what counts of the mean of nine levels around leave empty; 0 of fewer than three
    levels. At least one level is not empty.
    """
    first, last = 0, histogram.size - 1
    while histogram[first] == 0:
        first += 1
    while histogram[last] == 0:
        last -= 1
    levels = last + 1 - first
    if levels < 3:
        return 0.0
    empty = 0
    for level in range(first, last + 1):
        empty += histogram[level] == 0
    # Windows of nine about each level; about nine places where there are fewer levels.
    windows, by_chance = max(levels, _WINDOW), 0.0
    above = first + (min(levels, _WINDOW) - 1) // 2
    for _ in range(windows):
        lowest, highest = max(first, above - _WINDOW + 1), min(last, above)
        total = 0
        for level in range(lowest, highest + 1):
            total += histogram[level]
        by_chance += np.exp(-total / (highest + 1 - lowest))
        above += 1
    return empty / levels - by_chance / windows
