"""The compiled first pass over all rows: which of them can matter to an image, by bounds alone.

Of each row and image the products with bytes are known, and by how much they can be wrong at most
(`shelf`, `asked`): so a score and a distance lie between two numbers each. A row is found where it
may be one that is told: its likeliness reaches that of the few likeliest so far, or its score the
highest that is certainly within reach. Both thresholds only ever tighten, so that no row that
matters is passed over, in whatever order they stand.

What stands for a likelihood is u = (1 + distance / DEGREES) (1 + 1/N) ** (D / (DEGREES + D)), of
which it is -(DEGREES + D) / 2 times the logarithm: small where the likelihood is high, and no
logarithm is taken of what is passed over.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fingerprint_db.background import Floats
from fingerprint_db.matching.rows import byte_products
from fingerprint_db.matching.rows.byte_products import LANES, LARGE, SMALL, STEP

SCALE, ERROR, LENGTH, INVERSE, CENTRE, NEAR, APART, SHRUNK, SPREAD, LIMIT = range(10)
"""Of a row, in `table`: what a byte of it stands for; the length of what bytes leave out
and of the mean; one over the deviation of photographs' scores, and their centre in it; the mean's
square under either variance; 1 / (1 + 1/N); the last factor of u; the limit of its distance."""
NUMBERS = 10
GONE, LIVE, SHADOW = range(3)
"""Whose a row is."""

MOST = 4096
"""Rows found of one image; with more of them all are scored."""

_LARGE, _SMALL = byte_products.products_of_large, byte_products.products_of_small
_ROUNDING = np.float32(1e-6)
"""Of a sum of few numbers of 32 bits, as a share of their sizes: some ten times what it can be."""
_COARSE = np.float32(4e-6)
"""The same where all rows of a block are looked at first: of a few sums more."""
_ONE, _TWO, _ZERO, _ENDLESS = np.float32(1), np.float32(2), np.float32(0), np.float32(np.inf)


class Rows(NamedTuple):
    """What is searched: bytes in blocks, flat; `table` (blocks, 10, LANES); `kinds` (R,)."""

    codes: NDArray[np.uint8]
    table: Floats
    kinds: NDArray[np.uint8]


class Asked(NamedTuple):
    """Of B images two queries each, x and y: bytes in groups, flat, `large` and then `small` ones.

    `shifts` (2 B,) int32 are what the rows' offset adds to a product. `numbers` (B, 11) float32:
    what a byte of either stands for, the lengths of either's bytes and of what they leave out; the
    image's square under both variances; and by how much of either query, and of what remains, the
    query under the variance of one generator's images is made (`asked`).
    """

    groups: NDArray[np.int8]
    large: int
    small: int
    shifts: NDArray[np.int32]
    numbers: Floats


class Wanted(NamedTuple):
    """What is looked for.

    `counted` is whose rows count for the highest score; `reach` times a row's limit is how far it
    reaches. With `typical` shadows that an image may be typical of are found; `factor` is that of u
    between the likeliest and one that ties with it, and the distance under today's variance lies
    between `low` and `high` times that under the table's.
    """

    counted: int
    reach: np.float32
    typical: bool
    factor: np.float32
    low: np.float32
    high: np.float32
    degrees: np.float32


class Found(NamedTuple):
    """Of each of B images so far: `highest` (B,) certainly reached, the `least` u of any rows and
    of live rows, (B, n) ascending; rows (B, 2, MOST) that may be likely and that may be high, with
    their `bounds`, and how many (B, 2); -1 where they were too many.
    """

    highest: Floats
    least: Floats
    least_live: Floats
    rows: NDArray[np.int32]
    bounds: Floats
    counts: NDArray[np.int64]


def likely(found: Found, image: int, wanted: Wanted) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The rows of an image that may be likely, after all were looked at; and those of shadows that
    it may be typical of, which are told only where it is typical of the likeliest of their rows."""
    count = found.counts[image, 0]
    least = max(found.least[image, -1], _least_of_live.py_func(found, image, wanted))
    rows, bounds = found.rows[image, 0, :count], found.bounds[image, 0, :count]
    return rows[(bounds <= least) & (bounds >= 0)], rows[bounds < 0]


