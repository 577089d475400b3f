"""Real photographs that no registration changes: what scores mean among them, and their kinds.

They are the bundle's, and those of the tenant's calibration, by the rule of
`fingerprint_db/matching/levels.py`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import SIZE_CLASSES, Background, Cohort, Floats
from fingerprint_db.calibration import Calibration
from fingerprint_db.conditions import Codec, is_shown
from fingerprint_db.matching.familiarity import Familiarity
from fingerprint_db.matching.levels import Levels, Statistic, enough_for
from fingerprint_db.matching.maxima import Beside, Maxima
from fingerprint_db.matching.registered import Registered, cohort_of_files, readings_in
from fingerprint_db.matching.rows.scoring import Impostors
from fingerprint_db.matching.tenant import TenantPhotographs
from fingerprint_db.snapshot import Difference


@dataclass(frozen=True, slots=True, eq=False)
class CodecPhotographs:
    """As files of one codec: `cohort` are the bundle's, in all spaces that such files are read in;
    the levels of the test with nothing registered, the kinds, one for each size class, and of each
    reading the background's generators, normed on photographs."""

    cohort: Cohort
    generic: Levels
    familiarity: tuple[Familiarity, ...]
    impostors: tuple[Impostors, ...]
    own: TenantPhotographs | None


@dataclass(frozen=True, slots=True, eq=False)
class Tenant:
    """A tenant's photographs, and the levels of the two tests: they say of how many of them either
    test needs no others."""

    calibration: Calibration
    alpha_name: float
    alpha_unknown: float

    @property
    def enough_to_name(self) -> int:
        """How many set the level of registered generators alone."""
        return enough_for(self.alpha_name)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What the highest of some models score on the photographs of one codec, and its levels."""

    maxima: Maxima
    levels: Levels


class Photographs:
    """Those of a background, and of a tenant; of each codec prepared once, when it is first met."""

    def __init__(self, background: Background, tenant: Tenant | None = None) -> None:
        self._background = background
        self._tenant = tenant
        self._of: dict[Codec, CodecPhotographs] = {}

    @property
    def digest(self) -> str | None:
        """Which calibration these are of; None where the bundle's are alone."""
        return self._tenant.calibration.digest if self._tenant else None

    def of(self, codec: Codec) -> CodecPhotographs:
        """The photographs of one codec."""
        if codec not in self._of:
            background, tenant = self._background, self._tenant
            cohort = cohort_of_files(background, codec)
            weights = background.codecs[codec].synthesis
            own = TenantPhotographs.of(tenant.calibration, codec) if tenant else None
            generic = Levels.of(
                cohort,
                lambda vectors: vectors[:, : len(weights)] @ weights,  # in what the file shows
                own,
                enough_for(tenant.alpha_unknown) if tenant else 0,
            )
            kinds = None if own is None else own.kinds
            together = Familiarity.of(cohort, kinds, codec=codec)
            alone = Familiarity.of(cohort, kinds, alone=True, codec=codec)
            self._of[codec] = CodecPhotographs(
                cohort,
                generic,
                tuple(alone if level.alone else together for level in generic.by_size),
                tuple(
                    Impostors.of(background.codecs[one], background.constants)
                    for one in readings_in(background, codec)
                ),
                own,
            )
        return self._of[codec]

    def held(
        self,
        codec: Codec,
        registered: Registered,
        *,
        live: bool,
        former: tuple[Held, Difference] | None = None,
    ) -> Held:
        """The live models, or those that are not, held against the photographs of one codec.

        `former` is the same of other models, and what has changed since: what both share is not
        computed again.
        """
        of_codec = self.of(codec)
        cohort, own = of_codec.cohort, of_codec.own
        views = np.flatnonzero(~cohort.normalises)

        def vectors(some: NDArray[np.int64]) -> Floats:
            theirs = cohort.vectors[views[some[some < len(views)]]]
            if own is None:
                return theirs
            return np.concatenate([theirs, own.vectors(some[some >= len(views)] - len(views))])

        if former is None:
            count = len(views) + (0 if own is None else len(own))
            maxima = Maxima.of(registered, live, vectors, count)
            kept = None
        else:
            held, change = former
            beside = Beside(cohort.vectors, views)
            maxima = held.maxima.following(registered, change, vectors, beside)
            kept = (held.levels, held.maxima.scores)
        enough = self._tenant.enough_to_name if self._tenant else 0
        return Held(maxima, Levels.of_scores(cohort, maxima.scores, own, enough, kept))

    def levels(self, codec: Codec, statistic: Statistic) -> Levels:
        """What a statistic of registered generators says of the photographs of one codec."""
        enough = self._tenant.enough_to_name if self._tenant else 0
        own = self.of(codec)
        return Levels.of(own.cohort, statistic, own.own, enough)


def bin_name(codec: Codec, size_class: int) -> str:
    """Which photographs a picture is held against, for example `jpeg75/384_up`."""
    return f"{codec}/{SIZE_CLASSES[size_class][0]}"


def photograph_counts(background: Background, tenant: Tenant | None = None) -> dict[str, int]:
    """How many distinct photographs stand behind the p-values of names, by `bin_name`."""
    counts = {}
    for codec, space in background.codecs.items():
        if not is_shown(codec):
            continue
        held = space.cohort.where(~space.cohort.normalises)
        own = TenantPhotographs.of(tenant.calibration, codec) if tenant else None
        for size in range(len(SIZE_CLASSES)):
            count = len(set(held.photographs[held.size_classes == size].tolist()))
            if own is not None and tenant is not None:
                of_tenant = int((own.size_classes == size).sum())
                alone = of_tenant >= tenant.enough_to_name
                count = of_tenant if alone else count + of_tenant
            counts[bin_name(codec, size)] = count
    return counts
