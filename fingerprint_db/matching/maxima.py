"""The highest score that any of many models has for each photograph, kept as models come and go.

A model that comes is scored on the photographs alone. One that goes leaves those photographs to be
scored anew, against all that remain, for which its score was the highest. So a change of one model
costs its own scores, and no score of a model that stays is kept but the highest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Floats
from fingerprint_db.matching.registered import Registered

Vectors = Callable[[NDArray[np.int64]], Floats]
"""Fingerprints (B, R D) of the photographs of these numbers."""

_CHUNK = 2048  # photographs as float32 at once: with 512 numbers 4 MB

_NOBODY = ""


@dataclass(frozen=True, slots=True, eq=False)
class Maxima:
    """Of N photographs the `scores` (N,), and the ids of the models that have them, `holders` (N,).

    Of the models of `registered` those count that are live, or those that are not; a score is -inf
    and its holder "" where no model is within reach.
    """

    registered: Registered
    live: bool
    scores: Floats
    holders: tuple[str, ...]

    @classmethod
    def of(cls, registered: Registered, live: bool, vectors: Vectors, count: int) -> Self:
        """All models against all of `count` photographs."""
        scores, holders = _leading(registered, live, vectors, np.arange(count))
        return cls(registered, live, scores, tuple(holders))

    def following(self, registered: Registered, vectors: Vectors) -> "Maxima":
        """With the models of `registered` instead, on the same photographs."""
        before, after = self.registered.counting(self.live), registered.counting(self.live)
        gone = {name for name, own in before.items() if after.get(name) is not own}
        come = {name for name, own in after.items() if before.get(name) is not own}
        scores, holders = self.scores, list(self.holders)
        if gone and len(anew := np.flatnonzero([name in gone for name in holders])):
            scores = scores.copy()
            scores[anew], found = _leading(registered, self.live, vectors, anew)
            for i, name in zip(anew, found, strict=True):
                holders[i] = name
        if come:
            every = np.arange(len(scores))
            theirs, names = _leading(registered.only(come), self.live, vectors, every)
            higher = np.flatnonzero(theirs > scores)
            if len(higher):
                scores = scores.copy()
                scores[higher] = theirs[higher]
                for i in higher:
                    holders[i] = names[i]
        return Maxima(registered, self.live, scores, tuple(holders))


def _leading(
    registered: Registered, live: bool, vectors: Vectors, rows: NDArray[np.int64]
) -> tuple[Floats, list[str]]:
    scores, holders = np.full(len(rows), -np.inf, np.float32), [_NOBODY] * len(rows)
    for start in range(0, len(rows), _CHUNK):
        some = slice(start, start + _CHUNK)
        scores[some], holders[some] = registered.leading(vectors(rows[some]), live=live)
    return scores, holders
