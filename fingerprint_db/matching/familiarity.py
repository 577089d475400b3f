"""How far a picture's kind lies from the photographs that it is judged by.

A p-value is worth something among photographs of the picture's own kind: where none is near, what
is odd about the score may be the picture, and not who made it.

Nearly all photographs of a codec are written at one quality, and models are enrolled at several. So
a photograph of another quality differs from these as a model's pictures do, most of all where it is
coarser and its chroma full. Letters: B images, M views of photographs, V numbers of a nuisance
vector.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Cohort, Floats
from fingerprint_db.conditions import Codec

NEIGHBOURS = 10
"""Photographs that a familiar picture has near it: one alone may be as odd as the picture."""

_LEAST_DEVIATION = 0.05
"""Of a number that hardly differs among the photographs: in its own unit, a twentieth of an octave
or of a root of a share, so that what it never showed is far and what rounding does is not."""

FILE_STEP = 14
"""Of a nuisance vector (worker/extractor/nuisance.py) file_step: log2 of the mean step of the
file's luminance table."""

COARSEST: dict[Codec, float] = {"full_chroma_jpeg75": 4.56, "full_chroma_jpeg90": 3.46}
"""Greatest file_step at which photographs score as those of the codec do: of qualities 74 and 88.

Of 99 learning photographs, cut to 256 pixels, 62, 9 and 9 % were flagged at qualities 70, 72 and 73
and 1 at 74 and 75; 9 and 6 at 83 and 85, 3 at 88, 1 at 90 (training/LOG.md). With usual chroma no
quality flagged more than four."""

_BEYOND = 0.01  # octaves a deviation: a quality beyond COARSEST is far, whatever the picture shows


@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """The photographs behind the p-values of one codec, of all sizes, by kind.

    `standardised` (M, V) are their nuisance vectors, the views of one photograph together;
    `first_views` (P,) where each photograph begins; `centre` and `scale` (V,) standardise. `codec`
    is that of the files, None where no quality is too coarse.
    """

    codec: Codec | None
    standardised: Floats
    first_views: NDArray[np.int64]
    centre: Floats
    scale: Floats

    @classmethod
    def of(
        cls,
        cohort: Cohort,
        own: Floats | None = None,
        *,
        alone: bool = False,
        codec: Codec | None = None,
    ) -> Self:
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
        standardised = (kinds - centre) / scale
        if own is not None:
            if alone:
                standardised, first = standardised[:0], first[:0]
            first = np.concatenate([first, len(standardised) + np.arange(len(own))])
            theirs = (own - centre) / scale + _too_coarse(own, codec)
            standardised = np.concatenate([standardised, theirs])
        return cls(
            codec,
            standardised.astype(np.float32),
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
        asked = (kinds - self.centre) / self.scale + _too_coarse(kinds, self.codec)
        squares = (
            np.square(asked).sum(1)[:, None]
            - 2 * asked @ self.standardised.T
            + np.square(self.standardised).sum(1)
        )  # (B, M)
        nearest = np.minimum.reduceat(squares, self.first_views, axis=1)  # (B, P)
        tenth = np.partition(nearest, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]
        found: Floats = np.sqrt(np.maximum(tenth, 0.0) / kinds.shape[1]).astype(np.float32)
        return found


def _too_coarse(kinds: Floats, codec: Codec | None) -> Floats:
    """(N, V) further deviations of nuisance vectors (N, V): those of file_step beyond COARSEST.

    Of the bundle's photographs nothing is added: the few that came at such a quality do not make it
    one that is known. A tenant's make it as familiar as any.
    """
    added = np.zeros_like(kinds)
    if codec in COARSEST:
        beyond = kinds[:, FILE_STEP] - COARSEST[codec]
        added[:, FILE_STEP] = beyond.clip(0) / _BEYOND
    return added
