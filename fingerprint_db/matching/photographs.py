"""Scores of real photographs: conformal p-values, and rates for sources that were never seen.

Views of one photograph are alike, so that photographs are counted and not views: with K photographs
of which the k-th has n_k views,

    p = (1 + sum_k (1/n_k) #{i: s_ki >= s}) / (K + 1),

valid for one view of a further photograph that is exchangeable with them (Dunn, Wasserman and
Ramdas, "Distribution-free prediction sets for two-layer hierarchical models", 2018; Lee, Barber
and Willett, "Distribution-free inference with hierarchical data", 2023).

Where some kinds of views were taken more often than they are met, a view counts its `weight`
instead of 1/n_k: what it would count if all had been taken alike (Horvitz and Thompson, 1952). All
weights together are K.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]

LEAST_OF_A_SOURCE = 5
"""Photographs; no rate can be said of fewer."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotographScores:
    """Scores (N,) float32 of views, ascending, and which photograph each shows, (N,) int64.

    `count` is the number of distinct photographs; `as_high` (N + 1,) the sum, over the views from
    the i-th on, of what they count (one over the photograph's views, unless given): in photographs.
    """

    scores: Scores
    photographs: NDArray[np.int64]
    count: int
    as_high: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        scores: NDArray[np.generic],
        photographs: NDArray[np.generic],
        weights: NDArray[np.floating] | None = None,
    ) -> Self:
        """From N scores and as many photographs, in any order; ValueError where N differs.

        `weights` (N,) are what the views count, up to a factor.
        """
        if scores.ndim != 1 or scores.shape != photographs.shape:
            raise ValueError(
                f"{scores.shape} scores of views come with {photographs.shape} photographs;"
                " expected one photograph for each score"
            )
        order = np.lexsort((photographs, scores))
        _, position, views = np.unique(photographs, return_inverse=True, return_counts=True)
        own = 1 / views[position] if weights is None else weights.astype(np.float64)
        share = (own * (len(views) / own.sum()))[order] if len(own) else own
        # Rounded, so that a photograph whose views all score higher counts as exactly one.
        as_high = np.append(share[::-1].cumsum()[::-1], 0.0).round(9)
        return cls(
            scores[order].astype(np.float32),
            photographs[order].astype(np.int64),
            len(views),
            as_high,
        )

    def photographs_as_high(self, score: float) -> float:
        """How many photographs score at least as high, one with some such views in part."""
        return float(self.as_high[self.scores.searchsorted(score)])

    def p_value(self, score: float) -> float:
        """The conformal p-value of a score: small where few photographs score as high."""
        return (1 + self.photographs_as_high(score)) / (self.count + 1)


def by_source(
    scores: NDArray[np.generic],
    sources: NDArray[np.generic],
    photographs: NDArray[np.generic],
    weights: NDArray[np.floating] | None = None,
) -> PhotographScores:
    """Scores (N,) of views for a picture of a source never seen: `p_value` of what is returned.

    Of K sources each has one vote, within it each photograph, and within that each view (Lee,
    Barber and Willett 2023), so that the p-value is never below 1 / (K + 1); or within a source
    each view by its weight. `sources` (N,) and `photographs` (N,) are numbers of any kind;
    photographs of two sources are never the same.
    """
    _, source = np.unique(sources, return_inverse=True)
    if weights is None:
        _, pair = np.unique(np.stack([sources, photographs]), axis=1, return_inverse=True)
        weights = 1 / np.bincount(pair.reshape(-1))[pair.reshape(-1)]
    return PhotographScores.of(scores, sources, weights / np.bincount(source, weights)[source])