@dataclass(frozen=True, slots=True, eq=False)
class Promising:
    """Rows (N,) that may score highest, and what each scores at most, falling; None: not known."""

    rows: NDArray[np.int64]
    bounds: Floats | None

    def behind(self, first: int) -> "Promising":
        """Without the first ones."""
        return Promising(self.rows[first:], None if self.bounds is None else self.bounds[first:])

    def may_reach(self, score: float) -> bool:
        """Whether any of the rows may score higher, or as high."""
        return len(self.rows) > 0 and (self.bounds is None or bool(self.bounds[0] >= score))


def promising(found: Found, image: int, level: np.float32) -> Promising:
    """Those of an image that may score highest, the most promising first; less by `level`."""
    count = found.counts[image, 1]
    bounds = found.bounds[image, 1, :count]
    order = np.argsort(-bounds, kind="stable")
    order = order[bounds[order] >= found.highest[image]]
    return Promising(found.rows[image, 1, order].astype(np.int64), bounds[order] - level)


@njit(cache=True, nogil=True, error_model="numpy")
def search(rows: Rows, asked: Asked, wanted: Wanted, found: Found) -> None:
    """Look at every row, and leave in `found` those that may matter."""
    table, flat, numbers = rows.table, rows.table.reshape(-1), asked.numbers
    images, blocks = len(numbers), len(rows.kinds) // LANES
    steps = len(rows.codes) // max(len(rows.kinds), 1) // STEP
    sums = np.empty((asked.large * LARGE + asked.small * SMALL) * LANES, np.int32)
    marks, seen = np.empty(images, np.bool_), np.empty((3, LANES), np.float32)
    edges = np.empty((4, LANES), np.float32)
    shifted = asked.large * LARGE
    for block in range(blocks):
        first, row = block * LANES, block * LANES * STEP * steps
        for which in range(NUMBERS):
            byte_products.fetch(flat, (block + 1) * NUMBERS * LANES + which * LANES)
        for group in range(asked.large):
            at = group * LARGE * STEP * steps
            _LARGE(rows.codes, row, asked.groups, at, steps, sums, group * LARGE * LANES)
        for group in range(asked.small):
            query = shifted + group * SMALL
            at = query * STEP * steps
            _SMALL(rows.codes, row, asked.groups, at, steps, sums, query * LANES)
        kinds = rows.kinds[first : first + LANES]
        _mark(table[block], kinds, sums, asked.shifts, numbers, wanted, found, edges, marks)
        for image in range(images):
            if marks[image] and found.counts[image, 0] >= 0:
                _look(rows, sums, block, image, asked, wanted, found, seen)


