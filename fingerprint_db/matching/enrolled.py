"""The registered models of one codec, and what they say of fingerprints.

What is told of an image is few models: the likeliest, those that tie with the likeliest, shadows
that it is typical of, and the highest score within reach. `closest` finds by bounds which rows can
be any of these (`search`), and scores them in full; a row that was passed over could not have been
told, so that what is told is what scoring all of them tells.

Letters: B images, K models, R rows (a model under one condition), D fingerprint size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import CodecSpace, DecisionConstants, Floats
from fingerprint_db.conditions import Codec, conditions_of
from fingerprint_db.matching.rows import scoring, search
from fingerprint_db.matching.rows.byte_products import LANES
from fingerprint_db.matching.rows.pairs import Scored, portions
from fingerprint_db.matching.rows.scoring import Impostors
from fingerprint_db.matching.rows.shelf import Shelf, asked
from fingerprint_db.matching.told import Closest, ModelScores
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.snapshot import Difference

_FEW = 64  # rows: all are scored, since looking for those that matter costs more
_AT_ONCE = 64  # images searched for at once: the bytes of their queries take 64 KB
_IN_TURN = 256  # rows that may score highest, scored at once, the most promising first
_FAR = 2e-3  # share by which the variance that tells models apart may leave the shelf's
_MOST_GONE = 1024  # rows that are no longer in use, beyond as many as are
_GROWN = 8  # times the rows that a shelf was made for: what its means are like is asked anew


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """Models under one codec, in the order that they were given in; fit to be read by any thread.

    `owners` (K,) are their numbers on the `shelf`, and `places` (S,) the places of these numbers
    among the models. Of the shelf the first `rows` rows are known here, each of one of `kinds`
    (R',), R' a multiple of LANES: of a live model, of a shadow, or of one that is no longer there.
    `scatter` (D,) is the sum of the rows' own variances.
    """

    space: CodecSpace
    codec: Codec
    constants: DecisionConstants
    impostors: Impostors
    models: tuple[ModelFingerprint, ...]
    shelf: Shelf
    owners: NDArray[np.int32]
    places: NDArray[np.int32]
    rows: int
    kinds: NDArray[np.uint8]
    scatter: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        space: CodecSpace,
        constants: DecisionConstants,
        models: Sequence[ModelFingerprint],
        codec: Codec,
        impostors: Impostors | None = None,
    ) -> Self:
        """Those of the models that are enrolled under a condition of this codec.

        `impostors` are those of the space, computed unless given.
        """
        names = frozenset(condition.name for condition in conditions_of(codec))
        none = np.zeros(0, np.int32)
        nothing = cls(
            space,
            codec,
            constants,
            impostors or Impostors.of(space, constants),
            (),
            Shelf(space, names, space.made_variance),
            none,
            none,
            0,
            np.zeros(0, np.uint8),
            np.zeros(len(space.real_variance)),
        )
        return nothing.following(Difference.between((), tuple(models)))

    def following(self, change: Difference) -> Self:
        """The same after a change of all models, those of other codecs too; only what comes is
        computed.

        A model is the same where it has the same statistics, whatever its status became.
        """
        shelf = self.shelf
        change = change.among(
            self.models, lambda model: not shelf.names.isdisjoint(model.packed.conditions)
        )
        models, gone, come = change.after, change.gone, change.come
        assert not any(m.status == "retired" for m in come), "no model that is judged with"
        former = self.owners[change.left]
        numbers = dict(zip(map(_same, gone), former.tolist(), strict=True))
        fresh = [model for model in come if _same(model) not in numbers]
        dead = self.rows - int(np.count_nonzero(self.kinds[: self.rows]))
        moved_on = fresh and (shelf.closed or shelf.rows != self.rows)
        outgrown = self.rows > max(_MOST_GONE, _GROWN * shelf.began)
        if moved_on or outgrown or dead > max(_MOST_GONE, self.rows - dead):
            # Others have added to the shelf since, it was made for few, or most is out of use.
            return self.of(self.space, self.constants, models, self.codec, self.impostors)
        there = set(map(_same, come)) if gone else set()
        scatter = self.scatter + shelf.scatter(model.packed for model in fresh)
        scatter -= shelf.scatter(model.packed for model in gone if _same(model) not in there)
        if not self.rows:
            alive = sum(name in shelf.names for one in fresh for name in one.packed.conditions)
            apart = self._apart(scatter, alive)
            shelf = Shelf(self.space, shelf.names, apart, [model.packed for model in fresh])
        added = shelf.add(model.packed for model in fresh)
        numbers |= zip(map(_same, fresh), added, strict=True)
        came = np.array([numbers[_same(model)] for model in come], np.int32)
        # What stands before the change is copied, and nothing of it looked up.
        start, end = change.start, len(self.owners) - change.behind
        between = np.delete(self.owners[start:end], change.left - start)
        between = np.insert(between, change.places - start - np.arange(len(came)), came)
        owners = np.concatenate([self.owners[:start], between, self.owners[end:]])
        places = np.full(len(shelf.owners), -1, np.int32)
        places[: len(self.places)] = self.places
        places[former] = -1
        places[owners[start:]] = np.arange(start, len(owners))
        rows = shelf.rows if fresh else self.rows
        kinds = np.zeros(-(-rows // LANES) * LANES, np.uint8)
        kinds[: self.rows] = self.kinds[: self.rows]
        kinds[shelf.rows_of(former)] = search.GONE
        live = np.array([model.status == "live" for model in come], np.bool_)
        kinds[shelf.rows_of(came[live])] = search.LIVE
        kinds[shelf.rows_of(came[~live])] = search.SHADOW
        found = replace(
            self, models=models, shelf=shelf, owners=owners, places=places, rows=rows, kinds=kinds,
            scatter=scatter,
        )  # fmt: skip
        if np.abs(found.apart / shelf.apart - 1).max() <= _FAR:
            return found
        if shelf.closed:  # another state has moved it, and adds where this one would
            return self.of(self.space, self.constants, models, self.codec, self.impostors)
        return replace(found, shelf=shelf.moved(found.apart, np.flatnonzero(kinds)))

    @property
    def live(self) -> NDArray[np.bool_]:
        """(K,) which models are."""
        found: NDArray[np.bool_] = self.kinds[self.shelf.firsts[self.owners]] == search.LIVE
        return found

    @property
    def apart(self) -> Floats:
        """(D,) the variance that tells models apart."""
        return self._apart(self.scatter, int(np.count_nonzero(self.kinds)))

    def condition(self, row: int) -> str:
        """The name of a row's condition."""
        return self.shelf.condition(row)

    def limit(self, row: int) -> float:
        """The limit of a row's distance."""
        return float(self.shelf.table[row // LANES, search.LIMIT, row % LANES])

    def count(self, row: int) -> int:
        """Of how many samples a row is."""
        return int(self.shelf.counts[row])

    def direction(self, row: int) -> Floats:
        """(D,) that of a row's score."""
        own = np.array([row])
        found: Floats = self.shelf.means(own)[0] * self.shelf.numbers(search.INVERSE, own)
        return found

    def highest(self, vectors: Floats, *, live: bool = True) -> Floats:
        """(B,) the highest score of a live model that each image is within the reach of, else -inf.

        This is what is held against photographs: its maximum over the registry. Of models that are
        not live unless `live`.
        """
        return self.leading(vectors, live=live)[0]

    def leading(
        self,
        vectors: Floats,
        *,
        live: bool = True,
        above: Floats | None = None,
        among: Sequence[ModelFingerprint] | None = None,
    ) -> tuple[Floats, NDArray[np.int64]]:
        """`highest`, and (B,) which of the models has it, -1 where none is within reach.

        With `above` (B,) what is not higher is not looked for, and with `among` perhaps only what
        these models score: no other's is higher then.
        """
        if above is None:
            above = np.full(len(vectors), -np.inf, np.float32)
        kind = search.LIVE if live else search.SHADOW
        found, leading = np.full(len(vectors), -np.inf, np.float32), np.full(len(vectors), -1)
        counted = np.flatnonzero(self.kinds == kind)
        if among is not None and len(among) <= _FEW:
            counted = self._rows_of(among)
        if len(counted) <= _FEW:
            self._raise_few(found, leading, vectors, counted, above)
            return found, leading
        for start in range(0, len(vectors), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            _, high = self._searched(vectors[some], kind, above[some])
            found[some], leading[some] = self._highest(vectors[some], high, above[some])
        return found, leading

    def closest(self, vectors: Floats, shown: int) -> list[Closest]:
        """What is to be told of B images (B, D): the likeliest few (`shown`), whoever ties with the
        likeliest live model, and shadows that it is typical of."""
        none = np.full(len(vectors), -np.inf, np.float32)
        likely, high = self._searched(vectors, search.LIVE, none, shown)
        highest, _ = self._highest(vectors, high, none)
        found: list[Closest] = []
        for first, end in portions([len(rows) for rows in likely]):
            some = slice(first, end)
            found += self._told(vectors[some], likely[some], highest[some], shown)
        return found

    def _told(
        self, vectors: Floats, likely: list[NDArray[np.int64]], highest: Floats, shown: int
    ) -> list[Closest]:
        """What is to be told of some images, of which the rows that may be are known."""
        images = np.repeat(np.arange(len(vectors)), [len(rows) for rows in likely])
        rows = np.concatenate([*likely, np.zeros(0, np.int64)])
        scored = self._scored(vectors, images, rows)
        ends = np.cumsum([len(some) for some in likely])
        return [
            Closest.of(
                scored.between(end - len(some), end),
                some,
                self.places[self.shelf.owner_of[some]],
                self.shelf.numbers(search.LIMIT, some),
                self.kinds[some] == search.LIVE,
                shown,
                self.constants.margin,
                float(own),
            )
            for some, end, own in zip(likely, ends, highest, strict=True)
        ]

    def match(self, vectors: Floats) -> ModelScores:
        """All models against B images (B, D), all in full: what `closest` tells some of."""
        rows, images = self.shelf.rows_of(self.owners), len(vectors)
        apart = list(portions([len(rows)] * images))
        if len(apart) > 1:
            return ModelScores.together([self.match(vectors[i:end]) for i, end in apart])
        pairs = np.repeat(np.arange(images), len(rows)), np.tile(rows, images)
        limits = self.shelf.numbers(search.LIMIT, rows)
        return ModelScores.of(
            self._scored(vectors, *pairs),
            rows,
            self.shelf.lengths[self.owners],
            limits,
            np.float32(self.constants.reach) * limits,
            self.kinds[rows] == search.LIVE,
            images,
        )

    def _searched(
        self, vectors: Floats, kind: int, above: Floats, shown: int | None = None
    ) -> tuple[list[NDArray[np.int64]], list[search.Promising]]:
        """Of each image the rows that may be the likeliest of a model that is told, none without
        `shown`; and those of a `kind` that may score highest, and higher than `above` (B,)."""
        alive, images = np.flatnonzero(self.kinds), len(vectors)
        every = search.Promising(alive[self.kinds[alive] == kind], None)
        if len(alive) <= _FEW:
            return [alive] * images, [every] * images
        shelf, degrees = self.shelf, scoring.DEGREES + vectors.shape[1]
        many, told = shelf.most, shown is not None
        few = max(shown - 1, 0) * many + 1 if shown else 1
        level = self.impostors.level(vectors)
        found = search.Found(
            above + level,
            np.full((images, few), np.inf if shown else -1, np.float32),
            np.full((images, many + 1), np.inf if told else -1, np.float32),
            np.empty((images, 2, search.MOST), np.int32),
            np.empty((images, 2, search.MOST), np.float32),
            np.zeros((images, 2), np.int64),
        )
        ratio = shelf.apart / self.apart
        wanted = search.Wanted(
            kind,
            np.float32(self.constants.reach),
            told,
            np.float32(math.exp(2 * self.constants.margin / degrees) * (1 + 1e-6)),
            np.float32(ratio.min() * (1 - 1e-6)),
            np.float32(ratio.max() * (1 + 1e-6)),
            np.float32(scoring.DEGREES),
        )
        codes = shelf.codes[: len(self.kinds) // LANES].reshape(-1)
        queries = asked(vectors, shelf)
        search.search(search.Rows(codes, shelf.table, self.kinds), queries, wanted, found)
        likely, high = [], []
        for image in range(images):
            if found.counts[image, 0] < 0:
                likely.append(alive if told else alive[:0])
                high.append(every)
                continue
            rows, shadows = search.likely(found, image, wanted)
            if len(shadows):
                owners = np.unique(shelf.owner_of[shadows]).astype(np.int64)
                rows = np.unique(np.concatenate([rows, shelf.rows_of(owners)]))
            likely.append(rows.astype(np.int64))
            high.append(search.promising(found, image, level[image]))
        return likely, high

    def _highest(
        self, vectors: Floats, high: Sequence[search.Promising], above: Floats
    ) -> tuple[Floats, NDArray[np.int64]]:
        """(B,) the highest score above `above` (B,) of a row within reach, -inf where there is
        none, and (B,) of which model, -1; of each image among the rows of `high`."""
        found, leading = np.full(len(vectors), -np.inf, np.float32), np.full(len(vectors), -1)
        left = list(enumerate(high))
        while left:
            many = [len(one.rows[:_IN_TURN]) for _, one in left]
            images = np.repeat([image for image, _ in left], many)
            rows = np.concatenate([one.rows[:_IN_TURN] for _, one in left])
            self._raise(found, leading, vectors, images, rows, above)
            left = [(i, one.behind(_IN_TURN)) for i, one in left]
            left = [(i, one) for i, one in left if one.may_reach(float(found[i]))]
        return found, leading

    def _raise(
        self,
        found: Floats,
        leading: NDArray[np.int64],
        vectors: Floats,
        images: NDArray[np.int64],
        rows: NDArray[np.int64],
        above: Floats,
    ) -> None:
        """Let P pairs of an image and a row raise what is `found` (B,), and who is `leading`."""
        scored = self._scored(vectors, images, rows)
        reach = np.float32(self.constants.reach) * self.shelf.numbers(search.LIMIT, rows)
        within = (scored.distances <= reach) & (scored.scores > above[images])
        images, scores = images[within], scored.scores[within]
        places = self.places[self.shelf.owner_of[rows[within]]]
        # The highest of each image, of equals the first model of the registry.
        order = np.lexsort((places, -scores, images))
        order = order[np.unique(images[order], return_index=True)[1]]
        images, scores, places = images[order], scores[order], places[order]
        better = scores > found[images]
        better |= (scores == found[images]) & (places < leading[images])
        found[images[better]], leading[images[better]] = scores[better], places[better]

    def _raise_few(
        self,
        found: Floats,
        leading: NDArray[np.int64],
        vectors: Floats,
        rows: NDArray[np.int64],
        above: Floats,
    ) -> None:
        """The same of all images and few rows: pairs that 32 bits rule out are not scored."""
        means = self.shelf.means(rows)
        inverse, centre = (self.shelf.numbers(n, rows) for n in (search.INVERSE, search.CENTRE))
        lengths = np.sqrt(np.vecdot(vectors, vectors))[:, None] * np.linalg.norm(means, axis=1)
        # A sum of D products is wrong by D roundings at most; twice that.
        wrong = lengths * inverse * np.float32(1.2e-7 * vectors.shape[1]) + np.float32(1e-5)
        wrong += np.abs(centre) * np.float32(1e-5)
        level = self.impostors.level(vectors)[:, None]
        scores = vectors @ means.T * inverse - centre - level
        images, which = np.nonzero(scores + wrong > above[:, None])
        self._raise(found, leading, vectors, images, rows[which], above)

    def _scored(
        self, vectors: Floats, images: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> Scored:
        return Scored.of(
            self.shelf, vectors, images, rows, self.apart, self.impostors.level(vectors)
        )

    def _rows_of(self, models: Sequence[ModelFingerprint]) -> NDArray[np.int64]:
        """Those of some of the models; most often the last of them."""
        if (*models,) == self.models[-len(models) :]:
            return self.shelf.rows_of(self.owners[-len(models) :])
        wanted = set(map(id, models))
        places = [place for place, model in enumerate(self.models) if id(model) in wanted]
        return self.shelf.rows_of(self.owners[np.array(places, np.int64)])

    def _apart(self, scatter: NDArray[np.float64], rows: int) -> Floats:
        """(D,) the variance that tells models apart; `scatter` is the sum over so many rows."""
        made, weight = self.space.made_variance, self.constants.own_scatter
        if not rows or weight <= 0:
            return made
        apart: Floats = ((1 - weight) * made + weight * (scatter / rows)).astype(np.float32)
        return apart


def _same(model: ModelFingerprint) -> tuple[str, int]:
    """What stays of a model whose status changes."""
    return model.model_id, id(model.statistics)
