"""How many of a generator's samples would be named, each left out of the mean in turn.

Whether leave-one-out naming works is what registration promises. The whole decision is made for
each sample as it is made for an image: typical of the model of the other samples, its score beyond
what photographs reach with all registered models and this one, and ahead of every registered model
by the margin. Letters: N samples, K registered models, D fingerprint size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Background, CodecSpace, DecisionConstants, Floats, Labels
from fingerprint_db.conditions import Codec, shown_by
from fingerprint_db.gate.sample_statistics import distances_to
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.levels import Levels
from fingerprint_db.matching.photographs import clopper_pearson_upper
from fingerprint_db.matching.registered import Registered, cohort_of_files
from fingerprint_db.matching.rows.scoring import (
    leave_one_out_distances,
    log_likelihoods,
    normalised_directions,
)
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint

CONFIDENCE = 0.95  # of the interval around a share of samples


@dataclass(frozen=True, slots=True)
class Rates:
    """The policy's levels for names: by photograph, in the worst source of photographs, and by the
    photographs most like a sample."""

    alpha_name: float
    alpha_source: float
    alpha_alike: float


@dataclass(frozen=True, slots=True, eq=False)
class Recognition:
    """What becomes of the samples under one condition.

    `recognised` (N,) bool would be named; `scores` (N,) are in deviations of photographs.
    `decidable` (N,) bool are of a size of which enough photographs calibrate. `nearest` is the
    registered model that most samples are likelier under, and `confusion` the share of the samples
    that are; None where none is registered.
    """

    recognised: NDArray[np.bool_]
    scores: Floats
    decidable: NDArray[np.bool_]
    nearest: ModelFingerprint | None
    confusion: float

    @property
    def share(self) -> float:
        """The share of the samples that would be named."""
        return float(self.recognised.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's interval of that share, for further images of the generator."""
        return interval_of(int(self.recognised.sum()), len(self.recognised))


def interval_of(events: int, trials: int) -> tuple[float, float]:
    """Clopper and Pearson's two-sided interval of CONFIDENCE for a rate, given events of trials."""
    one_sided = 1 - (1 - CONFIDENCE) / 2
    return (
        1.0 - clopper_pearson_upper(trials - events, trials, one_sided),
        clopper_pearson_upper(events, trials, one_sided),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Registry:
    """All registered models of one codec and, last, the one to be enrolled."""

    space: CodecSpace
    constants: DecisionConstants
    enrolled: Enrolled
    levels: Levels
    rates: Rates

    @classmethod
    def of(
        cls,
        background: Background,
        codec: Codec,
        registered: Sequence[ModelFingerprint],
        model: ModelFingerprint,
        rates: Rates,
    ) -> Self:
        """`model`, enrolled under a condition of the codec, counts as live whatever its status.

        Photographs are asked in all spaces that files are read in which are read in this one.
        """
        space, constants = background.codecs[codec], background.constants
        models = [*registered, model.with_status("live")]
        shown = shown_by(codec)
        everyone = Registered.of(background, models, shown)
        enrolled = everyone.enrolled[everyone.readings.index(codec)]
        levels = Levels.of(cohort_of_files(background, shown), everyone.highest)
        return cls(space, constants, enrolled, levels, rates)

    def judge(
        self, entry: ConditionStatistics, vectors: Floats, size_classes: Labels, kinds: Floats
    ) -> Recognition:
        """The samples (N, D) that `entry` was made of, their `size_classes` and `kinds`."""
        typical = leave_one_out_distances(self.space, vectors) <= entry.distance_limit
        scores = self.left_out_scores(vectors)
        name, rates = self.rates.alpha_name, self.rates
        standings = self.levels.standings(size_classes, scores, kinds)
        passes = np.array(
            [
                one.passes(name, rates.alpha_source) and one.unusual(name, rates.alpha_alike)
                for one in standings
            ]
        )
        decidable = np.array([self.levels.by_size[size].reaches(name) for size in size_classes])
        others = self.enrolled.models[:-1]
        if not others:
            return Recognition(typical & passes, scores, decidable, None, 0.0)
        likelihoods = self.enrolled.match(vectors).likelihoods[:, :-1]  # (N, K)
        ahead = self._own_likelihoods(entry, vectors)[:, None] - likelihoods  # (N, K)
        live = self.enrolled.live[:-1]
        leads = (ahead[:, live] >= self.constants.margin).all(1)
        confusions = (ahead < 0).mean(0)  # (K,)
        # Of models that no sample is likelier under, the one that comes nearest on average.
        worst = int(np.lexsort((-ahead.mean(0), confusions))[-1])
        return Recognition(
            typical & passes & leads, scores, decidable, others[worst], float(confusions[worst])
        )

    def left_out_scores(self, vectors: Floats) -> Floats:
        """(N,) each sample's score under the mean of the others."""
        count = len(vectors)
        means = (vectors.sum(0) - vectors) / (count - 1)  # (N, D)
        directions = normalised_directions(means.astype(np.float32), self.space.cohort)
        scores = np.einsum("nd,nd->n", vectors, directions.scaled) - directions.centres
        found: Floats = (scores - self.level(vectors)).astype(np.float32)
        return found

    def scores(self, entry: ConditionStatistics, vectors: Floats) -> Floats:
        """(B,) what images (B, D) score under the mean of all samples."""
        directions = normalised_directions(entry.mean[None], self.space.cohort)
        found: Floats = directions.scores(vectors)[:, 0] - self.level(vectors)
        return found

    def level(self, vectors: Floats) -> Floats:
        """(B,) what any generator would score."""
        return self.enrolled.impostors.level(vectors)

    def _own_likelihoods(self, entry: ConditionStatistics, vectors: Floats) -> NDArray[np.float64]:
        """(N,) each sample's under the mean of the others.

        The others' mean is further away by N/(N - 1) and rests on N - 1 samples.
        """
        count = len(vectors)
        squares = np.square(vectors - entry.mean, dtype=np.float64) @ (1.0 / self.enrolled.apart)
        squares *= (count / (count - 1)) ** 2 / (1.0 + 1.0 / (count - 1))
        return log_likelihoods(squares, vectors.shape[1], np.array([count - 1]))


def share_inside(entry: ConditionStatistics, space: CodecSpace) -> float:
    """The share of the cohort's photographs, one vote each, that are typical of the entry."""
    cohort = space.cohort
    inside = distances_to(entry, cohort.vectors, space) <= entry.distance_limit
    _, of_photograph = np.unique(cohort.photographs, return_inverse=True)
    views = np.bincount(of_photograph)
    return float((np.bincount(of_photograph, inside) / views).mean())
