"""The stages after decoding, in order, and the values that enter and leave them.

decoded image -> | may it be judged? -> extract -> attribute -> generic test -> decide -> verdict |
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import structlog

from fingerprint_db.background import size_class_of
from fingerprint_db.conditions import Codec
from fingerprint_db.matching.levels import Standing
from fingerprint_db.snapshot import Snapshot
from worker.decoder.decode import DecodedImage, ImageFacts
from worker.errors import RejectError
from worker.events.image_event import ImageEvent
from worker.extractor.bundle import Bundle
from worker.extractor.extract import Extractor, ImageFingerprint
from worker.judge.attribute import NameFindings
from worker.judge.decide import Decision, Evidence, RegistryState, before_extraction, decide
from worker.judge.drift import DriftAlarm, DriftWatch
from worker.judge.judged import Judged
from worker.judge.measured import StatedRates, evidence_record, name_test, real_test
from worker.judge.photographs import Photographs, bin_name
from worker.judge.policy import Policy
from worker.judge.prepared import Prepared, Preparer
from worker.judge.verdicts import Findings, judged
from worker.metrics import Figures
from worker.registry.view import RegistryView
from worker.seen.spans import Spans

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """What is judged of one image, whose pixels were let go: `early` says why it is not judged at
    all, else there is a fingerprint."""

    facts: ImageFacts
    crop_count: int
    early: Decision | None
    fingerprint: ImageFingerprint | None


class Pipeline:
    """Judges batches of decoded images: `judge`, or its two halves on a thread of each's own."""

    def __init__(
        self,
        extractor: Extractor,
        bundle: Bundle,
        policy: Policy,
        clock: Clock,
        figures: Figures | None = None,
        spans: Spans | None = None,
    ) -> None:
        self._extractor = extractor
        self._bundle = bundle
        self._policy = policy
        self._clock = clock
        self._generic_rates: dict[str, StatedRates] = {}
        self._name_rates: dict[str, StatedRates] = {}
        self._preparer = Preparer(bundle.background, policy, every_codec=False)
        self._in_use: Prepared | None = None
        self._figures = figures or Figures()
        self._spans = spans or Spans()
        self._drift = DriftWatch(policy.alpha_name + policy.alpha_unknown, self._drifted)

    def judge(
        self, items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        """One result per item, in order: a bad image never fails its neighbours."""
        found = self.extract([image for _, image in items], view)
        good = [
            (event, one)
            for (event, _), one in zip(items, found, strict=True)
            if not isinstance(one, RejectError)
        ]
        results = iter(self.judge_extracted(good, view))
        return [one if isinstance(one, RejectError) else next(results) for one in found]

    def extract(
        self, images: Sequence[DecodedImage], view: RegistryView
    ) -> list[Extracted | RejectError]:
        """What is judged of each image, in order; call it from one thread only."""
        started = time.monotonic()
        registry = RegistryState(None if view.snapshot is None else view.age_s)
        early = [
            before_extraction(image.facts, image.problem, registry, self._policy)
            for image in images
        ]
        worth = [image for image, decision in zip(images, early, strict=True) if decision is None]
        with self._spans.part("extract"):
            found = iter(self._extractor.extract(worth))
        results: list[Extracted | RejectError] = []
        for image, decision in zip(images, early, strict=True):
            fingerprint = None if decision else next(found)
            if isinstance(fingerprint, RejectError):
                results.append(fingerprint)
            else:
                count = len(image.origins)
                results.append(Extracted(image.facts, count, decision, fingerprint))
        if worth:
            self._figures.observe("extract_seconds", time.monotonic() - started)
        return results

    def judge_extracted(
        self, items: Sequence[tuple[ImageEvent, Extracted]], view: RegistryView
    ) -> list[Judged | RejectError]:
        """One result per item, in order; call it from one thread only, which may be another.

        `view` must be the one that the items were extracted with.
        """
        started = time.monotonic()
        with self._spans.part("match"):
            fingerprints = [one.fingerprint for _, one in items if one.fingerprint is not None]
            found = iter(self._find(fingerprints, view))
            results: list[Judged | RejectError] = [
                self._judged(event, one, Findings(one.early) if one.early else next(found), view)
                for event, one in items
            ]
        if fingerprints:
            self._figures.observe("match_seconds", time.monotonic() - started)
        return results

    def _judged(
        self, event: ImageEvent, image: Extracted, findings: Findings, view: RegistryView
    ) -> Judged:
        return judged(
            event,
            image.facts,
            findings,
            view,
            crop_count=image.crop_count,
            space=self._extractor.space,
            policy=self._policy,
            at=self._clock(),
        )

    def _find(self, fingerprints: Sequence[ImageFingerprint], view: RegistryView) -> list[Findings]:
        """Attribute and decide every fingerprint, matched in one batch."""
        if not fingerprints:
            return []
        assert view.snapshot is not None, "without a registry nothing is extracted"
        prepared = self._prepared(view, view.snapshot)
        photographs = prepared.photographs
        names = prepared.matcher.match(fingerprints, shown=self._policy.candidates_shown)
        generic = _among_photographs(fingerprints, photographs)
        return [
            self._findings(fingerprint, own, standing, far, photographs)
            for fingerprint, own, (standing, far) in zip(fingerprints, names, generic, strict=True)
        ]

    def _findings(
        self,
        fingerprint: ImageFingerprint,
        names: NameFindings,
        standing: Standing,
        unfamiliarity: float,
        photographs: Photographs,
    ) -> Findings:
        codec, size = fingerprint.codec, size_class_of(fingerprint.pixels_read)
        constants, where = self._bundle.background.constants, bin_name(codec, size)
        generic = photographs.of(codec).generic.by_size[size]
        policy = self._policy
        measured = Evidence(names, standing, unfamiliarity, fingerprint.earlier_quality)
        decision = decide(measured, policy, constants)
        evidence = evidence_record(
            fingerprint,
            unfamiliarity,
            constants.unfamiliar_distance,
            self._blocks(fingerprint, names, decision),
        )
        if "jpeg_quality_too_low" in decision.reasons:
            # As of the JPEG itself nothing is told but why: no test, and no fingerprint to
            # calibrate by.
            return Findings(decision, evidence=evidence)
        if decision.outcome == "no_evidence":
            self._drift.add("name_test", names.standing.p_value, names.level.count)
            self._drift.add("real_test", standing.p_value, generic.count)
        if where not in self._generic_rates:
            self._generic_rates[where] = StatedRates.of(
                generic, policy.alpha_unknown, policy.alpha_source
            )
        if where not in self._name_rates:
            self._name_rates[where] = StatedRates.of(
                names.level, policy.alpha_name, policy.alpha_source
            )
        return Findings(
            decision,
            fingerprint,
            real_test(generic, standing, policy, self._generic_rates[where], where),
            names.behind(decision.match).ranked,
            decision.match.condition if decision.match else codec,
            name_test(names, policy, self._name_rates[where], where),
            evidence,
            photographs.digest if generic.own or names.level.own else None,
        )

    def _blocks(
        self, fingerprint: ImageFingerprint, names: NameFindings, decision: Decision
    ) -> Mapping[str, float]:
        """What each block of statistics adds to the score that decided; nothing where none did.

        Costs about a tenth of what extracting does, so that photographs are spared it.
        """
        undecided = {"calibration_too_small", "jpeg_quality_too_low"}
        if decision.outcome == "no_evidence" or undecided & set(decision.reasons):
            return {}
        by_name = decision.outcome != "undetermined" and "generic_test" not in decision.reasons
        reading, direction = fingerprint.readings[0], None
        if by_name:
            found = names.behind(decision.match)
            reading, direction = fingerprint.reading(found.codec), found.direction
        if direction is None:
            direction = self._bundle.background.codecs[reading.codec].synthesis
        return self._bundle.maps[reading.codec].shares(reading.standard, direction)

    def _prepared(self, view: RegistryView, snapshot: Snapshot) -> Prepared:
        """What the view came with, or where it came with nothing, what is made of it here.

        Rates and the watch over drift begin anew with other models or photographs.
        """
        fresh, former = view.prepared, self._in_use
        if not isinstance(fresh, Prepared):
            fresh = self._preparer.prepare(snapshot, view.calibration)
        if fresh is not former:
            if former is None or fresh.photographs is not former.photographs:
                self._generic_rates = {}
            self._name_rates = {}
            self._drift.reset()
            self._figures.set("calibration_drifted", 0)
            self._in_use = fresh
        return fresh

    def _drifted(self, test: str, alarm: DriftAlarm) -> None:
        self._figures.add("calibration_drifts")
        self._figures.set("calibration_drifted", 1)
        structlog.get_logger("judge").warning(
            "calibration_drift",
            test=test,
            p_values=alarm.p_values,
            log10_capital=round(alarm.log10_capital, 1),
            calibration=(self._in_use and self._in_use.photographs.digest) or "bundle",
            reason="what is taken for photographs scores higher than the photographs that"
            " calibrate: more than alpha of them may be flagged; calibrate on what you receive with"
            " `latentprint registry calibrate`",
        )


def _among_photographs(
    fingerprints: Sequence[ImageFingerprint], photographs: Photographs
) -> list[tuple[Standing, float]]:
    """How each picture's score of the test with nothing registered stands among the photographs of
    its codec and size, and how far from theirs its kind lies."""
    alike: dict[tuple[Codec, int], list[int]] = {}
    for i, one in enumerate(fingerprints):
        alike.setdefault((one.codec, size_class_of(one.pixels_read)), []).append(i)
    found: dict[int, tuple[Standing, float]] = {}
    for (codec, size), rows in alike.items():
        own = photographs.of(codec)
        kinds = np.stack([fingerprints[i].kind for i in rows])
        scores = np.array([fingerprints[i].synthesis_score for i in rows], np.float32)
        standings = own.generic.by_size[size].standings(scores, kinds)
        distances = own.familiarity[size].distances(kinds).tolist()
        found |= zip(rows, zip(standings, distances, strict=True), strict=True)
    return [found[i] for i in range(len(fingerprints))]
