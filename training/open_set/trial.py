"""One trial: unseen generators registered from few images, photographs of unseen sources judged.

Nothing of the unseen generators or sources enters the map, the statistics or the thresholds.
Photographs of the learning sources are parted by photograph: some behind the statistics, the
others behind the thresholds. Two thresholds of the highest score over the registry, and the higher
one counts: the level `alpha` over photographs, each of which has one vote, and the level
`alpha_source` in the worst source.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from training.open_set import naming
from training.open_set.corpus import Drawings
from training.open_set.fit import FingerprintMap, FitRecipe, Labels, fit
from training.open_set.naming import Floats, NamingSpace
from worker.extractor.calibration import PhotographScores


@dataclass(frozen=True, slots=True)
class TrialRecipe:
    """`shots` enrolled images; `margin` in nats to the next model; `typical` the share of a model's
    own left-out images that its threshold leaves outside; `statistics_share` of the photographs.
    """

    fit: FitRecipe = field(default_factory=FitRecipe)
    shots: int = 50
    alpha: float = 0.01
    alpha_source: float = 0.05
    margin: float = 6.0
    typical: float = 0.02
    statistics_share: float = 0.6


@dataclass(frozen=True, slots=True)
class Found:
    """Shares, 0 to 1. `flagged` is of photographs of unseen sources, `worst` of one source."""

    side: int
    right: float
    wrong: float
    unnamed: float
    missed: float
    flagged: float
    worst: tuple[float, str]
    right_of: Mapping[str, float]
    flagged_of_history: Mapping[str, float]
    right_at_half_percent: float
    detected: float
    detected_flagged: float
    detected_by_impostors: float


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Fingerprints (N, D) of photographs, and of each its source, photograph, side and history."""

    vectors: Floats
    sources: NDArray[np.str_]
    photographs: Labels
    sides: Labels
    histories: NDArray[np.str_]

    def of_side(self, side: int) -> "Cohort":
        """Those of one size."""
        kept = self.sides == side
        return Cohort(
            self.vectors[kept],
            self.sources[kept],
            self.photographs[kept],
            self.sides[kept],
            self.histories[kept],
        )


def learnt(
    condition: str, reals: Sequence[Drawings], mades: Sequence[Drawings], recipe: TrialRecipe
) -> tuple[FingerprintMap, NamingSpace, Cohort]:
    """The map and space of a condition, and the photographs that thresholds are set by."""
    first = [_is_first(one.photographs, recipe.statistics_share) for one in reals]
    real = np.concatenate([r.features[condition][f] for r, f in zip(reals, first, strict=True)])
    sources = np.repeat(np.arange(len(reals)), [int(f.sum()) for f in first])
    made = np.concatenate([one.features[condition] for one in mades])
    generators = np.repeat(np.arange(len(mades)), [len(one.photographs) for one in mades])
    to_fingerprint, space = fit(real, sources, made, generators, recipe.fit)
    return to_fingerprint, space, cohort(condition, reals, to_fingerprint, [~f for f in first])


def cohort(
    condition: str,
    reals: Sequence[Drawings],
    to_fingerprint: FingerprintMap,
    kept: Sequence[NDArray[np.bool_]] | None = None,
) -> Cohort:
    """Photographs' fingerprints, of those rows that are kept."""
    chosen = kept or [np.ones(len(one.photographs), bool) for one in reals]
    pairs = list(zip(reals, chosen, strict=True))
    return Cohort(
        np.concatenate([to_fingerprint(one.features[condition][k]) for one, k in pairs]),
        np.concatenate([np.full(int(k.sum()), one.name) for one, k in pairs]),
        np.concatenate([one.photographs[k] for one, k in pairs]),
        np.concatenate([one.sides[k] for one, k in pairs]),
        np.concatenate([one.histories[k] for one, k in pairs]),
    )


