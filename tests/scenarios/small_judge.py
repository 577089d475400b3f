"""A judge of a millisecond, so that scenarios test delivery and not inference.

Its verdicts depend on the pixels and the registry alone: a dark image is `no_evidence`, a bright
one is flagged, and attributed to the first registered model where there is one. Whether the
registry may be decided by at all is the worker's own decision, with a shorter age than is usual.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from worker.decoder.decode import DecodedImage
from worker.errors import RejectError
from worker.events.image_event import ImageEvent
from worker.events.records import (
    Alert,
    FingerprintRecord,
    ImageRecord,
    Outcome,
    Verdict,
    alert_id,
    encode_fingerprint,
    verdict_id,
)
from worker.judge.decide import RegistryState, before_extraction
from worker.judge.judged import Judged
from worker.judge.policy import load_policy
from worker.registry.view import RegistryView

SPACE = "5c" * 32
BRIGHT = 128
MAX_AGE_S = 8.0
"""Seconds past which the registry's copy is too old to decide by."""

POLICY = load_policy().model_copy(update={"maximum_registry_age_s": MAX_AGE_S})
UNJUDGEABLE = "raise"
"""An event whose id begins so makes the judge raise, whatever batch it is in."""


def judge(
    items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
) -> list[Judged | RejectError]:
    """One outcome an event, in order; raises for the whole batch when one is UNJUDGEABLE."""
    for event, _ in items:
        if event.event_id.startswith(UNJUDGEABLE):
            raise ArithmeticError(f"cannot judge {event.event_id}")
    return [_judge_one(event, image, view) for event, image in items]


def _judge_one(event: ImageEvent, image: DecodedImage, view: RegistryView) -> Judged:
    mean = float(image.crops.mean()) if len(image.crops) else 0.0
    models = view.snapshot.models if view.snapshot is not None else ()
    age_s = view.age_s if view.snapshot is not None else None
    doubt = before_extraction(image.facts, None, RegistryState(age_s), POLICY)
    flagged = mean >= BRIGHT and doubt is None
    model = models[0] if flagged and models else None
    outcome: Outcome = "no_evidence"
    if flagged:
        outcome = "attributed" if model else "unknown_generator"
    elif doubt is not None:
        outcome = "undetermined"
    facts = image.facts
    verdict = Verdict(
        verdict_id=verdict_id(event.origin, SPACE),
        event_id=event.event_id,
        source=event.source,
        subject=event.subject,
        topic=event.origin.topic,
        partition=event.origin.partition,
        offset=event.origin.offset,
        topic_id=event.origin.topic_id,
        created_at=datetime.now(UTC),
        outcome=outcome,
        flagged=flagged,
        model=model.name if model else None,
        model_id=model.model_id if model else None,
        family=model.family if model else None,
        candidates=(),
        real_test=None,
        condition=None,
        reasons=doubt.reasons if doubt is not None else (),
        image=ImageRecord(
            sha256=facts.sha256,
            byte_size=facts.byte_size,
            format=facts.format,
            width=facts.width,
            height=facts.height,
            jpeg_quality=facts.jpeg_quality,
        ),
        crop_count=len(image.crops),
        crop_agreement=None,
        bundle_digest=SPACE,
        registry_revision=view.snapshot.revision if view.snapshot else None,
        registry_root=view.snapshot.root if view.snapshot else None,
        registry_age_s=view.age_s if view.snapshot else None,
        policy_digest="small",
    )
    return Judged(verdict, _fingerprint(verdict, image), _alert(verdict) if flagged else None)


def _fingerprint(verdict: Verdict, image: DecodedImage) -> FingerprintRecord | None:
    if not len(image.crops):
        return None
    vector = image.crops.mean(axis=(0, 2, 3)).astype("float32")  # (3,)
    return FingerprintRecord(
        verdict_id=verdict.verdict_id,
        space=SPACE,
        fingerprint=encode_fingerprint(vector),
        dimension=len(vector),
        synthesis_score=0.0,
        condition=None,
        jpeg_quality=None,
        width=verdict.image.width,
        height=verdict.image.height,
        crop_count=len(image.crops),
    )


def _alert(verdict: Verdict) -> Alert:
    return Alert(
        alert_id=alert_id(verdict.verdict_id),
        verdict_id=verdict.verdict_id,
        event_id=verdict.event_id,
        source=verdict.source,
        subject=verdict.subject,
        outcome=verdict.outcome,
        model=verdict.model,
        model_id=verdict.model_id,
        family=verdict.family,
        reasons=verdict.reasons,
        image_sha256=verdict.image.sha256,
        created_at=verdict.created_at,
    )
