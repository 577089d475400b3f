"""How far a picture's kind lies from the photographs that it is judged by.

A p-value is worth something among photographs of the picture's own kind: where none is near, what
is odd about the score may be the picture, and not who made it. Letters: B images, M views of
photographs, V numbers of a nuisance vector.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Cohort, Floats

NEIGHBOURS = 10
"""Photographs that a familiar picture has near it: one alone may be as odd as the picture."""

_LEAST_DEVIATION = 0.05
"""Of a number that hardly differs among the photographs: in its own unit, a twentieth of an octave
or of a root of a share, so that what it never showed is far and what rounding does is not."""


@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """The photographs behind the p-values of one codec, of all sizes, by kind.

    `standardised` (M, V) are their nuisance vectors, the views of one photograph together;
    `first_views` (P,) where each photograph begins; `centre` and `scale` (V,) standardise.
    """

    standardised: Floats
    first_views: NDArray[np.int64]
    centre: Floats
    scale: Floats

    @classmethod
    def of(cls, cohort: Cohort, own: Floats | None = None, *, alone: bool = False) -> Self:
        """From the cohort's photographs that stand behind no statistics; each weighs the same.

        `own` (N, V) are the nuisance vectors of a tenant's photographs, one each, which join them,
        or stand `alone`. Deviations stay those of the cohort: what is far must not depend on how
        alike the tenant's photographs are.
        """
        held = cohort.where(~cohort.normalises)
        order = np.argsort(held.photographs, kind="stable")
        kinds = held.kinds[order].astype(np.float64)
        _, first, position, views = np.unique(
            held.photographs[order], return_index=True, return_inverse=True, return_counts=True
        )
        share = (1.0 / (views[position] * max(len(views), 1)))[:, None]
        centre = (share * kinds).sum(0)
        spread = np.sqrt((share * np.square(kinds - centre)).sum(0))
        scale = np.maximum(spread, _LEAST_DEVIATION)
        if own is not None:
            if alone:
                kinds, first = kinds[:0], first[:0]
            first = np.concatenate([first, len(kinds) + np.arange(len(own))])
            kinds = np.concatenate([kinds, own])
        return cls(
            ((kinds - centre) / scale).astype(np.float32),
            first.astype(np.int64),
            centre.astype(np.float32),
            scale.astype(np.float32),
        )

    def distances(self, kinds: Floats) -> Floats:
        """(B,) from nuisance vectors (B, V) to the tenth nearest photograph, by its nearest view.

        In deviations of the photographs, root mean square over the V numbers. Infinite where there
        are fewer than ten photographs.
        """
        if len(self.first_views) < NEIGHBOURS:
            return np.full(len(kinds), np.inf, np.float32)
        asked = (kinds - self.centre) / self.scale
        squares = (
            np.square(asked).sum(1)[:, None]
            - 2 * asked @ self.standardised.T
            + np.square(self.standardised).sum(1)
        )  # (B, M)
        nearest = np.minimum.reduceat(squares, self.first_views, axis=1)  # (B, P)
        tenth = np.partition(nearest, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]
        found: Floats = np.sqrt(np.maximum(tenth, 0.0) / kinds.shape[1]).astype(np.float32)
        return found
