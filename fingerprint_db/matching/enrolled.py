"""The registered models of one codec as arrays, and what they say of fingerprints.

Letters: B images, K models, R rows (a model under one condition), D fingerprint size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import CodecSpace, DecisionConstants, Floats
from fingerprint_db.conditions import Codec, conditions_of
from fingerprint_db.matching import scoring
from fingerprint_db.matching.scoring import Distances, Impostors, ScoredDirections
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint

_T = TypeVar("_T", bound=np.generic)

_CHUNK = 1024  # rows scored at once on many images: 2,000 photographs take 8 MB


@dataclass(frozen=True, slots=True, eq=False)
class ModelScores:
    """What each of K models says of B images; of a model's conditions the likeliest one counts.

    `scores` (B, K) in deviations of photographs, rises; `distances` (B, K) squared Mahalanobis,
    falls; `typical` (B, K) whether the distance is within the model's limit; `likelihoods` (B, K)
    nats; `rows` (B, K) the condition that counts, a row of `Enrolled`. `highest` (B,) is
    `Enrolled.highest`.
    """

    scores: Floats
    distances: Floats
    typical: NDArray[np.bool_]
    likelihoods: Floats
    rows: NDArray[np.int64]
    highest: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """Models under one codec; rows of one model stand together, in the order of `models`.

    `first_rows` (K,) where each model's rows begin, `live` (K,) bool; of each row (R,) its
    condition, the `counts` of its samples and the `limits` of its distance. `near` are distances
    under the variance of one generator's images, which say whether an image is typical; `apart`
    those that tell models apart. `scatter` (D,) is the sum of the rows' own variances.
    """

    space: CodecSpace
    codec: Codec
    models: tuple[ModelFingerprint, ...]
    conditions: tuple[str, ...]
    first_rows: NDArray[np.int64]
    live: NDArray[np.bool_]
    counts: NDArray[np.int64]
    limits: Floats
    directions: ScoredDirections
    near: Distances
    apart: Distances
    scatter: NDArray[np.float64]
    impostors: Impostors
    constants: DecisionConstants

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
        size = len(space.real_variance)
        none = np.zeros((0, size), np.float32)
        counts = np.zeros(0, np.int64)
        nothing = cls(
            space,
            codec,
            (),
            (),
            np.zeros(0, np.int64),
            np.zeros(0, np.bool_),
            counts,
            np.zeros(0, np.float32),
            scoring.normalised_directions(none, space.cohort),
            Distances.of(space.made_variance, none, counts),
            Distances.of(space.made_variance, none, counts),
            np.zeros(size),
            impostors or Impostors.of(space, constants),
            constants,
        )
        return nothing.following(models)

    def following(self, models: Sequence[ModelFingerprint]) -> Self:
        """The same of these models; only what is new among them is computed.

        A model is the same where it has the same statistics, whatever its status became. What the
        scatter of all models enters, the lengths of `apart`, is computed of all.
        """
        names = {condition.name for condition in conditions_of(self.codec)}
        lengths = self._lengths().tolist()
        held = {
            model.model_id: (model.statistics, first, length)
            for model, first, length in zip(
                self.models, self.first_rows.tolist(), lengths, strict=True
            )
        }
        kept, first_rows = [], []
        rows: list[int] = []
        fresh: list[ConditionStatistics] = []
        for model in models:
            statistics, first, length = held.get(model.model_id, (None, 0, 0))
            if statistics is model.statistics:
                own_rows = range(first, first + length)
            else:
                own = [entry for entry in model.statistics if entry.condition in names]
                first = len(self.counts) + len(fresh)
                own_rows = range(first, first + len(own))
                fresh += own
            if own_rows:
                kept.append(model)
                first_rows.append(len(rows))
                rows += own_rows
        order = np.array(rows, np.int64)
        means = np.array([e.mean for e in fresh], np.float32).reshape(-1, len(self.scatter))
        new_counts = np.array([e.count for e in fresh], np.int64)
        counts = _gathered(self.counts, new_counts, order)
        directions = scoring.normalised_directions(means, self.space.cohort)
        near = Distances.of(self.space.made_variance, means, new_counts)
        means = _gathered(self.near.means, means, order)
        conditions = (*self.conditions, *(e.condition for e in fresh))
        scatter = self._scatter_with(order, fresh, names)
        return type(self)(
            self.space,
            self.codec,
            tuple(kept),
            tuple(conditions[row] for row in rows),
            np.array(first_rows, np.int64),
            np.array([model.status == "live" for model in kept], np.bool_),
            counts,
            _gathered(self.limits, np.array([e.distance_limit for e in fresh], np.float32), order),
            ScoredDirections(
                _gathered(self.directions.scaled, directions.scaled, order),
                _gathered(self.directions.centres, directions.centres, order),
            ),
            Distances(
                near.inverse,
                means,
                _gathered(self.near.lengths, near.lengths, order),
                _gathered(self.near.shrunk, near.shrunk, order),
            ),
            Distances.of(self._apart(scatter, len(rows)), means, counts),
            scatter,
            self.impostors,
            self.constants,
        )

    def _scatter_with(
        self, order: NDArray[np.int64], fresh: Sequence[ConditionStatistics], names: set[str]
    ) -> NDArray[np.float64]:
        """(D,) the sum of all variances, of the rows that stay and those that are new."""
        gone = np.ones(len(self.counts), np.bool_)
        gone[order[order < len(gone)]] = False
        found = self.scatter + np.sum([e.variance for e in fresh], axis=0, dtype=np.float64)
        for k in np.flatnonzero(gone[self.first_rows]):
            own = (e for e in self.models[k].statistics if e.condition in names)
            found = found - np.sum([e.variance for e in own], axis=0, dtype=np.float64)
        return found

    def _apart(self, scatter: NDArray[np.float64], rows: int) -> Floats:
        """(D,) the variance that tells models apart; `scatter` is the sum over so many rows."""
        made, weight = self.space.made_variance, self.constants.own_scatter
        if not rows or weight <= 0:
            return made
        apart: Floats = ((1 - weight) * made + weight * (scatter / rows)).astype(np.float32)
        return apart

    def highest(self, vectors: Floats, among: NDArray[np.bool_] | None = None) -> Floats:
        """(B,) the highest score of a model that each image is within the reach of, else -inf.

        This is what is held against photographs: its maximum over the registry. `among` (K,) says
        which models count, the live ones unless given.
        """
        return self.leading(vectors, among)[0]

    def leading(
        self, vectors: Floats, among: NDArray[np.bool_] | None = None
    ) -> tuple[Floats, NDArray[np.int64]]:
        """`highest`, and (B,) which of the models has it, -1 where none is within reach."""
        found = np.full(len(vectors), -np.inf, np.float32)
        leading = np.full(len(vectors), -1, np.int64)
        chosen = np.flatnonzero(self._of_rows(self.live if among is None else among))
        for start in range(0, len(chosen), _CHUNK):
            some = chosen[start : start + _CHUNK]
            # Rows that stand together need no copy.
            together = some[-1] - some[0] == len(some) - 1
            rows = slice(some[0], some[-1] + 1) if together else some
            scores = self.directions.scores(vectors, rows)
            scores[self.near.to(vectors, rows) > self.constants.reach * self.limits[rows]] = -np.inf
            best = scores.argmax(1)
            highest = np.take_along_axis(scores, best[:, None], 1)[:, 0]
            better = highest > found
            found[better], leading[better] = highest[better], some[best[better]]
        of_models = np.searchsorted(self.first_rows, leading, "right") - 1
        return found - self.impostors.level(vectors), of_models

    def match(self, vectors: Floats) -> ModelScores:
        """All models against B images (B, D)."""
        # One product for both distances: what it takes is reading the means.
        both = np.concatenate([self.near.weighted(vectors), self.apart.weighted(vectors)])
        products: Floats = both @ self.near.means.T  # (2 B, R)
        distances = self.near.from_products(vectors, products[: len(vectors)])
        likelihoods = scoring.log_likelihoods(
            self.apart.from_products(vectors, products[len(vectors) :]),
            vectors.shape[1],
            self.counts,
        )  # (B, R)
        scores = self.directions.scores(vectors) - self.impostors.level(vectors)[:, None]
        near = distances <= self.limits
        within_reach = distances <= self.constants.reach * self.limits
        live_in_reach = within_reach & self._of_rows(self.live)
        # Models have few conditions each: of a table of their rows the likeliest is looked up.
        table = self._table()  # (K, C)
        best = likelihoods[:, table].argmax(2)  # (B, K)
        likeliest = table[np.arange(len(table)), best]  # (B, K)
        return ModelScores(
            np.take_along_axis(scores, likeliest, 1),
            np.take_along_axis(distances, likeliest, 1),
            np.take_along_axis(near, likeliest, 1),
            np.take_along_axis(likelihoods, likeliest, 1),
            likeliest,
            np.where(live_in_reach, scores, np.float32(-np.inf)).max(1, initial=-np.inf),
        )

    def _of_rows(self, of_models: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.repeat(of_models, self._lengths())

    def _lengths(self) -> NDArray[np.int64]:
        return np.diff(np.append(self.first_rows, len(self.counts)))

    def _table(self) -> NDArray[np.int64]:
        """(K, C) the rows of each model; one of fewer conditions repeats its first."""
        many = self._lengths()[:, None]
        steps = np.arange(many.max(initial=1))
        return self.first_rows[:, None] + np.where(steps < many, steps, 0)


def _gathered(held: NDArray[_T], fresh: NDArray[_T], order: NDArray[np.int64]) -> NDArray[_T]:
    """Rows of `held`, and after them of `fresh`, in this order."""
    every = np.concatenate([held, fresh]) if len(fresh) else held
    return every if np.array_equal(order, np.arange(len(every))) else every[order]
