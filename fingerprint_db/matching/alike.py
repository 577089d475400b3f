"""How a score stands among the photographs most like the picture in sharpness and noise.

A level of alpha over all photographs may flag alpha / s of a kind that is a share s of them: where
one photograph in fifty was blurred, half of the blurred ones. What is unusual among all is then
asked once more among the nearest, one vote each: a conformal p-value whose kernel is 1 on these and
0 elsewhere (Guan, "Localized conformal prediction", 2023). It only ever takes a flag away.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from fingerprint_db.background import Floats, Labels

NEIGHBOURS = 49
"""Photographs; where none of them scores as high, the p-value is 1 / 50."""

LEAST_LEVEL = 1 / (NEIGHBOURS + 1)
"""No level below can be reached."""

SHARPNESS = (0, 1, 3, 4, 12)
"""Of a nuisance vector (worker/extractor/nuisance.py) noise, calm_noise, edge_width, detail and
resampled: what blurring, enlarging, denoising and noise change, and nothing of what is shown."""

_LEAST_DEVIATION = 0.05  # as in Familiarity
_AT_FIRST = 4 * NEIGHBOURS  # views among which the nearest photographs are looked for


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Views of the photographs of one level: `places` (M, 5) are their kinds by SHARPNESS, in
    deviations, `deviations` (5,) what was divided by; `scores` and `photographs` (M,).
    """

    places: Floats
    deviations: Floats
    scores: Floats
    photographs: Labels

    @classmethod
    def of(cls, kinds: Floats, scores: Floats, photographs: Labels) -> Self:
        """From nuisance vectors (M, V), what the views score, and which photograph each shows."""
        own = kinds[:, SHARPNESS].astype(np.float32)
        deviations = own.std(axis=0) if len(own) else np.ones(len(SHARPNESS), np.float32)
        deviations = np.maximum(deviations, np.float32(_LEAST_DEVIATION))
        return cls(own / deviations, deviations, scores.astype(np.float32), photographs)

    def p_value(self, score: float, kind: Floats) -> float:
        """Small where few of the nearest photographs score as high; `kind` (V,) is a picture's.

        Of each photograph its nearest view counts. With fewer than NEIGHBOURS all of them do.
        """
        apart = np.square(self.places - kind[SHARPNESS,] / self.deviations).sum(axis=1)  # (M,)
        nearest = self._nearest(apart, min(_AT_FIRST, len(apart)))
        if len(nearest) < NEIGHBOURS:
            nearest = self._nearest(apart, len(apart))
        as_high = int((self.scores[nearest[:NEIGHBOURS]] >= score).sum())
        return (1 + as_high) / (1 + min(NEIGHBOURS, len(nearest)))

    def _nearest(self, apart: Floats, views: int) -> Labels:
        """Rows of the nearest `views`, of each photograph the nearest one, nearest first."""
        some = np.argpartition(apart, views - 1)[:views] if views < len(apart) else slice(None)
        rows = np.arange(len(apart))[some]
        rows = rows[np.argsort(apart[rows], kind="stable")]
        _, first = np.unique(self.photographs[rows], return_index=True)
        found: Labels = rows[np.sort(first)]
        return found
