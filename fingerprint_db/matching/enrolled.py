"""The registered models of one codec as arrays, and what they say of fingerprints.

Letters: B images, K models, R rows (a model under one condition), D fingerprint size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import CodecSpace, DecisionConstants, Floats
from fingerprint_db.conditions import Codec, conditions_of
from fingerprint_db.matching import scoring
from fingerprint_db.matching.scoring import Distances, Impostors, ScoredDirections
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint

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
    those that tell models apart.
    """

    models: tuple[ModelFingerprint, ...]
    conditions: tuple[str, ...]
    first_rows: NDArray[np.int64]
    live: NDArray[np.bool_]
    counts: NDArray[np.int64]
    limits: Floats
    directions: ScoredDirections
    near: Distances
    apart: Distances
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
        names = {condition.name for condition in conditions_of(codec)}
        kept, first_rows = [], []
        entries: list[ConditionStatistics] = []
        for model in models:
            own = [entry for entry in model.statistics if entry.condition in names]
            if own:
                kept.append(model)
                first_rows.append(len(entries))
                entries += own
        size = len(space.real_variance)
        means = np.array([e.mean for e in entries], np.float32).reshape(-1, size)
        counts = np.array([e.count for e in entries], np.int64)
        apart, weight = space.made_variance, constants.own_scatter
        if entries and weight > 0:
            scatter = np.mean([e.variance for e in entries], axis=0, dtype=np.float64)
            apart = ((1 - weight) * apart + weight * scatter).astype(np.float32)
        return cls(
            tuple(kept),
            tuple(e.condition for e in entries),
            np.array(first_rows, np.int64),
            np.array([model.status == "live" for model in kept], np.bool_),
            counts,
            np.array([e.distance_limit for e in entries], np.float32),
            scoring.normalised_directions(means, space.cohort),
            Distances.of(space.made_variance, means, counts),
            Distances.of(apart, means, counts),
            impostors or Impostors.of(space, constants),
            constants,
        )

    def highest(self, vectors: Floats, among: NDArray[np.bool_] | None = None) -> Floats:
        """(B,) the highest score of a model that each image is within the reach of, else -inf.

        This is what is held against photographs: its maximum over the registry. `among` (K,) says
        which models count, the live ones unless given.
        """
        found = np.full(len(vectors), -np.inf, np.float32)
        chosen = np.flatnonzero(self._of_rows(self.live if among is None else among))
        if not len(chosen):
            return found
        for start in range(0, len(chosen), _CHUNK):
            some = chosen[start : start + _CHUNK]
            # Rows that stand together need no copy.
            together = some[-1] - some[0] == len(some) - 1
            rows = slice(some[0], some[-1] + 1) if together else some
            scores = self.directions.scores(vectors, rows)
            scores[self.near.to(vectors, rows) > self.constants.reach * self.limits[rows]] = -np.inf
            np.maximum(found, scores.max(1), out=found)
        return found - self.impostors.level(vectors)

    def match(self, vectors: Floats) -> ModelScores:
        """All models against B images (B, D)."""
        likelihoods = scoring.log_likelihoods(
            self.apart.to(vectors), vectors.shape[1], self.counts
        )  # (B, R)
        scores = self.directions.scores(vectors) - self.impostors.level(vectors)[:, None]
        distances = self.near.to(vectors)
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
