"""The stages after decoding, in order, and the values that enter and leave them.

decoded image -> | may it be judged? -> extract -> attribute -> real test -> decide -> verdict |
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np

from fingerprint_db.conditions import conditions_for
from fingerprint_db.snapshot import Snapshot
from worker.decoder.decode import DecodedImage
from worker.errors import RejectError
from worker.events.image_event import ImageEvent
from worker.events.records import RealTest
from worker.extractor.bundle import Bundle
from worker.extractor.calibration import Calibration, bin_of
from worker.extractor.extract import Extractor, ImageFingerprint
from worker.judge.attribute import Matcher
from worker.judge.decide import Evidence, RegistryState, before_extraction, decide
from worker.judge.judged import Judged
from worker.judge.policy import Policy
from worker.judge.verdicts import Findings, judged
from worker.registry.view import RegistryView

Clock = Callable[[], datetime]


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
                results.append(self._judged(event, image, Findings(decision), view))
            elif isinstance(fingerprint, RejectError):
                results.append(fingerprint)
            else:
                results.append(self._judged(event, image, findings[i], view))
        return results

    def _judged(
        self, event: ImageEvent, image: DecodedImage, findings: Findings, view: RegistryView
    ) -> Judged:
        return judged(
            event,
            image,
            findings,
            view,
            space=self._extractor.space,
            policy=self._policy,
            at=self._clock(),
        )

    def _find(
        self,
        items: Sequence[tuple[ImageEvent, DecodedImage]],
        extracted: dict[int, ImageFingerprint | RejectError],
        view: RegistryView,
    ) -> dict[int, Findings]:
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
            found[i] = Findings(decision, fingerprint, real_test, ranked, condition)
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
