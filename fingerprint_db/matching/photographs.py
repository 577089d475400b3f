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
from functools import cached_property
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
    ) -> "PhotographScores":
        """From N scores and as many photographs, in any order; ValueError where N differs.

        `weights` (N,) are what the views count, up to a factor.
        """
        return Views.of(photographs, weights).scored(scores)

    def photographs_as_high(self, score: float) -> float:
        """How many photographs score at least as high, one with some such views in part."""
        return float(self.as_high[self.scores.searchsorted(score)])

    def p_value(self, score: float) -> float:
        """The conformal p-value of a score: small where few photographs score as high."""
        return (1 + self.photographs_as_high(score)) / (self.count + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Which of `count` photographs each of N views shows, and its share of it, (N,) each: what does
    not change while scores do."""

    photographs: NDArray[np.int64]
    shares: NDArray[np.float64]
    count: int

    @classmethod
    def of(
        cls, photographs: NDArray[np.generic], weights: NDArray[np.floating] | None = None
    ) -> Self:
        """As `PhotographScores.of`."""
        _, position, views = np.unique(photographs, return_inverse=True, return_counts=True)
        own = 1 / views[position] if weights is None else weights.astype(np.float64)
        shares = own * (len(views) / own.sum()) if len(own) else own
        return cls(photographs.astype(np.int64), shares, len(views))

    @classmethod
    def by_source(
        cls,
        sources: NDArray[np.generic],
        photographs: NDArray[np.generic],
        weights: NDArray[np.floating] | None = None,
    ) -> Self:
        """As `by_source`: what is counted are sources."""
        _, source = np.unique(sources, return_inverse=True)
        if weights is None:
            _, pair = np.unique(np.stack([sources, photographs]), axis=1, return_inverse=True)
            weights = 1 / np.bincount(pair.reshape(-1))[pair.reshape(-1)]
        return cls.of(sources, weights / np.bincount(source, weights)[source])

    def scored(self, scores: NDArray[np.generic]) -> PhotographScores:
        """With their scores (N,); ValueError where there are more or fewer."""
        if scores.ndim != 1 or scores.shape != self.photographs.shape:
            raise ValueError(
                f"{scores.shape} scores of views come with {self.photographs.shape} photographs;"
                " expected one photograph for each score"
            )
        order = np.lexsort((self.photographs, scores))
        # Rounded, so that a photograph whose views all score higher counts as exactly one.
        as_high = np.zeros(len(order) + 1)
        as_high[:-1] = self.shares[order][::-1].cumsum()[::-1].round(9)
        return PhotographScores(
            scores[order].astype(np.float32), self.photographs[order], self.count, as_high
        )


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
    return Views.by_source(sources, photographs, weights).scored(scores)


@dataclass(frozen=True, slots=True, eq=False)
class SourceViews:
    """Of each source, or of all small ones together, which views are its photographs', and those;
    `source_of` and `shares` (N,) say of every view whose it is and what it counts there. All that
    does not change while scores do.
    """

    parts: tuple[tuple[NDArray[np.int64], Views], ...]
    source_of: NDArray[np.int64]
    shares: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        photographs: NDArray[np.generic],
        sources: NDArray[np.generic],
        weights: NDArray[np.floating] | None = None,
    ) -> Self:
        """As `SourceScores.of`."""
        found, small = [], np.zeros(len(sources), np.bool_)
        for source in np.unique(sources):
            own = sources == source
            if len(np.unique(photographs[own])) < LEAST_OF_A_SOURCE:
                small |= own
            else:
                found.append(np.flatnonzero(own))
        if small.any():
            found.append(np.flatnonzero(small))
        source_of, shares = np.zeros(len(sources), np.int64), np.zeros(len(sources))
        parts = []
        for position, rows in enumerate(found):
            own = None if weights is None else weights[rows]
            views = Views.of(photographs[rows], own)
            source_of[rows], shares[rows] = position, views.shares
            parts.append((rows, views))
        return cls(tuple(parts), source_of, shares)


@dataclass(frozen=True, eq=False)
class SourceScores:
    """Scores of photographs by source, to see what the worst source does; -inf scores are none.

    Sources of fewer than LEAST_OF_A_SOURCE photographs are one source together, since no rate can
    be said of them. `scores` (N,) are those of all, ascending; of a score that lies before the i-th
    of them, `as_high` (N + 1,) says how many photographs score at least as high, `worst` (N + 1,)
    the largest share of one source's, `worst_of` (N + 1,) of which source, and `second` (N + 1,)
    the largest share of another's. `views` and `given` (N,) are what all that is made of.
    """

    views: SourceViews
    given: NDArray[np.generic]
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
        return cls.scored(SourceViews.of(photographs, sources, weights), scores)

    @classmethod
    def scored(cls, views: SourceViews, scores: NDArray[np.generic]) -> Self:
        """From the views, and their scores (N,)."""
        order = np.argsort(scores, kind="stable")
        ordered = scores[order].astype(np.float32)
        # Of each source the sum over its views from the i-th on, from the first of equals.
        own = np.zeros((max(len(views.parts), 2), len(order) + 1))
        own[views.source_of[order], np.arange(len(order))] = views.shares[order]
        from_here = own[:, ::-1].cumsum(axis=1)[:, ::-1]
        first = np.append(ordered.searchsorted(ordered), len(order))
        as_high = from_here[:, first].round(9)
        counts = [one.count for _, one in views.parts] + [1] * (len(own) - len(views.parts))
        shares = as_high / np.array(counts)[:, None]
        second, worst = np.sort(shares, axis=0)[-2:]
        return cls(views, scores, ordered, as_high.sum(0), worst, shares.argmax(0), second)

    @cached_property
    def by_source(self) -> tuple[PhotographScores, ...]:
        """One source's photographs each; computed when first asked for, which few levels are."""
        return tuple(own.scored(self.given[rows]) for rows, own in self.views.parts)

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
