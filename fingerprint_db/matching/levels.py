"""What scores mean among real photographs: the cohort's own, by size class.

Any statistic of a fingerprint may be held against the cohort: the highest score over the registry
(`Enrolled.highest`), or the score of the test with nothing registered. The same statistic is
computed for photographs and for queries, so that its p-value is valid whatever it is.

A tenant's own photographs join those of the bundle, by a rule that holds for each codec and size
class by itself:

1. fewer than `enough` of the tenant's: a p-value by photograph counts the bundle's and the tenant's
   together, each photograph once
2. `enough` and more: the tenant's alone, since they are what the tenant's next picture is like
3. what is said of sources, the worst one and one never seen, always counts all of both: a tenant's
   photographs are of one source or few, and say nothing of a camera that comes next year

`enough` is three times what the level needs to be reached at all (`enough_for`), so that it does
not hang on one photograph. Photographs that are held back to certify are not among them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from fingerprint_db.background import SIZE_CLASSES, Cohort, Floats, Labels
from fingerprint_db.matching.alike import Alike
from fingerprint_db.matching.photographs import (
    PhotographScores,
    SourceScores,
    SourceViews,
    Views,
    clopper_pearson_upper,
)
from fingerprint_db.matching.tenant import TenantPhotographs

Statistic = Callable[[Floats], Floats]
"""Fingerprints (B, D) to a number each, (B,), that rises with evidence."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a score stands among photographs: all numbers are small where few score as high.

    `p_value` is by photograph; `worst_share` the share of the worst source's photographs;
    `alike_p_value` is by the photographs most like the picture, 0 where no picture was asked for.
    """

    p_value: float
    worst_share: float
    alike_p_value: float = 0.0

    def passes(self, alpha: float, worst: float) -> bool:
        """Whether at most `alpha` of photographs, and `worst` of any source's, score as high."""
        return self.p_value <= alpha and self.worst_share <= worst

    def unusual(self, alpha: float, alike: float) -> bool:
        """Whether the score is unusual for the picture's kind too, of one that passes `alpha`.

        Where all photographs are among the most alike, `alpha` has said so already.
        """
        return self.alike_p_value <= max(alpha, alike)


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """Scores of the photographs of one size class.

    `photographs` for pictures like those of the calibration; `new_source` for a picture of a source
    that was never seen, where each source has one vote; `sources` for what the worst one does.
    `own` is how many of the tenant's are among `photographs`, `alone` whether no others are;
    `alike` finds those most like a picture, None where the level is of something else than
    pictures.
    """

    photographs: PhotographScores
    new_source: PhotographScores
    sources: SourceScores
    own: int = 0
    alone: bool = False
    alike: Alike | None = None

    @property
    def count(self) -> int:
        """How many distinct photographs there are."""
        return self.photographs.count

    def reaches(self, alpha: float) -> bool:
        """Whether enough photographs are there for a p-value of `alpha`: 1 / alpha - 1."""
        return least_photographs(alpha) <= self.count

    def standing(self, score: float, kind: Floats | None = None) -> Standing:
        """How a score stands among these photographs; of a picture of this kind (V,) if given."""
        alike = 0.0 if kind is None or self.alike is None else self.alike.p_value(score, kind)
        return Standing(self.photographs.p_value(score), self.sources.worst_share(score), alike)

    def standings(self, scores: Floats, kinds: Floats) -> list[Standing]:
        """How scores (B,) stand, of pictures of these kinds (B, V)."""
        found = map(self.standing, scores.tolist())
        if self.alike is None:
            return list(found)
        alike = self.alike.p_values(scores, kinds).tolist()
        return [replace(one, alike_p_value=p) for one, p in zip(found, alike, strict=True)]

    def passes(self, score: float, alpha: float, worst: float) -> bool:
        """Whether at most `alpha` of photographs, and `worst` of any source's, score as high."""
        return self.standing(score).passes(alpha, worst)

    def rate_bound(self, alpha: float) -> float:
        """What the rate of photographs that pass `alpha` stays below, with confidence of 95 %.

        The level is at the k-th highest of n exchangeable photographs, so that the rate beyond it
        has Beta's distribution, whose quantile is Clopper and Pearson's bound of k - 1 in n.
        """
        beyond = math.floor(round(alpha * (self.count + 1), 9)) - 1
        return 0.0 if beyond < 0 else clopper_pearson_upper(beyond, self.count)


def least_photographs(alpha: float) -> int:
    """How many photographs a p-value of `alpha` needs at least, since none is below 1/(n + 1)."""
    return math.ceil(round(1 / alpha, 9)) - 1


