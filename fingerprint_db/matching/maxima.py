"""The highest score that any of many models has for each photograph, kept as models come and go.

A model that comes is scored on the photographs alone. One that goes leaves those photographs to be
scored anew, against all that remain, for which its score was the highest. So a change of one model
costs its own scores, and no score of a model that stays is kept but the highest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Floats
from fingerprint_db.matching.registered import Registered
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.snapshot import Difference

Vectors = Callable[[NDArray[np.int64]], Floats]
"""Fingerprints (B, R D) of the photographs of these numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """The photographs of the first numbers where they lie, `places` (N',) among `vectors` (V, R D):
    to score all at once takes less than to collect some."""

    vectors: Floats
    places: NDArray[np.int64]


_CHUNK = 2048  # photographs as float32 at once: with 512 numbers 4 MB

_FEW = 4  # models that come, of which all photographs are scored where they lie

_NOBODY = ""


@dataclass(frozen=True, slots=True, eq=False)
class Maxima:
    """Of N photographs the `scores` (N,), and the ids of the models that have them, `holders` (N,).

    Of the models those count that are `live`, or those that are not; a score is -inf and its holder
    "" where no model is within reach.
    """

    live: bool
    scores: Floats
    holders: tuple[str, ...]

    @classmethod
    def of(cls, registered: Registered, live: bool, vectors: Vectors, count: int) -> Self:
        """All models against all of `count` photographs."""
        nothing = cls(live, np.full(count, -np.inf, np.float32), (_NOBODY,) * count)
        return nothing._higher(registered, vectors, np.arange(count))

    def following(
        self,
        registered: Registered,
        change: Difference,
        vectors: Vectors,
        beside: Beside | None = None,
    ) -> Self:
        """After a change, `registered` being what was made of it, on the same photographs."""
        gone, come = (self._counting(models) for models in (change.gone, change.come))
        there = {(m.model_id, id(m.statistics)) for m in come}
        left = {m.model_id for m in gone if (m.model_id, id(m.statistics)) not in there}
        before = {(m.model_id, id(m.statistics)) for m in gone}
        fresh = [m for m in come if (m.model_id, id(m.statistics)) not in before]
        found = self
        if not left.isdisjoint(self.holders):
            anew = [i for i, name in enumerate(self.holders) if name in left]
            scores, holders = self.scores.copy(), list(self.holders)
            scores[anew] = -np.inf
            for i in anew:
                holders[i] = _NOBODY
            found = replace(self, scores=scores, holders=tuple(holders))
            found = found._higher(registered, vectors, np.array(anew))
        if fresh:
            first = 0
            if beside is not None and len(fresh) <= _FEW:
                found, first = found._higher_beside(registered, beside, fresh), len(beside.places)
            rest = np.arange(first, len(self.scores))
            found = found._higher(registered, vectors, rest, fresh)
        return found

    def _counting(self, models: Sequence[ModelFingerprint]) -> list[ModelFingerprint]:
        return [model for model in models if (model.status == "live") == self.live]

    def _higher_beside(
        self, registered: Registered, beside: Beside, among: Sequence[ModelFingerprint]
    ) -> Self:
        """As `_higher` of the photographs that lie among others, which no score is high enough
        for."""
        count = len(beside.places)
        above = np.full(len(beside.vectors), np.inf, np.float32)
        above[beside.places] = self.scores[:count]
        found, names = registered.leading(beside.vectors, live=self.live, above=above, among=among)
        if not names:
            return self
        scores, holders = self.scores.copy(), list(self.holders)
        scores[:count] = found[beside.places]
        numbers = dict(zip(beside.places.tolist(), range(count), strict=True))
        for place, name in names.items():
            holders[numbers[place]] = name
        return replace(self, scores=scores, holders=tuple(holders))

    def _higher(
        self,
        registered: Registered,
        vectors: Vectors,
        rows: NDArray[np.int64],
        among: Sequence[ModelFingerprint] | None = None,
    ) -> Self:
        """With the models' scores on the photographs of `rows`, where they are higher; `among` are
        those of which it is not known already that they are not."""
        scores, holders = self.scores, list(self.holders)
        for start in range(0, len(rows), _CHUNK):
            some = rows[start : start + _CHUNK]
            own = vectors(some)
            found, names = registered.leading(
                own, live=self.live, above=self.scores[some], among=among
            )
            for i, name in names.items():
                holders[some[i]] = name
            if names:
                scores = scores.copy()
                scores[some] = found
        return replace(self, scores=scores, holders=tuple(holders))
