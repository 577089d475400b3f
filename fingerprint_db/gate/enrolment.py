"""Enrolment: image fingerprints of a generator's samples to a ModelFingerprint, or why not.

The gate asks of each condition how many of the samples would be named, each left out of the mean in
turn. It refuses samples that are too few, that do not belong together, that cannot be told from
real photographs, from photographs of one source or kind, or from a model that is registered
already. It refuses by the condition that holds most samples, which is the one they came in; its
report says what to expect under every condition, and under which ones little.

Letters: N samples, D fingerprint size, V numbers of a nuisance vector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from fingerprint_db.background import Background, Floats, Labels
from fingerprint_db.conditions import CONDITIONS, Codec
from fingerprint_db.gate import refusals as why
from fingerprint_db.gate.kinds import kinds_of_samples
from fingerprint_db.gate.likeness import (
    Likeness,
    by_themselves,
    like_photographs,
    neighbours,
    told_from,
)
from fingerprint_db.gate.recognition import Rates, Recognition, Registry, share_inside
from fingerprint_db.gate.refusals import (
    MAXIMUM_CONFUSED,
    MAXIMUM_SPREAD,
    MINIMUM_RECOGNISED,
    MINIMUM_SAMPLES,
    SIBLING_SAMPLES,
    STANDARD_SAMPLES,
)
from fingerprint_db.gate.report import (
    ConditionReport,
    EnrolmentReport,
    Grade,
    NotEnrolled,
    Worst,
)
from fingerprint_db.gate.sample_statistics import (
    distances_to,
    outliers,
    spread_of,
    statistics_of,
)
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint, Status

__all__ = ["MINIMUM_SAMPLES", "SIBLING_SAMPLES", "STANDARD_SAMPLES", "EnrolmentReport"]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Fingerprints of the samples, called `subjects`, under each condition.

    Of a condition `vectors` are (N, D) float32, `rows` (N,) positions in `subjects`, `size_classes`
    (N,) positions in SIZE_CLASSES and `kinds` (N, V) nuisance vectors, whose numbers are called
    `kind_names`. A sample may be absent under a condition, so that N differs: `absent` says of how
    many samples why.
    """

    subjects: tuple[str, ...]
    vectors: Mapping[str, Floats]
    rows: Mapping[str, Labels]
    size_classes: Mapping[str, Labels]
    kinds: Mapping[str, Floats]
    kind_names: tuple[str, ...] = ()
    absent: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Registration:
    """Who registers what: goes into the entry as it stands."""

    model_id: str
    name: str
    family: str
    by: str
    reason: str
    at: datetime
    status: Status = "live"


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """The report, and the entry where nothing was refused."""

    report: EnrolmentReport
    model: ModelFingerprint | None = field(default=None)


@dataclass(frozen=True, slots=True, eq=False)
class _Condition:
    """One condition's samples, their entry, and what becomes of them."""

    codec: Codec
    entry: ConditionStatistics
    vectors: Floats
    size_classes: Labels
    kinds: Floats


def enrol(
    samples: Samples,
    registration: Registration,
    background: Background,
    registered: Sequence[ModelFingerprint],
    *,
    alpha_name: float,
    alpha_source: float,
    alpha_alike: float,
) -> Enrolment:
    """Judge the samples and, where they pass, make the entry.

    `registered` are the models of the same space to be told apart from (live and shadow);
    `alpha_name`, `alpha_source` and `alpha_alike` are the policy's levels for names.
    """
    lead = _lead(samples)
    odd = _set_aside(samples, background, lead)
    found, absent = _conditions(samples, background, odd)
    held = [one for one in found if one.entry.condition == lead]
    subjects = tuple(samples.subjects[i] for i in sorted(odd))
    if not held:
        count = len(set(samples.rows.get(lead, np.empty(0)).tolist()) - odd)
        report = EnrolmentReport(
            registration.name,
            count,
            True,
            0.0,
            0.0,
            None,
            0.0,
            (),
            (why.too_few(count),),
            set_aside=subjects,
            not_enrolled=absent,
        )
        return Enrolment(report)

    (first,) = held
    model = _model(registration, background, found, first.entry.count)
    rates = Rates(alpha_name, alpha_source, alpha_alike)
    registries = {
        codec: Registry.of(background, codec, registered, model, rates)
        for codec in dict.fromkeys(one.codec for one in found)
    }
    judged = [registries[c.codec].judge(c.entry, c.vectors, c.size_classes, c.kinds) for c in found]
    rows = [_row(c, r, background) for c, r in zip(found, judged, strict=True)]
    position = found.index(first)
    likeness = _likeness(first, judged[position], registries[first.codec])
    reasons, warnings = _findings(
        rows, position, judged, likeness, first, samples.kind_names, background
    )
    count = first.entry.count
    at_first = rows[position]
    report = EnrolmentReport(
        registration.name,
        count,
        count < STANDARD_SAMPLES,
        at_first.spread,
        at_first.real_inside,
        at_first.nearest_model,
        at_first.nearest_confusion,
        tuple(rows),
        reasons,
        _worst(rows),
        len(np.unique(background.codecs[first.codec].cohort.photographs)),
        _grade(count),
        subjects,
        absent,
        warnings,
        likeness,
    )
    return Enrolment(report, None if reasons else model)


def _lead(samples: Samples) -> str:
    """The condition that holds most samples, the first of equals: as they came."""
    names = [c.name for c in CONDITIONS]
    return max(names, key=lambda name: len(samples.vectors.get(name, ())))


