"""Enrolment: image fingerprints of a generator's samples to a ModelFingerprint, or why not.

The gate refuses samples that are too few, that do not belong together, or that cannot be told
from real photos or from a model that is registered already. It refuses by the samples as received;
its report says what to expect under every condition, and under which ones little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Background
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint, Status
from fingerprint_db.scoring import (
    leave_one_out_distances,
    model_metric,
    squared_distances,
    t_quantile,
)

MINIMUM_SAMPLES = 10  # below, a mean says little and no threshold can be set
STANDARD_SAMPLES = 50  # below, an entry is provisional: verdicts name the family only
# Share of samples that the real test must find synthetic; below, the generator cannot be told
# from real photos and a registration would only promise what the worker cannot do.
MINIMUM_DETECTED = 0.5
# Share of samples, or of real photos, that may lie inside the other side's threshold.
MAXIMUM_CONFUSED = 0.3
MAXIMUM_REAL_INSIDE = 0.05
# Mean squared distance from the samples' mean, in within-class deviations of the background, over
# its expectation: one generator's samples stay near 1, a folder of mixed origin lies above.
MAXIMUM_SPREAD = 4.0
# Measured with the zoo: 60 pictures of one generator scatter 0.49 to 1.5, 60 crops of one picture,
# moved by up to an eighth of its side, 0.07 to 0.3 and mostly below 0.15.
MINIMUM_SPREAD = 0.25
# Under these measures and limits the gate refuses by the samples as received, and warns elsewhere.
_AS_RECEIVED = "as_received"


@dataclass(frozen=True, slots=True)
class ConditionReport:
    """What to expect under one condition; shares are of the samples, 0..1.

    `real_inside` is a share of the background's real photographs; `spread` is about 1 for the
    images of one generator. `limits` says in what the condition falls short of what is asked of
    the samples as received.
    """

    condition: str
    samples: int
    detected: float
    recognised: float
    distance_threshold: float
    spread: float
    real_inside: float
    nearest_model: str | None
    nearest_confusion: float
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Worst:
    """The condition under which a measure of the gate is worst, and its value there."""

    measure: Literal["recognised", "spread", "real_inside", "nearest_confusion"]
    condition: str
    value: float


@dataclass(frozen=True, slots=True)
class EnrolmentReport:
    """The gate's findings; `refusals` is empty where the samples pass.

    `spread`, `real_inside` and the nearest model are those of the samples as received, by which
    the gate refuses; `worst` names the condition that is worst in each measure, and `real_photos`
    is how many distinct photographs stand behind `real_inside`.
    """

    name: str
    samples: int
    provisional: bool
    spread: float
    real_inside: float
    nearest_model: str | None
    nearest_confusion: float
    conditions: tuple[ConditionReport, ...]
    refusals: tuple[str, ...]
    worst: tuple[Worst, ...] = ()
    real_photos: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Fingerprints (N, D) of the same N samples under each condition, and their real-test p-values.

    `vectors[condition]` is (N, D) float32 and `p_values[condition]` (N,) float64; a sample that is
    too small under a condition is absent there, so N may differ.
    """

    vectors: Mapping[str, NDArray[np.float32]]
    p_values: Mapping[str, NDArray[np.float64]]


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


def enrol(
    samples: Samples,
    registration: Registration,
    background: Background,
    registered: Sequence[ModelFingerprint],
    *,
    alpha: float,
) -> Enrolment:
    """Judge the samples and, where they pass, make the entry.

    `registered` are the models of the same space to be told apart from (live and shadow);
    `alpha` is the level of the real test in the policy.
    """
    first = background.conditions[0]
    received = samples.vectors.get(first)
    count = 0 if received is None else len(received)
    if received is None or count < MINIMUM_SAMPLES:
        refusal = (
            f"too few samples: {count} usable, at least {MINIMUM_SAMPLES} needed"
            f" ({STANDARD_SAMPLES} for verdicts that name the model); add sample images"
        )
        report = EnrolmentReport(
            registration.name, count, True, 0.0, 0.0, None, 0.0, (), (refusal,)
        )
        return Enrolment(report)

    statistics, reports = [], []
    for condition in background.conditions:
        vectors = samples.vectors.get(condition)
        if vectors is None or len(vectors) < MINIMUM_SAMPLES:
            continue
        entry, distances = _statistics(condition, vectors, background)
        statistics.append(entry)
        detected = samples.p_values[condition] <= alpha
        reports.append(_expected(entry, vectors, distances, detected, registered, background))

    at_first = reports[0]
    refusals = _refusals(at_first, len(background.real_vectors[0]))
    report = EnrolmentReport(
        registration.name,
        count,
        count < STANDARD_SAMPLES,
        at_first.spread,
        at_first.real_inside,
        at_first.nearest_model,
        at_first.nearest_confusion,
        tuple(reports),
        refusals,
        _worst(reports),
        background.real_vectors.shape[1],
    )
    if refusals:
        return Enrolment(report)
    model = ModelFingerprint(
        model_id=registration.model_id,
        name=registration.name,
        family=registration.family,
        space=background.space,
        status=registration.status,
        statistics=tuple(statistics),
        sample_count=count,
        registered_at=registration.at,
        registered_by=registration.by,
        reason=registration.reason,
    )
    return Enrolment(report, model)