def enough_for(alpha: float) -> int:
    """How many photographs of a tenant set a level of `alpha` alone."""
    return 3 * math.ceil(round(1 / alpha, 9))


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """One Level for each of SIZE_CLASSES; `views` are what they are made of, beside scores."""

    by_size: tuple[Level, ...]
    views: "tuple[_LevelViews, ...]" = ()

    def standings(
        self, sizes: Sequence[int] | Labels, scores: Floats, kinds: Floats
    ) -> list[Standing]:
        """How scores (B,) of pictures of these size classes and kinds (B, V) stand, in order."""
        of_size = np.asarray(sizes)
        found: dict[int, Standing] = {}
        for size in np.unique(of_size).tolist():
            rows = np.flatnonzero(of_size == size)
            standings = self.by_size[size].standings(scores[rows], kinds[rows])
            found |= zip(rows.tolist(), standings, strict=True)
        return [found[b] for b in range(len(of_size))]

    @classmethod
    def of(
        cls,
        cohort: Cohort,
        statistic: Statistic,
        own: TenantPhotographs | None = None,
        enough: int = 0,
    ) -> Self:
        """From the photographs that stand behind no statistics of models, and the tenant's `own`.

        `enough` of them in a size class set its level alone, as the module says.
        """
        scores = statistic(cohort.vectors[~cohort.normalises])
        if own is not None:
            scores = np.concatenate([scores, own.scores(statistic)])
        return cls.of_scores(cohort, scores, own, enough)

    @classmethod
    def of_scores(
        cls,
        cohort: Cohort,
        scores: Floats,
        own: TenantPhotographs | None = None,
        enough: int = 0,
        former: tuple[Self, Floats] | None = None,
    ) -> Self:
        """As `of`, from the scores of the cohort's photographs and then of the tenant's.

        `former` are levels of the same photographs, and the scores that they are of: a size class
        of which no score has changed keeps its level.
        """
        if former is not None and former[1] is scores:
            return former[0]
        views = former[0].views if former else _views(cohort, own, enough)
        found = []
        for position, one in enumerate(views):
            own_scores = scores[one.here]
            if former is not None and np.array_equal(former[1][one.here], own_scores):
                found.append(former[0].by_size[position])
            else:
                found.append(one.scored(own_scores))
        return cls(tuple(found), views)


@dataclass(frozen=True, slots=True, eq=False)
class _LevelViews:
    """The views of one size class, N of all that there are: what does not change while scores do.

    `here` (N,) are their places among all, `voting` (V,) among these the ones that `photographs`
    counts; `in_order` (V,) is how `alike` has those.
    """

    here: Labels
    voting: Labels
    photographs: Views
    new_source: Views
    sources: SourceViews
    in_order: Labels
    alike: Alike
    own: int
    alone: bool

    def scored(self, scores: Floats) -> Level:
        """The level, from the scores (N,) of the views that are here."""
        voting = scores[self.voting]
        return Level(
            self.photographs.scored(voting),
            self.new_source.scored(scores),
            SourceScores.scored(self.sources, scores),
            self.own,
            self.alone,
            replace(self.alike, scores=voting[self.in_order].astype(np.float32)),
        )


def _views(cohort: Cohort, own: TenantPhotographs | None, enough: int) -> tuple[_LevelViews, ...]:
    """The cohort's photographs and then the tenant's, by size class; see `Levels.of`."""
    held = ~cohort.normalises
    photographs, sources = cohort.photographs[held], cohort.sources[held]
    sizes, kinds, weights = cohort.size_classes[held], cohort.kinds[held], cohort.weights[held]
    of_tenant = np.zeros(len(photographs), np.bool_)
    if own is not None:
        # Numbers that the bundle's photographs and sources do not have.
        further = photographs.max(initial=-1) + 1 + own.photographs
        photographs = np.concatenate([photographs, further])
        sources = np.concatenate([sources, sources.max(initial=-1) + 1 + own.sources])
        sizes = np.concatenate([sizes, own.size_classes])
        kinds = np.concatenate([kinds, own.kinds])
        weights = np.concatenate([weights, np.ones(len(own), np.float32)])
        of_tenant = np.concatenate([of_tenant, np.ones(len(own), np.bool_)])
    found = []
    for position in range(len(SIZE_CLASSES)):
        here = np.flatnonzero(sizes == position)
        count = int(of_tenant[here].sum())
        alone = own is not None and count >= enough
        voting = np.flatnonzero(of_tenant[here]) if alone else np.arange(len(here))
        chosen = here[voting]
        p, none = photographs[chosen], np.zeros(len(chosen), np.float32)
        found.append(
            _LevelViews(
                here,
                voting,
                Views.of(p, weights[chosen]),
                Views.by_source(sources[here], photographs[here], weights[here]),
                SourceViews.of(photographs[here], sources[here], weights[here]),
                np.argsort(p, kind="stable"),
                Alike.of(kinds[chosen], none, p),
                count,
                alone,
            )
        )
    return tuple(found)
