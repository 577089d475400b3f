"""What a tenant's photographs allow, and what was measured on those that were held back.

The photographs that certify were never behind the levels, so that the share of them that passes is
the rate of the tenant's next photographs; its bound is Clopper and Pearson's at 95 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import SIZE_CLASSES, Background, Floats
from fingerprint_db.calibration import Calibration
from fingerprint_db.conditions import CODECS, Codec, is_shown
from fingerprint_db.matching.levels import (
    Level,
    Levels,
    Statistic,
    enough_for,
    least_photographs,
)
from fingerprint_db.matching.photographs import clopper_pearson_upper
from fingerprint_db.matching.registered import Registered, cohort_of_files
from fingerprint_db.matching.tenant import TenantPhotographs
from fingerprint_db.model_fingerprint import ModelFingerprint

STEPS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)
"""Rates that a policy may ask for, one after another."""


@dataclass(frozen=True, slots=True)
class Alphas:
    """What the policy asks: `name` and `unknown` by photograph, `source` of the worst source,
    `alike` by the photographs most like a picture."""

    name: float
    unknown: float
    source: float
    alike: float


@dataclass(frozen=True, slots=True)
class Passed:
    """How many of the photographs held back passed a test: `flagged` of `count`.

    `bound` is what the rate stays below with a confidence of 95 %; 1 where nothing was measured.
    """

    flagged: int
    count: int
    bound: float

    @classmethod
    def of(cls, flagged: int, count: int) -> "Passed":
        """With the bound that follows."""
        return cls(flagged, count, clopper_pearson_upper(flagged, count))


@dataclass(frozen=True, slots=True)
class CertifiedBin:
    """The photographs whose files show one codec, of one size class.

    `calibrate` of the tenant's photographs set its level, beside `bundle` of the bundle's, or
    `alone`. `allows` is the least rate of STEPS that the tenant's allow by themselves, None where
    they allow none; `next_step` the one after it, for which `more` are needed. `until_alone` more
    make the tenant's set the level of names alone. `name` and `unknown` were measured on those held
    back.
    """

    codec: Codec
    size_class: str
    calibrate: int
    bundle: int
    alone: bool
    allows: float | None
    next_step: float | None
    more: int
    until_alone: int
    name: Passed
    unknown: Passed


@dataclass(frozen=True, slots=True)
class Certified:
    """All bins, and what was measured on all photographs together, each of them once.

    `calibrate` and `certify` are how many photographs do.
    """

    bins: tuple[CertifiedBin, ...]
    calibrate: int
    certify: int
    name: Passed
    unknown: Passed


def certified(
    background: Background,
    models: Sequence[ModelFingerprint],
    calibration: Calibration,
    alphas: Alphas,
) -> Certified:
    """Every codec and size class of which the tenant has photographs, with these models."""
    bins: list[CertifiedBin] = []
    calibrating: set[bytes] = set()
    named: dict[bytes, bool] = {}
    unknown: dict[bytes, bool] = {}
    for codec in filter(is_shown, CODECS):
        own = TenantPhotographs.of(calibration, codec)
        back = TenantPhotographs.of(calibration, codec, held_back=True)
        if own is None and back is None:
            continue
        calibrating |= set() if own is None else {bytes(row) for row in own.identities}
        cohort = cohort_of_files(background, codec)
        highest = Registered.of(background, models, codec).highest
        names = Levels.of(cohort, highest, own, enough_for(alphas.name))
        by_name = _passing(names, back, highest, alphas.name, alphas)
        generic = _weighted(background.codecs[codec].synthesis)
        levels = Levels.of(cohort, generic, own, enough_for(alphas.unknown))
        by_none = _passing(levels, back, generic, alphas.unknown, alphas)
        _note(named, by_name, back)
        _note(unknown, by_none, back)
        for size, level in enumerate(names.by_size):
            passed = _by_size(by_name, back)[size]
            if level.own or passed.count:
                bins.append(
                    _bin(codec, size, level, alphas.name, passed, _by_size(by_none, back)[size])
                )
    return Certified(
        tuple(bins),
        len(calibrating),
        len(named),
        Passed.of(sum(named.values()), len(named)),
        Passed.of(sum(unknown.values()), len(unknown)),
    )


def allowed(count: int) -> tuple[float | None, float | None, int]:
    """The least of STEPS that so many photographs allow, the step after it, and how many more that
    needs; None for a step that there is not.
    """
    reached = [step for step in STEPS if least_photographs(step) <= count]
    ahead = STEPS[len(reached) :]
    return (
        reached[-1] if reached else None,
        ahead[0] if ahead else None,
        least_photographs(ahead[0]) - count if ahead else 0,
    )


def _weighted(weights: Floats) -> Statistic:
    """The test with nothing registered, in what the file shows: the first of its spaces."""
    return lambda vectors: vectors[:, : len(weights)] @ weights


def _bin(
    codec: Codec, size: int, level: Level, alpha: float, name: Passed, unknown: Passed
) -> CertifiedBin:
    allows, following, more = allowed(level.own)
    return CertifiedBin(
        codec,
        SIZE_CLASSES[size][0],
        level.own,
        0 if level.alone else level.count - level.own,
        level.alone,
        allows,
        following,
        more,
        max(0, enough_for(alpha) - level.own),
        name,
        unknown,
    )


def _passing(
    levels: Levels,
    back: TenantPhotographs | None,
    statistic: Statistic,
    alpha: float,
    alphas: Alphas,
) -> NDArray[np.bool_]:
    """(N,) which of the photographs held back pass, each at the level of its size."""
    if back is None:
        return np.zeros(0, np.bool_)
    scores = back.scores(statistic)
    standings = levels.standings(back.size_classes, scores, back.kinds)
    return np.array(
        [
            one.passes(alpha, alphas.source) and one.unusual(alpha, alphas.alike)
            for one in standings
        ],
        np.bool_,
    )


def _by_size(passing: NDArray[np.bool_], back: TenantPhotographs | None) -> list[Passed]:
    if back is None:
        return [Passed.of(0, 0)] * len(SIZE_CLASSES)
    own = [back.size_classes == size for size in range(len(SIZE_CLASSES))]
    return [Passed.of(int(passing[here].sum()), int(here.sum())) for here in own]


def _note(
    of_photographs: dict[bytes, bool], passing: NDArray[np.bool_], back: TenantPhotographs | None
) -> None:
    """A photograph passes that passes in any space."""
    if back is not None:
        for identity, passes in zip(back.identities, passing, strict=True):
            key = bytes(identity)
            of_photographs[key] = bool(passes) or of_photographs.get(key, False)