def _set_aside(samples: Samples, background: Background, lead: str) -> set[int]:
    """Positions of samples that do not belong, under the condition that holds most."""
    vectors = samples.vectors.get(lead)
    if vectors is None or len(vectors) < MINIMUM_SAMPLES:
        return set()
    codec = next(c.codec for c in CONDITIONS if c.name == lead)
    return set(samples.rows[lead][outliers(vectors, background.codecs[codec])].tolist())


def _conditions(
    samples: Samples, background: Background, odd: set[int]
) -> tuple[list[_Condition], tuple[NotEnrolled, ...]]:
    """The conditions with enough samples, and those without."""
    found, absent = [], []
    for condition in CONDITIONS:
        name = condition.name
        rows = samples.rows.get(name, np.empty(0, np.int64))
        kept = ~np.isin(rows, list(odd))
        if kept.sum() < MINIMUM_SAMPLES or condition.codec not in background.codecs:
            reasons = samples.absent.get(name, {})
            said = "; ".join(f"{number} samples {reason}" for reason, number in reasons.items())
            absent.append(NotEnrolled(name, said or f"{kept.sum()} samples"))
            continue
        space, vectors = background.codecs[condition.codec], samples.vectors[name][kept]
        entry = statistics_of(name, vectors, space, background.constants.atypical)
        sizes, kinds = samples.size_classes[name][kept], samples.kinds[name][kept]
        found.append(_Condition(condition.codec, entry, vectors, sizes, kinds))
    return found, tuple(absent)


def _model(
    registration: Registration, background: Background, found: Sequence[_Condition], count: int
) -> ModelFingerprint:
    return ModelFingerprint(
        model_id=registration.model_id,
        name=registration.name,
        family=registration.family,
        space=background.space,
        status=registration.status,
        statistics=tuple(one.entry for one in found),
        sample_count=count,
        registered_at=registration.at,
        registered_by=registration.by,
        reason=registration.reason,
    )


def _row(one: _Condition, recognition: Recognition, background: Background) -> ConditionReport:
    space = background.codecs[one.codec]
    spread = spread_of(one.vectors, space)
    nearest = None if recognition.nearest is None else recognition.nearest.name
    return ConditionReport(
        one.entry.condition,
        one.entry.count,
        recognition.share,
        *recognition.interval,
        one.entry.distance_limit,
        spread,
        share_inside(one.entry, space),
        nearest,
        recognition.confusion,
        _limits(recognition, spread, nearest),
    )


def _limits(recognition: Recognition, spread: float, nearest: str | None) -> tuple[str, ...]:
    """In what a condition falls short, a few words each."""
    limits = []
    if not recognition.decidable.any():
        limits.append("too few photographs of this size calibrate for alpha_name")
    elif recognition.share < MINIMUM_RECOGNISED:
        limits.append(f"{recognition.share:.0%} recognised (at least {MINIMUM_RECOGNISED:.0%})")
    if spread > MAXIMUM_SPREAD:
        limits.append(f"spread {spread:.1f} (at most {MAXIMUM_SPREAD:g})")
    if recognition.confusion > MAXIMUM_CONFUSED:
        limits.append(
            f"{recognition.confusion:.0%} likelier under {nearest!r} (at most"
            f" {MAXIMUM_CONFUSED:.0%})"
        )
    return tuple(limits)


def _likeness(first: _Condition, recognition: Recognition, registry: Registry) -> Likeness:
    space = registry.space
    standing = like_photographs(space, first.vectors, first.kinds, first.size_classes)
    near = space.cohort.vectors[np.unique(neighbours(space.cohort, first.kinds))]
    told = told_from(recognition.scores, registry.scores(first.entry, near))
    own_sizes = np.isin(space.cohort.size_classes, first.size_classes)
    others = space.cohort.vectors[own_sizes]
    typical = distances_to(first.entry, others, space) <= first.entry.distance_limit
    alone = by_themselves(recognition.scores, registry.scores(first.entry, others), typical)
    return Likeness(standing, told, alone)


def _findings(
    rows: Sequence[ConditionReport],
    position: int,
    judged: Sequence[Recognition],
    likeness: Likeness,
    first: _Condition,
    kind_names: Sequence[str],
    background: Background,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every reason to refuse, and what is said beside."""
    constants = background.constants
    cohort = background.codecs[first.codec].cohort
    kinds = kinds_of_samples(cohort, first.kinds, kind_names, constants.unfamiliar_distance)
    best = max(rows, key=lambda row: row.recognised)
    undecidable = not any(one.decidable.any() for one in judged)
    at_first = rows[position]
    reasons = (
        *why.of_spread(at_first.spread),
        *why.of_recognition(best.recognised, best.condition, undecidable),
        *why.of_likeness(likeness),
        *why.of_kinds(kinds),
        *why.of_confusion(at_first.nearest_model, at_first.nearest_confusion),
    )
    return reasons, tuple(why.warning_of_kinds(kinds))


def _worst(rows: Sequence[ConditionReport]) -> tuple[Worst, ...]:
    """For each measure the condition under which it is worst; the first of equals."""
    least = min(rows, key=lambda row: row.recognised)
    spread = max(rows, key=lambda row: row.spread)
    inside = max(rows, key=lambda row: row.real_inside)
    confused = max(rows, key=lambda row: row.nearest_confusion)
    return (
        Worst("recognised", least.condition, least.recognised),
        Worst("spread", spread.condition, spread.spread),
        Worst("real_inside", inside.condition, inside.real_inside),
        Worst("nearest_confusion", confused.condition, confused.nearest_confusion),
    )


def _grade(count: int) -> Grade:
    if count < STANDARD_SAMPLES:
        return "family"
    return "model" if count < SIBLING_SAMPLES else "sibling"
