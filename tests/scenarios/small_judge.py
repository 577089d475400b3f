"""A judge of a millisecond, so that scenarios test delivery and not inference.

Its verdicts depend on the pixels and the registry alone: a dark image is `no_evidence`, a bright
one is flagged, and attributed to the first registered model where there is one. Whether the
registry may be decided by at all is the worker's own decision, with a shorter age than is usual.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.matching.levels import Standing
from worker.decoder.decode import DecodedImage, ImageFacts
from worker.errors import RejectError
from worker.events.image_event import ImageEvent
from worker.judge.attribute import Match
from worker.judge.decide import Decision, RegistryState, before_extraction
from worker.judge.judged import Judged
from worker.judge.policy import load_policy
from worker.judge.verdicts import Findings, judged
from worker.registry.view import RegistryView

SPACE, OTHER_SPACE = "5c" * 32, "07" * 32
BRIGHT = 128
MAX_AGE_S = 8.0
"""Seconds past which the registry's copy is too old to decide by."""

POLICY = load_policy().model_copy(update={"maximum_registry_age_s": MAX_AGE_S})
UNJUDGEABLE = "raise"
"""An event whose id begins so makes the judge raise, whatever batch it is in."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """The file, and the mean of its channels where pixels were read."""

    facts: ImageFacts
    fingerprint: "_Fingerprint | None"


def extract(images: Sequence[DecodedImage], view: RegistryView) -> list[Extracted | RejectError]:
    """What is judged of each image, in order."""
    return [Extracted(image.facts, _fingerprint(image)) for image in images]


def judge(
    items: Sequence[tuple[ImageEvent, Extracted]], view: RegistryView
) -> list[Judged | RejectError]:
    """One outcome an event, in order; raises for the whole batch when one is UNJUDGEABLE."""
    for event, _ in items:
        if event.event_id.startswith(UNJUDGEABLE):
            raise ArithmeticError(f"cannot judge {event.event_id}")
    return [_judge_one(event, one, view) for event, one in items]


def _judge_one(event: ImageEvent, one: Extracted, view: RegistryView) -> Judged:
    age_s = view.age_s if view.snapshot is not None else None
    decision = before_extraction(one.facts, None, RegistryState(age_s), POLICY)
    found = one.fingerprint
    return judged(
        event,
        one.facts,
        Findings(decision or _decide(found, view), found),
        view,
        crop_count=found.crop_count if found else 0,
        space=SPACE,
        policy=POLICY,
        at=datetime.now(UTC),
    )


def _decide(found: "_Fingerprint | None", view: RegistryView) -> Decision:
    if found is None or found.vector.mean() < BRIGHT:
        return Decision("no_evidence", ())
    models = view.snapshot.models if view.snapshot is not None else ()
    if not models:
        return Decision("unknown_generator", ())
    match = Match(
        models[0], "lossless", 9.0, 0.0, 1.0, 2, True, 0.0, None, Standing(0.001, 0.0)
    )  # what it says is what the model would, were it matched
    return Decision("attributed", (), match=match, family=models[0].family)


@dataclass(frozen=True, slots=True)
class _Fingerprint:
    """The mean of each channel, (3,)."""

    vector: NDArray[np.float32]
    crop_count: int
    readings: tuple[()] = ()
    synthesis_score: float = 0.0
    crop_agreement: float | None = None


def _fingerprint(image: DecodedImage) -> _Fingerprint | None:
    read = [*image.crops, *image.regions]  # (3, H, W) each; one of the two is empty
    if not read:
        return None
    vector = np.mean([one.mean(axis=(1, 2)) for one in read], axis=0).astype(np.float32)  # (3,)
    return _Fingerprint(vector, len(read))