@dataclass(frozen=True, slots=True, eq=False)
class SourceScores:
    """Scores of photographs by source, to see what the worst source does; -inf scores are none.

    Each of `by_source` holds one source's photographs; sources of fewer than LEAST_OF_A_SOURCE
    photographs are one source together, since no rate can be said of them. `scores` (N,) are those
    of all, ascending; of a score that lies before the i-th of them, `as_high` (N + 1,) says how
    many photographs score at least as high, `worst` (N + 1,) the largest share of one source's,
    `worst_of` (N + 1,) of which source, and `second` (N + 1,) the largest share of another's.
    """

    by_source: tuple[PhotographScores, ...]
    scores: Scores
    as_high: NDArray[np.float64]
    worst: NDArray[np.float64]
    worst_of: NDArray[np.int64]
    second: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        scores: NDArray[np.generic],
        photographs: NDArray[np.generic],
        sources: NDArray[np.generic],
        weights: NDArray[np.floating] | None = None,
    ) -> Self:
        """From N scores of views, the photograph and the source of each, and what it counts."""

        def among(rows: NDArray[np.bool_]) -> PhotographScores:
            own = None if weights is None else weights[rows]
            return PhotographScores.of(scores[rows], photographs[rows], own)

        found, small = [], np.zeros(len(scores), np.bool_)
        for source in np.unique(sources):
            own = sources == source
            if len(np.unique(photographs[own])) < LEAST_OF_A_SOURCE:
                small |= own
            else:
                found.append(among(own))
        if small.any():
            found.append(among(small))
        return cls._summed(tuple(found), np.sort(scores.astype(np.float32)))

    @classmethod
    def _summed(cls, found: tuple[PhotographScores, ...], ordered: Scores) -> Self:
        size = len(ordered) + 1
        total, worst, second = np.zeros(size), np.zeros(size), np.zeros(size)
        worst_of = np.zeros(size, np.int64)
        for position, one in enumerate(found):
            places = np.append(np.searchsorted(one.scores, ordered, side="left"), len(one.scores))
            as_high = one.as_high[places]
            share = as_high / one.count
            leads = share > worst
            second = np.where(leads, worst, np.maximum(second, share))
            worst, worst_of = np.where(leads, share, worst), np.where(leads, position, worst_of)
            total += as_high
        return cls(found, ordered, total, worst, worst_of, second)

    def worst_share(self, score: float) -> float:
        """The largest share of a source's photographs that score at least as high."""
        return float(self.worst[self.scores.searchsorted(score)])

    def unseen_rate(self, alpha: float, worst: float = 1.0) -> tuple[float, float]:
        """The share of photographs flagged where their own source calibrates nothing.

        Flagged is what at most `alpha` of the other sources' photographs, and at most `worst` of
        those of any other source, score as high as. The mean over sources, and the worst one.
        """
        if len(self.by_source) < 2:
            return 1.0, 1.0
        count = sum(one.count for one in self.by_source)
        shares = []
        for position, left_out in enumerate(self.by_source):
            at = np.searchsorted(self.scores, left_out.scores, side="left")
            own = left_out.as_high[np.searchsorted(left_out.scores, left_out.scores, side="left")]
            # Rounded as `as_high` of each source is, so that equal shares stay equal.
            others_as_high = (self.as_high[at] - own).round(9)
            p_values = (1 + others_as_high) / (count - left_out.count + 1)
            others = np.where(self.worst_of[at] == position, self.second[at], self.worst[at])
            passing = (p_values <= alpha) & (others <= worst)
            shares.append(float(-np.diff(left_out.as_high)[passing].sum()) / left_out.count)
        return float(np.mean(shares)), max(shares)


def clopper_pearson_upper(events: int, trials: int, confidence: float = 0.95) -> float:
    """The largest rate under which `events` or fewer of `trials` has probability 1 - confidence."""
    if trials == 0 or events >= trials:
        return 1.0
    low, high = events / trials, 1.0
    for _ in range(60):  # halving 60 times exhausts float64
        middle = (low + high) / 2
        if _binomial_cdf(events, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _binomial_cdf(events: int, trials: int, rate: float) -> float:
    """P(X <= events) for X binomial(trials, rate), summed from logarithms."""
    if rate <= 0.0:
        return 1.0
    if rate >= 1.0:
        return 0.0
    total = 0.0
    for k in range(events + 1):
        log_choose = math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        total += math.exp(log_choose + k * math.log(rate) + (trials - k) * math.log1p(-rate))
    return total
