"""Several images of one group, an account say, held against groups of photographs of one source.

One image may say too little and thirty say enough. But photographs of one source are alike, so that
their p-values must not be multiplied as if they were independent: a statistic of the group is held
against the same statistic of groups of real photographs, each group of one source. A group that is
exchangeable with those has a valid p-value, whatever its images have in common; what the worst
source's groups do is stated beside it, as for single images.

The statistic is the mean of -log p, where p is Bonferroni's of both tests' p-values of an image
(Fisher's method, with its distribution measured instead of derived).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import SIZE_CLASSES, Background, Floats, Labels
from fingerprint_db.calibration import Calibration
from fingerprint_db.conditions import CODECS, Codec
from fingerprint_db.matching.certified import Alphas
from fingerprint_db.matching.levels import Level, Levels, Statistic, enough_for
from fingerprint_db.matching.photographs import PhotographScores, SourceScores, by_source
from fingerprint_db.matching.registered import Registered, cohort_of_files
from fingerprint_db.matching.tenant import TenantPhotographs
from fingerprint_db.model_fingerprint import ModelFingerprint

MOST_OF_A_GROUP = 8
"""Photographs in a group of the calibration. A mean over more images varies less, so that larger
groups are judged by these as well, with caution; of larger ones a source would give too few."""

Bin = tuple[Codec, int]
"""Codec and position in SIZE_CLASSES."""

_SEED = 7


def image_statistic(name_p: Floats, real_p: Floats) -> Floats:
    """(N,) of images whose p-values by the two tests are (N,) each; rises with evidence."""
    found: Floats = -np.log(np.minimum(1.0, 2.0 * np.minimum(name_p, real_p)))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class PoolCohort:
    """Real photographs, one view each: of every `Bin` their statistics (N,) and sources (N,)."""

    bins: Mapping[Bin, tuple[Floats, Labels]]

    @classmethod
    def of(
        cls,
        background: Background,
        models: Sequence[ModelFingerprint],
        calibration: Calibration,
        alphas: Alphas,
        codecs: Iterable[Codec],
    ) -> Self:
        """The bundle's photographs and the tenant's, judged as images are, with these models."""
        bins: dict[Bin, tuple[Floats, Labels]] = {}
        for codec in codecs:
            cohort = cohort_of_files(background, codec)
            own = TenantPhotographs.of(calibration, codec)
            highest = Registered.of(background, models, codec).highest
            weights = background.codecs[codec].synthesis

            def generic(vectors: Floats, weights: Floats = weights) -> Floats:
                product: Floats = vectors[:, : len(weights)] @ weights
                return product

            held = cohort.where(~cohort.normalises)
            first = _first_views(held.photographs, held.size_classes)
            held = held.where(first)
            sizes, sources = held.size_classes, held.sources
            if own is not None:
                sizes = np.concatenate([sizes, own.size_classes])
                sources = np.concatenate([sources, -1 - own.sources])  # nobody's of the bundle
            tenants = np.arange(len(sizes)) >= len(held.sources)
            p_values = []
            for statistic, alpha in (
                (highest, alphas.name),
                (generic, alphas.unknown),
            ):
                levels = Levels.of(cohort, statistic, own, enough_for(alpha))
                p_values.append(_p_values(levels, held.vectors, statistic, own, sizes, tenants))
            statistics = image_statistic(*p_values)
            for size in range(len(SIZE_CLASSES)):
                here = sizes == size
                bins[codec, size] = (statistics[here], sources[here])
        return cls(bins)

    def level(self, images: Sequence[Bin], alpha: float) -> Level:
        """Groups of one source each, of the codecs and sizes of `images`, as a level.

        As large as the group at hand, but for MOST_OF_A_GROUP, and smaller where otherwise there
        would be too few of them for `alpha`.
        """
        size = min(len(images), MOST_OF_A_GROUP)
        found = self._level(images, size)
        while size > 1 and not found.reaches(alpha):
            size -= 1
            found = self._level(images, size)
        return found

    def _level(self, images: Sequence[Bin], size: int) -> Level:
        statistics, sources = self._groups(_composition(images, size))
        numbers = np.arange(len(statistics))
        return Level(
            PhotographScores.of(statistics, numbers),
            by_source(statistics, sources, numbers),
            SourceScores.of(statistics, numbers, sources),
        )

    def _groups(self, wanted: Mapping[Bin, int]) -> tuple[Floats, Labels]:
        """The mean statistic of each group and its source; no photograph is in two groups."""
        rng = np.random.default_rng(_SEED)
        found: list[float] = []
        sources: list[int] = []
        for source in sorted({int(one) for at in wanted for one in self.bins[at][1]}):
            drawn = {
                at: rng.permutation(self.bins[at][0][self.bins[at][1] == source]) for at in wanted
            }
            for number in range(min(len(drawn[at]) // count for at, count in wanted.items())):
                taken = [
                    drawn[at][number * count : (number + 1) * count] for at, count in wanted.items()
                ]
                found.append(float(np.concatenate(taken).mean()))
                sources.append(source)
        return np.array(found, np.float32), np.array(sources, np.int64)


def _composition(images: Sequence[Bin], size: int) -> dict[Bin, int]:
    """How many photographs of each codec and size a group of `size` has: shares as of the images,
    as far as so few can keep them."""
    ordered = sorted(images, key=lambda at: (CODECS.index(at[0]), at[1]))
    # The middles of equal parts.
    chosen = [ordered[(2 * i + 1) * len(ordered) // (2 * size)] for i in range(size)]
    return {at: chosen.count(at) for at in dict.fromkeys(chosen)}


def _first_views(photographs: Labels, sizes: Labels) -> NDArray[np.bool_]:
    """(M,) the first view of each photograph in each size class."""
    found = np.zeros(len(photographs), np.bool_)
    _, first = np.unique(np.stack([photographs, sizes]), axis=1, return_index=True)
    found[first] = True
    return found


def _p_values(
    levels: Levels,
    vectors: Floats,
    statistic: Statistic,
    own: TenantPhotographs | None,
    sizes: Labels,
    tenants: NDArray[np.bool_],
) -> Floats:
    """(N,) of photographs, the bundle's and then the tenant's, among all the others."""
    scores = statistic(vectors)
    if own is not None:
        scores = np.concatenate([scores, own.scores(statistic)])
    found = np.ones(len(scores), np.float32)
    for size, level in enumerate(levels.by_size):
        here = sizes == size
        if not here.any():
            continue
        among = level.photographs
        as_high = among.as_high[np.searchsorted(among.scores, scores[here], side="left")]
        # One that is among them counts itself, as a further image is counted by the 1 before.
        inside = tenants[here] if level.alone else np.ones(int(here.sum()), np.bool_)
        further = (1 + as_high) / (among.count + 1)
        found[here] = np.where(inside, as_high / max(among.count, 1), further)
    return np.clip(found, np.finfo(np.float32).tiny, 1.0)