def _statistics(
    condition: str, vectors: NDArray[np.float32], background: Background
) -> tuple[ConditionStatistics, NDArray[np.float64]]:
    """Mean, scatter and threshold of one condition, and the samples' leave-one-out distances (N,).

    The cube root of a distance is nearly normal (Wilson and Hilferty 1931), with mean and deviation
    known from N samples: the threshold is the bound that one more image exceeds with the stated
    probability, by Student's t with N - 1 degrees of freedom. Fewer are left beyond it as received
    than after re-encoding, where another seed of the same generator lies so near that a wider
    threshold would take it in.
    """
    distances = leave_one_out_distances(background, condition, vectors)
    roots = np.cbrt(distances)
    width = roots.std(ddof=1) * np.sqrt(1 + 1 / len(vectors))
    constants = background.constants
    as_received = condition == _AS_RECEIVED
    beyond = constants.beyond_as_received if as_received else constants.beyond_reencoded
    threshold = float((roots.mean() + t_quantile(beyond, len(vectors) - 1) * width) ** 3)
    deviations = (vectors - vectors.mean(0)).astype(np.float64)
    entry = ConditionStatistics(
        condition,
        len(vectors),
        vectors.mean(0).astype(np.float32),
        (deviations.T @ deviations).astype(np.float32),
        threshold,
        len(distances),
    )
    return entry, distances


def _expected(
    entry: ConditionStatistics,
    vectors: NDArray[np.float32],
    own: NDArray[np.float64],
    detected: NDArray[np.bool_],
    registered: Sequence[ModelFingerprint],
    background: Background,
) -> ConditionReport:
    """What to expect under the condition of `entry`, made from `vectors` (N, D).

    `own` (N,) are the leave-one-out distances, `detected` (N,) says which samples pass the real
    test.
    """
    spread = _spread(vectors, entry.condition, background)
    reals = background.real_vectors[background.index(entry.condition)]
    real_inside = _share_inside(reals, entry, background)
    nearest, confusion = _nearest(vectors, own, entry.condition, registered, background)
    recognised = float((detected & (own <= entry.distance_threshold)).mean())
    return ConditionReport(
        entry.condition,
        len(vectors),
        float(detected.mean()),
        recognised,
        entry.distance_threshold,
        spread,
        real_inside,
        nearest,
        confusion,
        _limits(recognised, spread, real_inside, nearest, confusion),
    )


def _limits(
    recognised: float, spread: float, real_inside: float, nearest: str | None, confusion: float
) -> tuple[str, ...]:
    """In what a condition falls short, a few words each."""
    limits = []
    if recognised < MINIMUM_DETECTED:
        limits.append(f"{recognised:.0%} recognised (at least {MINIMUM_DETECTED:.0%})")
    if spread > MAXIMUM_SPREAD:
        limits.append(f"spread {spread:.1f} (at most {MAXIMUM_SPREAD:g})")
    if real_inside > MAXIMUM_REAL_INSIDE:
        limits.append(
            f"{real_inside:.0%} of real photos inside (at most {MAXIMUM_REAL_INSIDE:.0%})"
        )
    if confusion > MAXIMUM_CONFUSED:
        limits.append(f"{confusion:.0%} taken for {nearest!r} (at most {MAXIMUM_CONFUSED:.0%})")
    return tuple(limits)


