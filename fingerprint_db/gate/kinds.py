"""Samples of a kind that the photographs behind the bundle do not show.

Palettes, noise, small pictures on plain ground: what such pictures share may be what was done to
them, and real pictures to which the same was done share it too. Letters: N samples, V numbers of a
nuisance vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint_db.background import Cohort, Floats
from fingerprint_db.matching.familiarity import Familiarity

STRANGE = 2.0
"""Times the distance at which a picture is unfamiliar; further, no photograph is at all like it."""
MOST_STRANGE, MOST_UNFAMILIAR = 0.5, 0.5
"""Shares of the samples: above the first they are refused, above the second there is a warning."""
_NAMED = 3  # odd numbers that a finding names
_ODD = 2.0  # deviations of photographs


@dataclass(frozen=True, slots=True)
class Kinds:
    """Shares of the samples that are unfamiliar, and far beyond that; what is odd, in words."""

    unfamiliar: float
    strange: float
    odd: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether most samples are of a kind of which no photograph is."""
        return self.strange > MOST_STRANGE

    @property
    def doubtful(self) -> bool:
        """Whether most samples are of a kind of which few photographs are."""
        return self.unfamiliar > MOST_UNFAMILIAR


def kinds_of_samples(
    cohort: Cohort, kinds: Floats, names: Sequence[str], unfamiliar_distance: float
) -> Kinds:
    """From nuisance vectors (N, V) of the samples, whose numbers are called `names`."""
    familiarity = Familiarity.of(cohort)
    distances = familiarity.distances(kinds)
    if not np.isfinite(distances).all():  # too few photographs to say
        return Kinds(0.0, 0.0, ())
    unfamiliar = distances > unfamiliar_distance
    strange = distances > STRANGE * unfamiliar_distance
    odd: tuple[str, ...] = ()
    if unfamiliar.any():
        middle = (kinds[unfamiliar] - familiarity.centre) / familiarity.scale
        off = np.median(middle, axis=0)  # (V,)
        furthest = np.argsort(-np.abs(off))[:_NAMED]
        odd = tuple(_in_words(i, off[i], names) for i in furthest if abs(off[i]) >= _ODD)
    return Kinds(float(unfamiliar.mean()), float(strange.mean()), odd)


def _in_words(number: int, deviations: float, names: Sequence[str]) -> str:
    name = names[number] if number < len(names) else f"number {number}"
    return f"{name} {abs(deviations):.1f} deviations {'above' if deviations > 0 else 'below'}"
