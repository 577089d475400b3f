"""The stages after decoding, in order, and the values that enter and leave them.

image event -> decode -> | extract -> attribute -> decide -> verdict |
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from fingerprint_db.conditions import conditions_for
from fingerprint_db.snapshot import Snapshot
from worker.decoder.decode import DecodedImage
from worker.errors import RejectError
from worker.events.image_event import ImageEvent
from worker.events.records import (
    Alert,
    Candidate,
    FingerprintRecord,
    ImageRecord,
    RealTest,
    Verdict,
    alert_id,
    encode_fingerprint,
    verdict_id,
)
from worker.extractor.bundle import Bundle
from worker.extractor.calibration import Calibration, bin_of
from worker.extractor.extract import Extractor, ImageFingerprint
from worker.judge.attribute import Match, Matcher
from worker.judge.decide import Decision, Evidence, RegistryState, before_extraction, decide
from worker.judge.judged import Judged
from worker.judge.policy import Policy
from worker.registry.view import RegistryView

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class _Findings:
    """What the stages found of one image, before it becomes a verdict."""

    decision: Decision
    fingerprint: ImageFingerprint | None = None
    real_test: RealTest | None = None
    matches: tuple[Match, ...] = ()
    condition: str | None = None


class Pipeline:
    """Judges batches of decoded images; call `judge` from one thread only."""

    def __init__(self, extractor: Extractor, bundle: Bundle, policy: Policy, clock: Clock) -> None:
        self._extractor = extractor
        self._background = bundle.background
        self._calibration: Calibration = bundle.calibration
        self._policy = policy
        self._clock = clock
        self._stated: dict[str, tuple[float, float]] = {}
        self._matcher = Matcher(self._background, Snapshot.empty(extractor.space))
        self._matched_root: str | None = None

    def judge(
        self, items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        """One result per item, in order: a bad image never fails its neighbours."""
        registry = RegistryState(None if view.snapshot is None else view.age_s)
        early = [
            before_extraction(image.facts, image.problem, registry, self._policy)
            for _, image in items
        ]
        worth = [i for i, decision in enumerate(early) if decision is None]
        extracted = dict(
            zip(worth, self._extractor.extract([items[i][1] for i in worth]), strict=True)
        )
        findings = self._find(items, extracted, view)
        results: list[Judged | RejectError] = []
        for i, (event, image) in enumerate(items):
            decision, fingerprint = early[i], extracted.get(i)
            if decision is not None:
                results.append(self._judged(event, image, _Findings(decision), view))
            elif isinstance(fingerprint, RejectError):
                results.append(fingerprint)
            else:
                results.append(self._judged(event, image, findings[i], view))
        return results

    def _find(
        self,
        items: Sequence[tuple[ImageEvent, DecodedImage]],
        extracted: dict[int, ImageFingerprint | RejectError],
        view: RegistryView,
    ) -> dict[int, _Findings]:
        """Attribute and decide every image that has a fingerprint, matched in one batch."""
        good = {i: f for i, f in extracted.items() if isinstance(f, ImageFingerprint)}
        if not good or view.snapshot is None:
            return {}
        facts = [items[i][1].facts for i in good]
        conditions = [conditions_for(fact.lossy, fact.jpeg_quality) for fact in facts]
        matches = self._current_matcher(view.snapshot).match(
            np.stack([fingerprint.vector for fingerprint in good.values()]), conditions
        )
        found = {}
        for (i, fingerprint), fact, names, ranked in zip(
            good.items(), facts, conditions, matches, strict=True
        ):
            bin_name = bin_of(fact.lossy, fact.jpeg_quality, min(fact.width, fact.height))
            p_value = self._calibration.p_value(bin_name, fingerprint.synthesis_score)
            count = self._calibration.count(bin_name)
            decision = decide(Evidence(p_value, count, ranked), self._policy)
            rate, bound = self._stated_rate(bin_name)
            real_test = RealTest(
                p_value=p_value,
                alpha=self._policy.alpha,
                false_positive_rate=rate,
                false_positive_bound=bound,
                calibration_count=count,
                calibration_bin=bin_name,
            )
            condition = decision.match.condition if decision.match else names[0]
            found[i] = _Findings(decision, fingerprint, real_test, ranked, condition)
        return found

    def _current_matcher(self, snapshot: Snapshot) -> Matcher:
        """The matcher of this snapshot, rebuilt only when the registry has changed."""
        if snapshot.root != self._matched_root:
            self._matcher = Matcher(self._background, snapshot)
            self._matched_root = snapshot.root
        return self._matcher

    def _stated_rate(self, bin_name: str) -> tuple[float, float]:
        if bin_name not in self._stated:
            self._stated[bin_name] = self._calibration.stated_rate(bin_name, self._policy.alpha)
        return self._stated[bin_name]

    def _judged(
        self, event: ImageEvent, image: DecodedImage, findings: _Findings, view: RegistryView
    ) -> Judged:
        decision, fingerprint, facts = findings.decision, findings.fingerprint, image.facts
        named = decision.match.model if decision.match else None
        snapshot = view.snapshot
        verdict = Verdict(
            verdict_id=verdict_id(event.origin, self._extractor.space),
            event_id=event.event_id,
            source=event.source,
            subject=event.subject,
            topic=event.origin.topic,
            partition=event.origin.partition,
            offset=event.origin.offset,
            topic_id=event.origin.topic_id,
            created_at=self._clock(),
            outcome=decision.outcome,
            flagged=decision.outcome in self._policy.flag,
            model=named.name if named else None,
            model_id=named.model_id if named else None,
            family=decision.family,
            candidates=_candidates(findings.matches, self._policy.candidates_shown),
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
            ),
            crop_count=len(image.crops),
            crop_agreement=fingerprint.crop_agreement if fingerprint else None,
            bundle_digest=self._extractor.space,
            registry_revision=snapshot.revision if snapshot else None,
            registry_root=snapshot.root if snapshot else None,
            registry_age_s=round(view.age_s, 3) if snapshot else None,
            policy_digest=self._policy.digest,
        )
        record = _fingerprint_record(verdict, fingerprint) if fingerprint else None
        return Judged(verdict, record, _alert(verdict) if verdict.flagged else None)


def _candidates(matches: Sequence[Match], shown: int) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            rank=rank,
            model_id=match.model.model_id,
            name=match.model.name,
            family=match.model.family,
            status="shadow" if match.model.status == "shadow" else "live",
            similarity=match.similarity,
            distance=match.distance,
            distance_threshold=match.distance_threshold,
            threshold_count=match.threshold_count,
            accepted=match.accepted,
        )
        for rank, match in enumerate(matches[:shown], start=1)
    )


def _fingerprint_record(verdict: Verdict, fingerprint: ImageFingerprint) -> FingerprintRecord:
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
    )
