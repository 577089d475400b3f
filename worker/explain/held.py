"""A score held against photographs: theirs, the level that has to be passed, and its own."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Floats
from fingerprint_db.matching.levels import Level, Standing


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """One picture's score among the photographs of one codec and size class.

    `scores` (N,) float32, ascending, are those of photographs' views that have one, and `weights`
    (N,) float64 in photographs; of `without` photographs, views counting in part, there is none,
    for they lie beyond the reach of every generator. `count` is how many photographs there are,
    `own` of them the tenant's, who has set the level `alone` where they are enough; `sources` are
    those of all. What scores above `level` passes, whatever does where it is minus infinity; None
    where there are too few photographs to pass at all. `score` is minus infinity where the picture
    lies beyond the reach of every generator. `standing` is by photograph and in the worst source.
    """

    scores: Floats
    weights: NDArray[np.float64]
    without: float
    count: int
    sources: int
    own: int
    alone: bool
    level: float | None
    score: float
    standing: Standing
    passes: bool

    @classmethod
    def of(
        cls,
        level: Level,
        score: float,
        alpha: float,
        alpha_source: float,
        kind: Floats | None = None,
    ) -> Self:
        """Held against the photographs of `level`, at these two levels of the policy; of a picture
        of this kind (V,) if given.
        """
        photographs = level.photographs
        weights = -np.diff(photographs.as_high)
        seen = np.isfinite(photographs.scores)
        return cls(
            photographs.scores[seen],
            weights[seen],
            float(weights[~seen].sum()),
            level.count,
            level.new_source.count,
            level.own,
            level.alone,
            score_to_pass(level, alpha, alpha_source),
            score,
            level.standing(score, kind),
            level.passes(score, alpha, alpha_source),
        )

    @property
    def p_value(self) -> float:
        """By photograph."""
        return self.standing.p_value


def score_to_pass(level: Level, alpha: float, alpha_source: float) -> float | None:
    """The photograph's score that a picture must exceed to pass; None where none could.

    Both shares fall as the score rises, so that halving finds it.
    """
    if not level.reaches(alpha):
        return None
    scores = level.photographs.scores
    low, high = 0, len(scores) - 1
    while low < high:
        middle = (low + high) // 2
        above = float(np.nextafter(scores[middle], np.float32(np.inf)))
        if level.passes(above, alpha, alpha_source):
            high = middle
        else:
            low = middle + 1
    return float(scores[low])