@njit(cache=True, nogil=True, error_model="numpy")
def _prepare(table: Floats, kinds: NDArray[np.uint8], wanted: Wanted, edges: Floats) -> None:
    """Put into `edges` (4, LANES) what `_mark` compares the rows of a block with, of any image.

    Both tests of `_bounds` are solved for the product: u <= t where the product of y and what it
    can be wrong by reach (the image's square + edges[0]) / 2 - t edges[1], and score >= s where
    that of x reaches s edges[2] + edges[3]. Of a row that cannot matter they are infinite.
    """
    share = _ONE - _COARSE
    for lane in range(LANES):
        beyond = wanted.degrees / (table[SHRUNK, lane] * wanted.low)
        deviation, centre = _ONE / table[INVERSE, lane], table[CENTRE, lane]
        gone, counted = kinds[lane] == GONE, kinds[lane] == wanted.counted
        edges[0, lane] = _ENDLESS if gone else (table[APART, lane] + beyond) * share
        most = (_ONE + _COARSE) * beyond / (_TWO * table[SPREAD, lane])
        edges[1, lane] = _ZERO if gone else most
        edges[2, lane] = deviation if counted else _ONE
        never = -_ENDLESS if wanted.typical and kinds[lane] == SHADOW else _ENDLESS
        least = (centre - _COARSE * (abs(centre) + _ONE)) * deviation
        edges[3, lane] = least if counted else never


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _mark(
    table: Floats,
    kinds: NDArray[np.uint8],
    sums: NDArray[np.int32],
    shifts: NDArray[np.int32],
    numbers: Floats,
    wanted: Wanted,
    found: Found,
    edges: Floats,
    marks: NDArray[np.bool_],
) -> None:
    """Say of each image whether a row of a block may matter to it; all lanes at once, so that
    nothing is left out of what is computed."""
    _prepare(table, kinds, wanted, edges)
    for image in range(len(numbers)):
        highest = found.highest[image]
        live = max(found.least[image, -1], _least_of_live(found, image, wanted))
        own, x, y = numbers[image], shifts[2 * image], shifts[2 * image + 1]
        pair = sums[2 * image * LANES : (2 * image + 2) * LANES]
        half = np.float32(0.5) * own[7] * (_ONE - _COARSE)
        long_x, long_y = own[4] + _COARSE * own[2], own[5] + _COARSE * own[3]
        # Of 32 bits all, or fewer lanes would be looked at together.
        hits = near_hits = np.int32(0)
        for lane in range(LANES):
            scale, error, length = table[SCALE, lane], table[ERROR, lane], table[LENGTH, lane]
            of_y = np.float32(np.int32(pair[LANES + lane] - y)) * (scale * own[1])
            most_y = of_y + own[3] * error + long_y * length
            hits |= np.int32(
                most_y + live * edges[1, lane] >= half + np.float32(0.5) * edges[0, lane]
            )
            of_x = np.float32(np.int32(pair[lane] - x)) * (scale * own[0])
            most_x = of_x + own[2] * error + long_x * length
            near_hits |= np.int32(most_x >= highest * edges[2, lane] + edges[3, lane])
        if near_hits and not hits:
            # How far a row is costs as much again, and is seldom asked.
            for lane in range(LANES):
                of_x, of_y = np.int32(pair[lane] - x), np.int32(pair[LANES + lane] - y)
                _, score, near = _bounds(table, lane, of_x, of_y, own, wanted, _ONE)
                kind, limit = kinds[lane], table[LIMIT, lane]
                high = (kind == wanted.counted) & (score >= highest)
                high &= near <= wanted.reach * limit
                hits |= np.int32(high | (wanted.typical & (kind == SHADOW) & (near <= limit)))
        marks[image] = hits != 0


@njit(cache=True, nogil=True, error_model="numpy")
def _least_of_live(found: Found, image: int, wanted: Wanted) -> np.float32:
    """u up to which a live row may tie with the likeliest live model, or be the second of them."""
    return max(found.least_live[image, 0] * wanted.factor, found.least_live[image, -1])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _bounds(
    table: Floats,
    lane: int,
    x: np.int32,
    y: np.int32,
    own: Floats,
    wanted: Wanted,
    sign: np.float32,
) -> tuple[np.float32, np.float32, np.float32]:
    """The least u, the highest score and the least distance under the variance of one generator's
    images that a row of a block can have, from sums of products; the opposites with a `sign` of -1.
    """
    scale, error, length = table[SCALE, lane], table[ERROR, lane], table[LENGTH, lane]
    product_x, product_y = np.float32(x) * (scale * own[0]), np.float32(y) * (scale * own[1])
    wrong_x, wrong_y = own[2] * error + own[4] * length, own[3] * error + own[5] * length
    inverse, centre = table[INVERSE, lane], table[CENTRE, lane]
    score = (product_x + sign * wrong_x) * inverse - centre
    score += sign * _ROUNDING * (own[2] * length * inverse + abs(centre) + _ONE)
    sizes = own[7] + table[APART, lane]
    apart = sizes - _TWO * (product_y + sign * wrong_y)
    apart -= sign * _ROUNDING * (sizes + _TWO * wrong_y)
    apart = (
        (apart if apart > _ZERO else _ZERO)
        * table[SHRUNK, lane]
        * (wanted.low if sign > 0 else wanted.high)
    )
    u = (_ONE + apart / wanted.degrees) * table[SPREAD, lane] * (_ONE - sign * _ROUNDING)
    product = own[8] * product_x + own[9] * product_y
    share_x, share_y = abs(own[8]), abs(own[9])
    wrong = share_x * wrong_x + share_y * wrong_y + own[10] * length
    sizes = own[6] + table[NEAR, lane]
    near = sizes - _TWO * (product + sign * wrong)
    sizes += _TWO * (wrong + (share_x * own[2] + share_y * own[3]) * length)
    near -= sign * _ROUNDING * sizes
    near = (near if near > _ZERO else _ZERO) * table[SHRUNK, lane]
    return u, score, near * (_ONE - sign * _ROUNDING)


