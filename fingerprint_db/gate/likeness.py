"""Are samples only as far from photographs as one source of photographs is?

Photographs of one camera, with one palette or from one web template share something too, and would
make an entry that names others of their origin. Two questions, each of the samples as one group:

- Is the mean of their scores in the test with nothing registered higher than the mean of any one
  source of photographs? A mean of fifty says far more than one picture does, so that generators
  which the test misses picture by picture are told by it. Where it is higher than that of most
  sources alone, the samples must be by themselves besides: no photograph that is typical of the
  model may score as high as nine in ten of them do. How far the group lies in all numbers together
  says little: photographs after an odd history lie further out than many generators.
- Does each sample, left out of the mean, score higher under the model than photographs of its own
  kind do? With one palette or one noise behind them they do not.

Of the same kind are the photographs whose nuisance vectors are nearest. The limits here and in
`refusals` were chosen on the corpus with families and sources left out: of 33 unseen generators'
groups of fifty the gate passes 33 as PNG and 29 as JPEG 90 alone, of 113 groups of photographs of
one unseen source one, of 959 of one history nine, most of them denoised, out of focus or with
random last bits (training/LOG.md).
Letters: N samples, M views of photographs, V numbers of a nuisance vector, D fingerprint
size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import CodecSpace, Cohort, Floats, Labels
from fingerprint_db.matching.familiarity import Familiarity

OUT_OF_SOURCES = 2.0
"""Deviations of the means of sources of photographs: so far at least a generator stands out."""
LEAST_OF_A_SOURCE = 5
"""Photographs; the mean of fewer says little."""
MOST_OF_A_SOURCE = 50
"""Photographs, those nearest in kind to the samples: as many as are usually enrolled."""
LEAST_SOURCES = 4
"""With fewer nothing can be said of what a source reaches."""
NEIGHBOURS = 10
"""Views of photographs that stand for the kind of one picture."""
USUAL = 0.9
"""Share of the photographs of its kind that a sample must outscore to be told from them."""
LEAST_TOLD = 0.75
"""Share of the samples that must be told from photographs of their kind."""
_LEAST_DEVIATION = 1e-3


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the samples stand out of `sources` of photographs, in deviations of their means.

    `furthest_source` is how far the furthest one does. `sources` below LEAST_SOURCES leaves the
    question open.
    """

    standing_out: float
    furthest_source: float
    sources: int


@dataclass(frozen=True, slots=True)
class Likeness:
    """`standing` of the samples as a group; `told`, the share told from those of their kind;
    `by_themselves`, whether photographs stay below nearly all of them under the model."""

    standing: Standing
    told: float
    by_themselves: bool = False

    @property
    def like_one_source(self) -> bool:
        """Whether the samples stand out no further than photographs of one source may."""
        if self.standing.sources < LEAST_SOURCES:
            return False
        return self.standing.standing_out < (0.0 if self.by_themselves else OUT_OF_SOURCES)

    @property
    def like_their_kind(self) -> bool:
        """Whether photographs of their kind would be taken for what the samples are of."""
        return self.told < LEAST_TOLD


def like_photographs(
    space: CodecSpace, vectors: Floats, kinds: Floats, size_classes: Labels
) -> Standing:
    """How far the samples, as one group, stand out of sources of photographs.

    `vectors` (N, D), `kinds` (N, V) and `size_classes` (N,) are of the samples under one codec.
    Of each source those photographs count that are nearest in kind, of the size that most samples
    have, or of all sizes where sources are too few.
    """
    usual = int(np.bincount(size_classes).argmax())
    cohort = space.cohort.where(space.cohort.size_classes == usual)
    groups = _sources(cohort, kinds)
    if len(groups) < LEAST_SOURCES:
        cohort = space.cohort
        groups = _sources(cohort, kinds)
    if len(groups) < LEAST_SOURCES:
        return Standing(0.0, 0.0, len(groups))
    scores = cohort.vectors @ space.synthesis
    means = np.array([scores[rows].mean(dtype=np.float64) for rows in groups])  # (K,)
    # One more source lies so much further out as the mean of K is uncertain.
    deviation = max(float(means.std(ddof=1)), _LEAST_DEVIATION) * (1 + 1 / len(means)) ** 0.5
    own = float((vectors @ space.synthesis).mean(dtype=np.float64))
    middle = float(means.mean())
    return Standing(
        (own - middle) / deviation, (float(means.max()) - middle) / deviation, len(groups)
    )


def neighbours(cohort: Cohort, kinds: Floats) -> Labels:
    """(N, NEIGHBOURS) rows of the cohort whose kinds are nearest to the samples' (N, V)."""
    theirs, own = _standardised(cohort, kinds)
    return _nearest(own, theirs)


def told_from(scores: Floats, photographs: Floats) -> float:
    """The share of samples (N,) that score higher than USUAL of the photographs (any,) do."""
    if not len(photographs):
        return 1.0
    return float((scores > np.quantile(photographs, USUAL)).mean())


def by_themselves(scores: Floats, photographs: Floats, typical: NDArray[np.bool_]) -> bool:
    """Whether no typical one of the photographs (any,) scores as high as nine in ten samples (N,).

    `typical` says which photographs are within the model's limit.
    """
    least = np.quantile(scores, 1 - USUAL)
    return not bool((photographs[typical] >= least).any())


def _sources(cohort: Cohort, kinds: Floats) -> list[NDArray[np.int64]]:
    """Of each source with enough photographs the rows nearest in kind to the samples, one a
    photograph.
    """
    if not len(cohort.vectors):
        return []
    theirs, own = _standardised(cohort, kinds)
    apart = np.square(theirs - np.median(own, axis=0)).sum(1)  # (M,)
    by_distance = np.argsort(apart, kind="stable")
    _, first = np.unique(cohort.photographs[by_distance], return_index=True)
    one_each = by_distance[np.sort(first)]  # of each photograph the nearest view, nearest first
    found = []
    for source in np.unique(cohort.sources):
        rows = one_each[cohort.sources[one_each] == source][:MOST_OF_A_SOURCE]
        if len(rows) >= LEAST_OF_A_SOURCE:
            found.append(rows)
    return found


def _standardised(cohort: Cohort, kinds: Floats) -> tuple[Floats, Floats]:
    """Nuisance vectors of the cohort (M, V) and of the samples (N, V), in the cohort's deviations.

    Photographs weigh the same, as in `Familiarity`, whatever their part in the z-norm.
    """
    everyone = Cohort(
        cohort.vectors,
        cohort.photographs,
        cohort.sources,
        cohort.size_classes,
        cohort.kinds,
        np.zeros(len(cohort.vectors), np.bool_),
        cohort.weights,
    )
    by = Familiarity.of(everyone)
    theirs = (cohort.kinds - by.centre) / by.scale
    own = (kinds - by.centre) / by.scale
    return theirs.astype(np.float32), own.astype(np.float32)


def _nearest(asked: Floats, among: Floats) -> Labels:
    """(N, n) the rows of `among` (M, V) nearest to each of (N, V)."""
    squares = np.square(among).sum(1) - 2 * asked @ among.T  # (N, M), up to a constant of the row
    many = min(NEIGHBOURS, len(among))
    found: Labels = np.argpartition(squares, many - 1, axis=1)[:, :many]
    return found
