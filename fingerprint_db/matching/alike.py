"""How a score stands among the photographs most like the picture in sharpness and noise.

A level of alpha over all photographs may flag alpha / s of a kind that is a share s of them: where
one photograph in fifty was blurred, half of the blurred ones. What is unusual among all is then
asked once more among the nearest, one vote each: a conformal p-value whose kernel is 1 on these and
0 elsewhere (Guan, "Localized conformal prediction", 2023). It only ever takes a flag away.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Floats, Labels

NEIGHBOURS = 49
"""Photographs; where none of them scores as high, the p-value is 1 / 50."""

LEAST_LEVEL = 1 / (NEIGHBOURS + 1)
"""No level below can be reached."""

SHARPNESS = (0, 1, 3, 4, 12)
"""Of a nuisance vector (worker/extractor/nuisance.py) noise, calm_noise, edge_width, detail and
resampled: what blurring, enlarging, denoising and noise change, and nothing of what is shown."""

_LEAST_DEVIATION = 0.05  # as in Familiarity


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Views of the photographs of one level, those of one photograph together.

    `places` (M, 5) are their kinds by SHARPNESS, in deviations, `deviations` (5,) what was divided
    by; `scores` (M,); `first_views` (P,) where each photograph's views begin, and `views` (P,) how
    many they are.
    """

    places: Floats
    deviations: Floats
    scores: Floats
    first_views: Labels
    views: Labels

    @classmethod
    def of(cls, kinds: Floats, scores: Floats, photographs: Labels) -> Self:
        """From nuisance vectors (M, V), what the views score, and which photograph each shows."""
        own = kinds[:, SHARPNESS].astype(np.float32)
        deviations = own.std(axis=0) if len(own) else np.ones(len(SHARPNESS), np.float32)
        deviations = np.maximum(deviations, np.float32(_LEAST_DEVIATION))
        order = np.argsort(photographs, kind="stable")
        _, first, views = np.unique(photographs[order], return_index=True, return_counts=True)
        places = (own / deviations)[order]
        return cls(places, deviations, scores[order].astype(np.float32), first, views)

    def p_value(self, score: float, kind: Floats) -> float:
        """`p_values` of one picture, whose nuisance vector is `kind` (V,)."""
        return float(self.p_values(np.array([score], np.float32), kind[None])[0])

    def p_values(self, scores: Floats, kinds: Floats) -> NDArray[np.float64]:
        """(B,) small where few of the nearest photographs score as high as a picture.

        `scores` (B,) are the pictures', `kinds` (B, V) their nuisance vectors. Of each photograph
        its nearest view counts. With fewer than NEIGHBOURS photographs all of them do.
        """
        if not len(self.views):
            return np.ones(len(scores))
        asked = kinds[:, None, SHARPNESS] / self.deviations
        apart = np.square(self.places - asked).sum(axis=2)  # (B, M)
        nearest = np.minimum.reduceat(apart, self.first_views, axis=1)  # (B, P)
        as_high = self.scores >= scores.astype(np.float32)[:, None]  # (B, M)
        as_high &= apart == np.repeat(nearest, self.views, axis=1)
        votes = np.logical_or.reduceat(as_high, self.first_views, axis=1)  # (B, P)
        if len(self.views) > NEIGHBOURS:
            some = np.argpartition(nearest, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
            votes = np.take_along_axis(votes, some, axis=1)
        found: NDArray[np.float64] = (1 + votes.sum(axis=1)) / (1 + votes.shape[1])
        return found