def judge(
    condition: str,
    side: int,
    to_fingerprint: FingerprintMap,
    space: NamingSpace,
    calibration: Cohort,
    unseen_real: Cohort,
    unseen_made: Sequence[Drawings],
    recipe: TrialRecipe,
) -> Found | None:
    """What becomes of pictures of one size; None where one side has no unseen pictures of it."""
    calibration, unseen_real = calibration.of_side(side), unseen_real.of_side(side)
    names, means, limits, tests = [], [], [], []
    for one in unseen_made:
        vectors = to_fingerprint(one.features[condition][one.sides == side])
        if len(vectors) < recipe.shots + 10:
            continue
        enrolled = vectors[: recipe.shots]
        names.append(one.name)
        means.append(enrolled.mean(0))
        limits.append(_typical_limit(space, enrolled, recipe.typical))
        tests.append(vectors[recipe.shots :])
    if not names or not len(unseen_real.vectors):
        return None
    registry, limit = np.stack(means), np.array(limits, np.float32)
    counts = np.full(len(names), recipe.shots)

    def highest(vectors: Floats) -> Floats:
        """(B,) the statistic that is held against photographs: its maximum over the registry."""
        scores = naming.typical_scores(space, vectors, registry, counts, limit)
        return np.asarray(scores.max(1))

    calibrated = highest(calibration.vectors)
    threshold = _threshold(calibrated, calibration, recipe)

    def named(vectors: Floats, beyond: float) -> NDArray[np.int64]:
        """(B,) the model named, -1 made by one of several, -2 not told from photographs."""
        likely = naming.log_likelihoods(space, vectors, registry, counts)
        best = likely.argmax(1)
        rows = np.arange(len(vectors))
        rivals = likely.copy()
        rivals[rows, best] = -np.inf
        ahead = likely[rows, best] - rivals.max(1) >= recipe.margin if len(names) > 1 else True
        own = naming.typical_scores(space, vectors, registry, counts, limit)[rows, best]
        answer = np.where((own > beyond) & ahead, best, -1)
        return np.where(highest(vectors) > beyond, answer, -2).astype(np.int64)

    answers = [named(vectors, threshold) for vectors in tests]
    right_of = {
        n: float((a == i).mean()) for i, (n, a) in enumerate(zip(names, answers, strict=True))
    }
    every = np.concatenate(answers)
    truth = np.repeat(np.arange(len(names)), [len(a) for a in answers])
    unseen = highest(unseen_real.vectors)
    flagged = unseen > threshold
    native = np.char.startswith(unseen_real.histories, "native")
    oracle = _level(unseen[native], unseen_real.photographs[native], 0.005)
    at_oracle = [(named(v, oracle) == i).mean() for i, v in enumerate(tests)]
    return Found(
        side,
        float(np.mean(list(right_of.values()))),
        float(((every >= 0) & (every != truth)).mean()),
        float((every == -1).mean()),
        float((every == -2).mean()),
        float(flagged[native].mean()),
        max(
            (float(flagged[native & (unseen_real.sources == s)].mean()), str(s))
            for s in np.unique(unseen_real.sources[native])
        ),
        right_of,
        {
            str(h): float(flagged[unseen_real.histories == h].mean())
            for h in np.unique(unseen_real.histories)
        },
        float(np.mean(at_oracle)),
        *_generic(space, calibration, unseen_real, np.concatenate(tests), native, recipe),
    )


def _generic(
    space: NamingSpace,
    calibration: Cohort,
    unseen_real: Cohort,
    made: Floats,
    native: NDArray[np.bool_],
    recipe: TrialRecipe,
) -> tuple[float, float, float]:
    """Nothing registered: the share of unseen generators' images found, and of photographs.

    By the direction of generators at large; last the share found by the impostors' level instead.
    """
    found = []
    direction = naming.synthesis_direction(space)
    for score in (
        lambda vectors: vectors @ direction,
        lambda vectors: naming.impostor_level(space, vectors),
    ):
        threshold = _threshold(score(calibration.vectors), calibration, recipe)
        found.append((score(made) > threshold).mean())
        found.append((score(unseen_real.vectors[native]) > threshold).mean())
    return float(found[0]), float(found[1]), float(found[2])


def _typical_limit(space: NamingSpace, enrolled: Floats, outside: float) -> float:
    """The squared distance that `outside` of a model's further images lie beyond.

    Cube roots of squared distances are nearly normal (Wilson and Hilferty 1931).
    """
    roots = np.cbrt(naming.leave_one_out_distances(space, enrolled))
    width = roots.std(ddof=1) * np.sqrt(1 + 1 / len(roots))
    return float((roots.mean() + student_t.isf(outside, len(roots) - 1) * width) ** 3)


def _is_first(photographs: Labels, share: float) -> NDArray[np.bool_]:
    """Which rows stand behind the statistics: by photograph, the same ones at every call."""
    mixed = (photographs.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    first: NDArray[np.bool_] = mixed.astype(np.float64) / 2**24 < share
    return first


def _threshold(scores: Floats, photographs: Cohort, recipe: TrialRecipe) -> float:
    """The higher one of the two levels."""
    return max(
        _level(scores, photographs.photographs, recipe.alpha),
        _worst_source_level(scores, photographs, recipe.alpha_source),
    )


def _level(scores: Floats, photographs: Labels, alpha: float) -> float:
    """The highest score whose p-value is above `alpha`, one vote a photograph."""
    if len(scores) == 0:
        return np.inf
    scored = PhotographScores.of(scores, photographs)
    usual = (1 + scored.as_high[:-1]) / (scored.count + 1) > alpha
    return float(scored.scores[usual][-1])


def _worst_source_level(scores: Floats, photographs: Cohort, alpha: float) -> float:
    """The lowest score that no source exceeds in more than a share `alpha` of its pictures."""
    levels = []
    for source in np.unique(photographs.sources):
        own = scores[photographs.sources == source]
        if len(own) >= 20:
            levels.append(float(np.quantile(own, 1 - alpha)))
    return max(levels, default=-np.inf)
