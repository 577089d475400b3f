"""Attribution: image fingerprints against a registry snapshot, under each image's own condition.

Letters: B images, D fingerprint size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Background
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint
from fingerprint_db.scoring import (
    Alternative,
    Metric,
    log_likelihood_ratios,
    model_metric,
    squared_distances,
)
from fingerprint_db.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Match:
    """How one image compares with one model under one condition.

    `similarity` is a log-likelihood ratio in nats (rises); `distance` a squared Mahalanobis
    distance (falls); `accepted` whether the distance is within the model's threshold.
    """

    model: ModelFingerprint
    condition: str
    similarity: float
    distance: float
    distance_threshold: float
    threshold_count: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class _Scored:
    """A match and the log-likelihood (nats, up to a constant) of the image under its model."""

    match: Match
    likelihood: float


@dataclass(frozen=True, slots=True, eq=False)
class _Enrolled:
    """A model under one condition, with the metric of its own covariance."""

    model: ModelFingerprint
    entry: ConditionStatistics
    metric: Metric


class Matcher:
    """A snapshot prepared for matching; built once per revision, then only read."""

    def __init__(self, background: Background, snapshot: Snapshot) -> None:
        assert snapshot.space == background.space, "a snapshot of another fingerprint space"
        self._background = background
        self._snapshot = snapshot
        # Filled when a condition is first met: most images of a stream share a few.
        self._enrolled: dict[str, tuple[_Enrolled, ...]] = {}
        self._alternatives: dict[str, Alternative] = {}

    def match(
        self, vectors: NDArray[np.float32], conditions: Sequence[Sequence[str]]
    ) -> list[tuple[Match, ...]]:
        """Matches of each image, best first: accepted ones first, then by similarity.

        `vectors` is (B, D); `conditions[i]` names the conditions that image i may be in. Of the
        same model under several conditions the likeliest one counts, accepted or not: taking any
        that accepts would let the widest condition decide.
        """
        best: list[dict[str, _Scored]] = [{} for _ in range(len(vectors))]
        for condition in sorted({name for names in conditions for name in names}):
            rows = [i for i, names in enumerate(conditions) if condition in names]
            for i, scored in zip(rows, self._under(condition, vectors[rows]), strict=True):
                for one in scored:
                    held = best[i].get(one.match.model.model_id)
                    if held is None or one.likelihood > held.likelihood:
                        best[i][one.match.model.model_id] = one
        return [tuple(sorted((s.match for s in row.values()), key=_rank)) for row in best]

    def _under(self, condition: str, vectors: NDArray[np.float32]) -> list[list[_Scored]]:
        """Matches of each row of `vectors` (B, D) with every model enrolled under `condition`."""
        if condition not in self._enrolled:
            self._enrolled[condition] = _enrolled(self._snapshot, self._background, condition)
            self._alternatives[condition] = Alternative.of(self._background, condition)
        alternative = self._alternatives[condition]
        penalty = self._background.halved_penalty if condition.startswith("half") else 0.0
        rows: list[list[_Scored]] = [[] for _ in range(len(vectors))]
        for known in self._enrolled[condition]:
            entry = known.entry
            distances = squared_distances(known.metric, vectors, entry)
            ratios = log_likelihood_ratios(
                alternative, known.metric, vectors, distances, entry.count
            )
            spread = 0.5 * vectors.shape[1] * math.log1p(1 / entry.count)
            for row, distance, ratio in zip(rows, distances, ratios, strict=True):
                match = Match(
                    known.model,
                    condition,
                    float(ratio),
                    float(distance),
                    entry.distance_threshold,
                    entry.threshold_count,
                    bool(distance <= entry.distance_threshold),
                )
                likelihood = -0.5 * float(distance + known.metric.log_det) - spread
                row.append(_Scored(match, likelihood - penalty))
        return rows


def _rank(match: Match) -> tuple[bool, float]:
    return (not match.accepted, -match.similarity)


def _enrolled(snapshot: Snapshot, background: Background, condition: str) -> tuple[_Enrolled, ...]:
    pairs = [(model, model.under(condition)) for model in snapshot.models]
    return tuple(
        _Enrolled(model, entry, model_metric(background, condition, entry.scatter, entry.count))
        for model, entry in pairs
        if entry is not None
    )
