"""What was found of one image, as the records that leave: verdict, fingerprint record, alert."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import metadata
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from worker.decoder.decode import ImageFacts
from worker.events.image_event import ImageEvent
from worker.events.records import (
    Alert,
    FingerprintRecord,
    Verdict,
    alert_id,
    encode_fingerprint,
    verdict_id,
)
from worker.events.verdict_parts import (
    Candidate,
    EvidenceRecord,
    ImageRecord,
    NameTest,
    RealTest,
)
from worker.judge.attribute import Match
from worker.judge.decide import Decision
from worker.judge.judged import Judged
from worker.judge.policy import Policy
from worker.registry.view import RegistryView


class FingerprintReading(Protocol):
    """What is kept of an image in one codec's space; `vector` is (D,) float32."""

    @property
    def codec(self) -> str: ...
    @property
    def vector(self) -> NDArray[np.float32]: ...


class Fingerprint(Protocol):
    """What is kept of ImageFingerprint, without the library that computes it.

    `vector` is (D,) float32, and the first of the `readings` where there are any.
    """

    @property
    def vector(self) -> NDArray[np.float32]: ...
    @property
    def readings(self) -> Sequence[FingerprintReading]: ...
    @property
    def synthesis_score(self) -> float: ...
    @property
    def crop_count(self) -> int: ...
    @property
    def crop_agreement(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Findings:
    """What the stages found of one image, before it becomes a verdict."""

    decision: Decision
    fingerprint: Fingerprint | None = None
    real_test: RealTest | None = None
    matches: tuple[Match, ...] = ()
    condition: str | None = None
    name_test: NameTest | None = None
    evidence: EvidenceRecord | None = None
    calibration_digest: str | None = None


def judged(
    event: ImageEvent,
    facts: ImageFacts,
    findings: Findings,
    view: RegistryView,
    *,
    crop_count: int,
    space: str,
    policy: Policy,
    at: datetime,
) -> Judged:
    """The records of one image; whoever judges builds them here, so that none lacks a field.

    `crop_count` is how many crops or regions of it were read.
    """
    decision, fingerprint = findings.decision, findings.fingerprint
    named = decision.match.model if decision.match else None
    snapshot = view.snapshot
    verdict = Verdict(
        verdict_id=verdict_id(event.origin, space),
        event_id=event.event_id,
        source=event.source,
        subject=event.subject,
        topic=event.origin.topic,
        partition=event.origin.partition,
        offset=event.origin.offset,
        topic_id=event.origin.topic_id,
        created_at=at,
        outcome=decision.outcome,
        flagged=decision.outcome in policy.flag,
        model=named.name if named else None,
        model_id=named.model_id if named else None,
        family=decision.family,
        candidates=_candidates(findings.matches, policy.candidates_shown),
        real_test=findings.real_test,
        condition=findings.condition,
        reasons=decision.reasons,
        image=ImageRecord(
            sha256=facts.sha256,
            byte_size=facts.byte_size,
            format=facts.format,
            width=facts.width,
            height=facts.height,
            jpeg_quality=facts.jpeg_quality,
            fetched_from=event.fetched_from,
        ),
        crop_count=crop_count,
        crop_agreement=fingerprint.crop_agreement if fingerprint else None,
        bundle_digest=space,
        registry_revision=snapshot.revision if snapshot else None,
        registry_root=snapshot.root if snapshot else None,
        registry_age_s=round(view.age_s, 3) if snapshot else None,
        policy_digest=policy.digest,
        worker_version=version_of("latentprint"),
        decoder_version=version_of(facts.decoder),
        name_test=findings.name_test,
        evidence=findings.evidence,
        calibration_digest=findings.calibration_digest,
    )
    record = _fingerprint_record(verdict, fingerprint, facts.pixels_sha256) if fingerprint else None
    return Judged(verdict, record, _alert(verdict) if verdict.flagged else None)


@cache
def version_of(distribution: str) -> str:
    """A program or library and its version, as in `latentprint/0.1.0`."""
    return f"{distribution}/{metadata.version(distribution)}"


def _candidates(matches: Sequence[Match], shown: int) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            rank=rank,
            model_id=match.model.model_id,
            name=match.model.name,
            family=match.model.family,
            status="shadow" if match.model.status == "shadow" else "live",
            similarity=match.score,
            distance=match.distance,
            distance_threshold=match.limit,
            threshold_count=match.limit_count,
            accepted=match.typical,
            condition=match.condition,
            lead=match.lead,
        )
        for rank, match in enumerate(matches[:shown], start=1)
    )


def _fingerprint_record(
    verdict: Verdict, fingerprint: Fingerprint, pixels_sha256: str
) -> FingerprintRecord:
    evidence = verdict.evidence
    return FingerprintRecord(
        verdict_id=verdict.verdict_id,
        space=verdict.bundle_digest,
        fingerprint=encode_fingerprint(fingerprint.vector),
        dimension=len(fingerprint.vector),
        synthesis_score=fingerprint.synthesis_score,
        condition=verdict.condition,
        jpeg_quality=verdict.image.jpeg_quality,
        width=verdict.image.width,
        height=verdict.image.height,
        crop_count=fingerprint.crop_count,
        codec=evidence.codec if evidence else None,
        pixels_read=evidence.pixels_read if evidence else None,
        kind=tuple(evidence.kind.values()) if evidence else None,
        pixels_sha256=pixels_sha256,
        further={one.codec: encode_fingerprint(one.vector) for one in fingerprint.readings[1:]},
    )


def _alert(verdict: Verdict) -> Alert:
    return Alert(
        alert_id=alert_id(verdict.verdict_id),
        verdict_id=verdict.verdict_id,
        event_id=verdict.event_id,
        source=verdict.source,
        subject=verdict.exact_subject(),
        outcome=verdict.outcome,
        model=verdict.model,
        model_id=verdict.model_id,
        family=verdict.family,
        reasons=verdict.reasons,
        image_sha256=verdict.image.sha256,
        created_at=verdict.created_at,
        p_value=_deciding_p_value(verdict.name_test, verdict.real_test),
    )


def _deciding_p_value(names: NameTest | None, real: RealTest | None) -> float | None:
    """That of the test of names where it passed, else that with nothing registered."""
    if names is not None and (
        names.p_value <= names.alpha and names.worst_source_share <= names.alpha_source
    ):
        return names.p_value
    return real.p_value if real is not None else None
