"""Enrolment: image fingerprints of a generator's samples to a ModelFingerprint, or why not.

The gate refuses samples that are too few, that do not belong together, or that cannot be told
from real photos or from a model that is registered already; its report says what to expect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Background
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint, Status
from fingerprint_db.scoring import leave_one_out_distances, model_metric, squared_distances

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
# z of the normal after the cube root (Wilson and Hilferty 1931): the threshold leaves about 1 in
# 200 of a model's own images beyond it as received, and 1 in 40 after re-encoding, where another
# seed of the same generator lies so near that a wider threshold would take it in.
_THRESHOLD_Z = {"as_received": 2.576}
_REENCODED_THRESHOLD_Z = 1.96


@dataclass(frozen=True, slots=True)
class ConditionReport:
    """What to expect under one condition; shares are of the samples, 0..1."""

    condition: str
    samples: int
    detected: float
    recognised: float
    distance_threshold: float


@dataclass(frozen=True, slots=True)
class EnrolmentReport:
    """The gate's findings; `refusals` is empty where the samples pass."""

    name: str
    samples: int
    provisional: bool
    spread: float
    real_inside: float
    nearest_model: str | None
    nearest_confusion: float
    conditions: tuple[ConditionReport, ...]
    refusals: tuple[str, ...]


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
        entry, inside = _statistics(condition, vectors, background)
        detected = samples.p_values[condition] <= alpha
        statistics.append(entry)
        reports.append(
            ConditionReport(
                condition,
                len(vectors),
                float(detected.mean()),
                float((detected & inside).mean()),
                entry.distance_threshold,
            )
        )

    spread = _spread(received, background)
    real_inside = _share_inside(background.real_vectors[0], statistics[0], background)
    nearest, confusion = _nearest(received, statistics[0], registered, background)
    refusals = _refusals(spread, reports[0].detected, real_inside, nearest, confusion)
    report = EnrolmentReport(
        registration.name,
        count,
        count < STANDARD_SAMPLES,
        spread,
        real_inside,
        nearest,
        confusion,
        tuple(reports),
        refusals,
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
) -> tuple[ConditionStatistics, NDArray[np.bool_]]:
    """Mean, scatter and threshold of one condition, and which samples lie inside it."""
    distances = leave_one_out_distances(background, condition, vectors)
    roots = np.cbrt(distances)
    width = roots.std(ddof=1) * np.sqrt(1 + 1 / len(vectors))
    z = _THRESHOLD_Z.get(condition, _REENCODED_THRESHOLD_Z)
    threshold = float((roots.mean() + z * width) ** 3)
    deviations = (vectors - vectors.mean(0)).astype(np.float64)
    entry = ConditionStatistics(
        condition,
        len(vectors),
        vectors.mean(0).astype(np.float32),
        (deviations.T @ deviations).astype(np.float32),
        threshold,
        len(distances),
    )
    return entry, distances <= threshold


def _distances(
    vectors: NDArray[np.float32], entry: ConditionStatistics, background: Background
) -> NDArray[np.float64]:
    """Squared distances (B,) of `vectors` (B, D) to the model of `entry`."""
    metric = model_metric(background, entry.condition, entry.scatter, entry.count)
    return squared_distances(metric, vectors, entry)


def _spread(vectors: NDArray[np.float32], background: Background) -> float:
    """How widely the samples scatter, against one generator's images in the background: about 1."""
    within = background.within[0].astype(np.float64)
    deviations = (vectors - vectors.mean(0)).astype(np.float64)
    squares = np.einsum("nd,de,ne->n", deviations, np.linalg.inv(within), deviations)
    return float(squares.sum() / (len(vectors) - 1) / background.dimension)


def _share_inside(
    vectors: NDArray[np.float32], entry: ConditionStatistics, background: Background
) -> float:
    """The share of `vectors` (B, D) that lies inside the threshold of `entry`."""
    return float((_distances(vectors, entry, background) <= entry.distance_threshold).mean())


def _nearest(
    received: NDArray[np.float32],
    own: ConditionStatistics,
    registered: Sequence[ModelFingerprint],
    background: Background,
) -> tuple[str | None, float]:
    """The registered model most confused with the samples, and how far.

    The confusion is the share of the samples that the other model accepts and lies nearer to.
    """
    mine = leave_one_out_distances(background, own.condition, received)
    worst: tuple[str | None, float] = (None, 0.0)
    closest = np.inf
    for model in registered:
        other = model.under(own.condition)
        if other is None:
            continue
        theirs = _distances(received, other, background)
        confused = float(((theirs <= other.distance_threshold) & (theirs <= mine)).mean())
        if confused > worst[1] or (confused == worst[1] and theirs.mean() < closest):
            worst = (model.name, confused)
            closest = float(theirs.mean())
    return worst


def _refusals(
    spread: float, detected: float, real_inside: float, nearest: str | None, confusion: float
) -> tuple[str, ...]:
    """Every reason to refuse, each with what was seen, what was expected and what to do."""
    refusals = []
    if spread > MAXIMUM_SPREAD:
        refusals.append(
            f"inconsistent samples: they scatter {spread:.1f} times as widely as one generator's"
            f" images (limit {MAXIMUM_SPREAD:g}); the folder seems to mix several origins,"
            " register each on its own"
        )
    if spread < MINIMUM_SPREAD:
        refusals.append(
            f"samples too much alike: they scatter {spread:.2f} times as widely as one generator's"
            f" images (at least {MINIMUM_SPREAD:g}); the folder seems to hold few pictures, moved"
            " or re-encoded, or drawn over and over. Add distinct pictures"
        )
    if detected < MINIMUM_DETECTED:
        refusals.append(
            f"inseparable from real photos: the real test finds only {detected:.0%} of the samples"
            f" synthetic (at least {MINIMUM_DETECTED:.0%} needed); verdicts would be no_evidence"
            " whatever is registered"
        )
    if real_inside > MAXIMUM_REAL_INSIDE:
        refusals.append(
            f"inseparable from real photos: {real_inside:.0%} of the calibration photos lie inside"
            f" the threshold (limit {MAXIMUM_REAL_INSIDE:.0%}); are these samples generated?"
        )
    if confusion > MAXIMUM_CONFUSED:
        refusals.append(
            f"inseparable from the registered model {nearest!r}: {confusion:.0%} of the samples"
            f" are accepted by it and nearer to it (limit {MAXIMUM_CONFUSED:.0%}); if they are the"
            " same generator nothing need be registered, else retire the other first"
        )
    return tuple(refusals)