@njit(cache=True, nogil=True, error_model="numpy")
def _look(
    rows: Rows,
    sums: NDArray[np.int32],
    block: int,
    image: int,
    asked: Asked,
    wanted: Wanted,
    found: Found,
    seen: Floats,
) -> None:
    """At the rows of a block one by one: note those that may matter, and tighten the thresholds.
    `seen` (3, LANES) is room for what is known of them."""
    own, table = asked.numbers[image], rows.table[block]
    for lane in range(LANES):  # all at once
        place = 2 * image * LANES + lane
        x = np.int32(sums[place] - asked.shifts[2 * image])
        y = np.int32(sums[place + LANES] - asked.shifts[2 * image + 1])
        seen[0, lane], seen[1, lane], seen[2, lane] = _bounds(table, lane, x, y, own, wanted, _ONE)
    for lane in range(LANES):
        r = block * LANES + lane
        kind = rows.kinds[r]
        if kind == GONE:
            continue
        u, score, near = seen[0, lane], seen[1, lane], seen[2, lane]
        every = found.least[image, -1]
        live = max(every, _least_of_live(found, image, wanted))
        within = wanted.reach * table[LIMIT, lane]
        high = kind == wanted.counted and score >= found.highest[image] and near <= within
        typical = wanted.typical and kind == SHADOW and near <= table[LIMIT, lane]
        if not (u <= live or high or typical):
            continue
        place = 2 * image * LANES + lane
        x = np.int32(sums[place] - asked.shifts[2 * image])
        y = np.int32(sums[place + LANES] - asked.shifts[2 * image + 1])
        most_u, least_score, far = _bounds(table, lane, x, y, own, wanted, -_ONE)
        if typical:
            _note(found, image, 0, r, -_ONE, wanted)  # whatever its likelihood
        elif u <= (live if kind == LIVE else every):
            _note(found, image, 0, r, u, wanted)
        if u <= live:
            _keep(found.least[image], most_u)
            if kind == LIVE:
                _keep(found.least_live[image], most_u)
        if high:
            _note(found, image, 1, r, score, wanted)
            if far <= within:
                found.highest[image] = max(found.highest[image], least_score)


@njit(cache=True, nogil=True, error_model="numpy")
def _keep(least: Floats, fresh: np.float32) -> None:
    """Put a number among the least, ascending, where it is one of them."""
    place = len(least) - 1
    if fresh >= least[place]:
        return
    while place and least[place - 1] > fresh:
        least[place] = least[place - 1]
        place -= 1
    least[place] = fresh


@njit(cache=True, nogil=True, error_model="numpy")
def _note(
    found: Found, image: int, which: int, row: int, bound: np.float32, wanted: Wanted
) -> None:
    """A row that may matter; where they become many, those that no longer do are dropped first."""
    if found.counts[image, 0] < 0:
        return
    if found.counts[image, which] == MOST:
        every = found.least[image, -1]
        limit = max(every, _least_of_live(found, image, wanted))
        kept = 0
        for i in range(MOST):
            held = found.bounds[image, which, i]
            if held <= limit if which == 0 else held >= found.highest[image]:
                found.rows[image, which, kept] = found.rows[image, which, i]
                found.bounds[image, which, kept] = held
                kept += 1
        found.counts[image, which] = kept
        if kept > MOST // 4 * 3:
            found.counts[image, 0] = -1
            return
    place = found.counts[image, which]
    found.rows[image, which, place], found.bounds[image, which, place] = row, bound
    found.counts[image, which] = place + 1