def _worst(reports: Sequence[ConditionReport]) -> tuple[Worst, ...]:
    """For each measure the condition under which it is worst; the first of equals."""
    least = min(reports, key=lambda row: row.recognised)
    spread = max(reports, key=lambda row: row.spread)
    inside = max(reports, key=lambda row: row.real_inside)
    confused = max(reports, key=lambda row: row.nearest_confusion)
    return (
        Worst("recognised", least.condition, least.recognised),
        Worst("spread", spread.condition, spread.spread),
        Worst("real_inside", inside.condition, inside.real_inside),
        Worst("nearest_confusion", confused.condition, confused.nearest_confusion),
    )


def _distances(
    vectors: NDArray[np.float32], entry: ConditionStatistics, background: Background
) -> NDArray[np.float64]:
    """Squared distances (B,) of `vectors` (B, D) to the model of `entry`."""
    metric = model_metric(background, entry.condition, entry.scatter, entry.count)
    return squared_distances(metric, vectors, entry)


def _spread(vectors: NDArray[np.float32], condition: str, background: Background) -> float:
    """How widely the samples scatter, against one generator's images in the background: about 1."""
    within = background.within[background.index(condition)].astype(np.float64)
    deviations = (vectors - vectors.mean(0)).astype(np.float64)
    squares = np.einsum("nd,de,ne->n", deviations, np.linalg.inv(within), deviations)
    return float(squares.sum() / (len(vectors) - 1) / background.dimension)


def _share_inside(
    vectors: NDArray[np.float32], entry: ConditionStatistics, background: Background
) -> float:
    """The share of `vectors` (B, D) that lies inside the threshold of `entry`."""
    return float((_distances(vectors, entry, background) <= entry.distance_threshold).mean())


def _nearest(
    vectors: NDArray[np.float32],
    own: NDArray[np.float64],
    condition: str,
    registered: Sequence[ModelFingerprint],
    background: Background,
) -> tuple[str | None, float]:
    """The registered model most confused with the samples (N, D) under a condition, and how far.

    The confusion is the share of the samples that the other model accepts and lies nearer to than
    the model of the other samples, `own` (N,).
    """
    worst: tuple[str | None, float] = (None, 0.0)
    closest = np.inf
    for model in registered:
        other = model.under(condition)
        if other is None:
            continue
        theirs = _distances(vectors, other, background)
        confused = float(((theirs <= other.distance_threshold) & (theirs <= own)).mean())
        if confused > worst[1] or (confused == worst[1] and theirs.mean() < closest):
            worst = (model.name, confused)
            closest = float(theirs.mean())
    return worst


def _refusals(row: ConditionReport, real_photos: int) -> tuple[str, ...]:
    """Every reason to refuse, each with what was seen, what was expected and what to do."""
    refusals = []
    if row.spread > MAXIMUM_SPREAD:
        refusals.append(
            f"inconsistent samples: they scatter {row.spread:.1f} times as widely as one"
            f" generator's images (limit {MAXIMUM_SPREAD:g}); the folder seems to mix several"
            " origins, register each on its own"
        )
    if row.spread < MINIMUM_SPREAD:
        refusals.append(
            f"samples too much alike: they scatter {row.spread:.2f} times as widely as one"
            f" generator's images (at least {MINIMUM_SPREAD:g}); the folder seems to hold few"
            " pictures, moved or re-encoded, or drawn over and over. Add distinct pictures"
        )
    if row.detected < MINIMUM_DETECTED:
        refusals.append(
            f"inseparable from real photos: the real test finds only {row.detected:.0%} of the"
            f" samples synthetic (at least {MINIMUM_DETECTED:.0%} needed); verdicts would be"
            " no_evidence whatever is registered"
        )
    if row.real_inside > MAXIMUM_REAL_INSIDE:
        refusals.append(
            f"inseparable from real photos: {row.real_inside:.0%} of the {real_photos} calibration"
            f" photos lie inside the threshold (limit {MAXIMUM_REAL_INSIDE:.0%}); are these samples"
            " generated?"
        )
    if row.nearest_confusion > MAXIMUM_CONFUSED:
        refusals.append(
            f"inseparable from the registered model {row.nearest_model!r}:"
            f" {row.nearest_confusion:.0%} of the samples are accepted by it and nearer to it"
            f" (limit {MAXIMUM_CONFUSED:.0%}); if they are the same generator nothing need be"
            " registered, else retire the other first"
        )
    return tuple(refusals)
