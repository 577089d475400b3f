"""The registered means of one codec as bytes, to be searched; further ones are only ever added.

A mean m is scale * bytes + rest, |rest| being known; a query q likewise. So of their product
q m = bytes(q) bytes(m) + bytes(q) rest(m) + rest(q) m the last two are left open, which are at most
the product of the lengths (Cauchy and Schwarz). Before, each number of a mean is divided by what it
commonly is, and multiplied by what it commonly is of a query (`units`), both by half: bytes of
numbers that are alike leave out least, and a product is the same. A byte a number keeps what has to
be read for 100,000 models small; what a bound does not settle is scored in full (`Enrolled`).

Several states of a registry share one shelf: each knows which rows are its own, and no row that
was added is ever changed. Letters: R rows (a model under one condition), D fingerprint size.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import CodecSpace, Floats
from fingerprint_db.matching.rows import scoring, search
from fingerprint_db.matching.rows.byte_products import LANES, LARGE, SMALL, STEP
from fingerprint_db.model_fingerprint import Statistics

_T = TypeVar("_T", bound=np.generic)
_SHARED = ("rows", "began", "most", "owners", "owner_of", "place_of", "addresses", "wide", "counts",
           "firsts", "lengths", "codes", "units")  # fmt: skip
_LARGEST = 127
_FEW_MEANS = 8
_PORTION = 1024  # means as float32 at once: 2 MB
_UP = np.float32(1 + 1e-5)
"""Lengths are rounded up by more than 32 bits can be wrong over some thousand numbers."""


class Shelf:
    """Rows (R,) of `owners` (S,), of each the rows from `firsts` on, so many as of `lengths`; of
    every row its owner, the place of its condition among the owner's, the address of its mean there
    (float32 where `wide`, else float16), and of how many samples it is. No owner has more rows
    than `most`; it was made for some `began` rows.

    `apart` (D,) is the variance under which the table's lengths are; it moves with the registry,
    and `moved` is a shelf with it where it has moved far. A shelf that is `closed` takes no more.
    """

    def __init__(
        self,
        space: CodecSpace,
        names: frozenset[str],
        apart: Floats,
        owners: Iterable[Statistics] = (),
    ) -> None:
        """Empty, of conditions of these `names`, for means like those of `owners`."""
        size = len(space.real_variance)
        self.units = _units(space, names, owners)
        self.space = space
        self.names = names
        self.apart = apart
        self.closed = False
        self.rows = 0
        self.began = 0
        self.most = 0
        self.owners: list[Statistics] = []
        self.owner_of: NDArray[np.int32] = np.empty(0, np.int32)
        self.place_of: NDArray[np.int16] = np.empty(0, np.int16)
        self.addresses: NDArray[np.int64] = np.empty(0, np.int64)
        self.wide: NDArray[np.bool_] = np.empty(0, np.bool_)
        self.counts: NDArray[np.int32] = np.empty(0, np.int32)
        self.firsts: NDArray[np.int32] = np.empty(0, np.int32)
        self.lengths: NDArray[np.int32] = np.empty(0, np.int32)
        self.codes: NDArray[np.uint8] = np.empty((0, -(-size // STEP), LANES, STEP), np.uint8)
        self.table: Floats = np.empty((0, search.NUMBERS, LANES), np.float32)

    def add(self, owners: Iterable[Statistics]) -> list[int]:
        """The numbers of these, which have rows under the shelf's conditions, in order."""
        begin, row = len(self.owners), self.rows
        firsts, lengths = [], []
        waiting: list[tuple[int, int]] = []
        for number, owner in enumerate(owners, begin):
            places = [i for i, name in enumerate(owner.conditions) if name in self.names]
            firsts.append(row)
            lengths.append(len(places))
            row += len(places)
            self.owners.append(owner)
            waiting += [(number, place) for place in places]
            if len(waiting) >= _PORTION:
                self._fill(waiting)
                waiting = []
        self._fill(waiting)
        found = np.arange(begin, begin + len(firsts))
        if len(found):
            self.firsts = _with(self.firsts, found, firsts)
            self.lengths = _with(self.lengths, found, lengths)
            self.most = max(self.most, *lengths)
        self.began = self.began or self.rows
        return found.tolist()

    def moved(self, apart: Floats, alive: NDArray[np.int64]) -> "Shelf":
        """The same rows, with the lengths under this variance (D,) of those that are `alive`."""
        fresh = Shelf(self.space, self.names, apart)
        for name in _SHARED:
            setattr(fresh, name, getattr(self, name))
        fresh.table = self.table.copy()
        for start in range(0, len(alive), _PORTION):
            some = alive[start : start + _PORTION]
            squares = _squares(self.means(some), apart)
            fresh.table[some // LANES, search.APART, some % LANES] = squares
        self.closed = True
        return fresh

    def rows_of(self, owners: NDArray[np.integer]) -> NDArray[np.int64]:
        """All rows of these owners, one owner after another."""
        many = self.lengths[owners]
        ends = np.cumsum(many)
        found: NDArray[np.int64] = np.arange(many.sum()) + np.repeat(
            self.firsts[owners] - ends + many, many
        )
        return found

    def means(self, rows: NDArray[np.int64]) -> Floats:
        """(N, D) of these rows, as they are stored."""
        if not len(rows):
            return np.zeros((0, len(self.apart)), np.float32)
        owners = self.owners
        found = [
            owners[owner].means[place]
            for owner, place in zip(
                self.owner_of[rows].tolist(), self.place_of[rows].tolist(), strict=True
            )
        ]
        return np.stack(found).astype(np.float32)

    def numbers(self, which: int, rows: NDArray[np.int64]) -> Floats:
        """(N,) of these rows one number of the table."""
        found: Floats = self.table[rows // LANES, which, rows % LANES]
        return found

    def condition(self, row: int) -> str:
        """The name of a row's condition."""
        owner = self.owners[int(self.owner_of[row])]
        return owner.conditions[int(self.place_of[row])]

    def scatter(self, owners: Iterable[Statistics]) -> NDArray[np.float64]:
        """(D,) the sum of the variances of their rows."""
        found = np.zeros(len(self.apart))
        waiting: list[NDArray[np.floating]] = []
        for owner in owners:
            waiting += [
                variance
                for name, variance in zip(owner.conditions, owner.variances, strict=True)
                if name in self.names
            ]
            if len(waiting) >= _PORTION:
                found += np.stack(waiting).astype(np.float32).sum(0, dtype=np.float64)
                waiting = []
        if waiting:
            found += np.stack(waiting).astype(np.float32).sum(0, dtype=np.float64)
        return found

    def _fill(self, waiting: Sequence[tuple[int, int]]) -> None:
        """Compute and add rows; all that is known of them is there before their number grows."""
        if not waiting:
            return
        first, end = self.rows, self.rows + len(waiting)
        rows = np.arange(first, end)
        owners, places = np.array(waiting, np.int64).T
        statistics = [self.owners[owner] for owner in owners.tolist()]
        means_of = [one.means for one in statistics]
        addresses = [
            one.__array_interface__["data"][0] + place * one.strides[0]
            for one, place in zip(means_of, places.tolist(), strict=True)
        ]
        counts = [one.counts[place] for one, place in zip(statistics, places.tolist(), strict=True)]
        self.owner_of = _with(self.owner_of, rows, owners.astype(np.int32))
        self.place_of = _with(self.place_of, rows, places.astype(np.int16))
        self.addresses = _with(self.addresses, rows, addresses)
        self.wide = _with(self.wide, rows, [one.itemsize == 4 for one in means_of])
        self.counts = _with(self.counts, rows, counts)
        means = self.means(rows)
        limits = [one.limits[place] for one, place in zip(statistics, places.tolist(), strict=True)]
        codes, scales, _, rests = as_bytes(means / self.units)
        blocks = -(-end // LANES)
        if blocks > len(self.codes):
            self.codes, self.table = _larger(self.codes, blocks), _larger(self.table, blocks)
        positive = (codes.view(np.uint8) ^ 128).reshape(len(codes), -1, STEP)
        self.codes[rows // LANES, :, rows % LANES] = positive
        deviations, centres = scoring.norms(means, self.space.cohort)
        dimension = means.shape[1]
        numbers = {
            search.SCALE: scales,
            search.ERROR: rests,
            search.LENGTH: np.linalg.norm(means / self.units, axis=1) * _UP,
            search.INVERSE: 1 / deviations,
            search.CENTRE: centres / deviations,
            search.NEAR: _squares(means, self.space.made_variance),
            search.APART: _squares(means, self.apart),
            search.SHRUNK: 1 / (1 + 1 / self.counts[rows]),
            search.SPREAD: (1 + 1 / self.counts[rows])
            ** (dimension / (scoring.DEGREES + dimension)),
            search.LIMIT: limits,
        }
        for which, values in numbers.items():
            self.table[rows // LANES, which, rows % LANES] = values
        self.rows = end


def as_bytes(vectors: Floats) -> tuple[NDArray[np.int8], Floats, Floats, Floats]:
    """Vectors (N, D) as bytes (N, D'), D' a multiple of STEP; what a byte stands for (N,), and the
    lengths (N,), rounded up, of what the bytes say and of what they leave out."""
    size = vectors.shape[1]
    largest = np.abs(vectors).max(axis=1, initial=0)
    scales: Floats = np.where(largest > 0, largest / _LARGEST, 1).astype(np.float32)
    codes = np.zeros((len(vectors), -(-size // STEP) * STEP), np.int8)
    codes[:, :size] = np.rint(vectors / scales[:, None])
    said = codes[:, :size] * scales[:, None]
    lengths: Floats = np.linalg.norm(said, axis=1) * _UP
    rests: Floats = np.linalg.norm(vectors - said, axis=1) * _UP + lengths * np.float32(1e-6)
    return codes, scales, lengths, rests


def asked(vectors: Floats, shelf: Shelf) -> search.Asked:
    """Images (B, D) as queries of a shelf: x themselves, y under the variance that tells models
    apart.

    A third is what either does not say: the query z under the variance of one generator's images.
    It is nearly a x + b y, by least squares; what remains is bounded by its length.
    """
    images, size = vectors.shape
    x, units = vectors.astype(np.float64), shelf.units
    z, y = x / shelf.space.made_variance, x / shelf.apart
    pairs, third = np.stack([x * units, y * units], axis=1), z * units  # (B, 2, D) and (B, D)
    queries = pairs.reshape(2 * images, size).astype(np.float32)
    codes, scales, lengths, rests = as_bytes(queries)
    # Sums of few numbers of 32 bits, and of two products, lose a little more.
    rests = rests + np.linalg.norm(queries, axis=1) * np.float32(4e-6)
    large = 2 * images // LARGE
    small = -(-(2 * images - large * LARGE) // SMALL)
    padded = np.zeros((large * LARGE + small * SMALL, codes.shape[1]), np.int8)
    padded[: len(codes)] = codes
    groups = [
        part.reshape(-1, many, codes.shape[1] // STEP, STEP).transpose(0, 2, 1, 3).reshape(-1)
        for part, many in ((padded[: large * LARGE], LARGE), (padded[large * LARGE :], SMALL))
    ]
    inner = pairs @ pairs.transpose(0, 2, 1)  # (B, 2, 2)
    inner += np.eye(2) * (1e-9 * np.trace(inner, axis1=1, axis2=2)[:, None, None] + 1e-30)
    shares = np.linalg.solve(inner, pairs @ third[:, :, None]).astype(np.float32)  # (B, 2, 1)
    remains = np.linalg.norm(third - (shares * pairs).sum(1), axis=1) * (1 + 1e-6)
    numbers = np.concatenate(
        [one.reshape(images, 2) for one in (scales, lengths, rests)]
        + [np.stack([(x * z).sum(1), (x * y).sum(1)], 1), shares[:, :, 0], remains[:, None]],
        axis=1,
    )
    shifts = 128 * codes.sum(axis=1, dtype=np.int32)
    return search.Asked(
        np.concatenate(groups), large, small, shifts, np.ascontiguousarray(numbers, np.float32)
    )


def _units(space: CodecSpace, names: frozenset[str], owners: Iterable[Statistics]) -> Floats:
    """(D,) what each number of a mean is divided by.

    Queries are commonly such as photographs give under the variance of one generator's images.
    What means are like is said by few only in part: _FEW_MEANS of no particular size stand beside.
    """
    squares, count = np.zeros(len(space.real_variance)), 0
    for owner in owners:
        own = [mean for n, mean in zip(owner.conditions, owner.means, strict=True) if n in names]
        squares += np.square(np.array(own, np.float32).reshape(len(own), -1)).sum(0)
        count += len(own)
        if count >= _PORTION:
            break
    level = squares.mean() / count if count and squares.any() else 1.0
    means = np.sqrt((squares + _FEW_MEANS * level) / (count + _FEW_MEANS))
    asks = np.sqrt(space.real_variance) / space.made_variance
    units: Floats = np.sqrt(means / asks).astype(np.float32)
    return units


def _squares(means: Floats, variance: Floats) -> NDArray[np.float64]:
    """(N,) the means' own squares under a variance (D,)."""
    found: NDArray[np.float64] = np.square(means, dtype=np.float64) @ (
        1 / variance.astype(np.float64)
    )
    return found


def _larger(array: NDArray[_T], least: int) -> NDArray[_T]:
    """With room for `least` rows and half as many as there were; what is not used takes none."""
    fresh = np.empty((max(least, len(array) * 3 // 2), *array.shape[1:]), array.dtype)
    fresh[: len(array)] = array
    return fresh


def _with(
    array: NDArray[_T], places: int | NDArray[np.int64], values: int | Sequence[int] | NDArray[_T]
) -> NDArray[_T]:
    """With these values at places that were not used, in an array of its own where it is full."""
    least = int(np.max(places)) + 1
    fresh = _larger(array, least) if least > len(array) else array
    fresh[places] = values
    return fresh
