"""The real stages on the tiny bundle: events in, verdicts out, without Kafka or Redis."""

from datetime import UTC, datetime

import numpy as np

from fingerprint_db.background import size_class_of
from fingerprint_db.conditions import Codec
from fingerprint_db.gate.enrolment import Samples, enrol
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.model_fingerprint import Status
from fingerprint_db.snapshot import Snapshot
from tests.worker.extractor.tiny_bundle import (
    LIMITS,
    halved_png,
    made_png,
    real_jpeg,
    real_png,
    registration,
    varied_png,
)
from worker.decoder.decode import DecodedImage, decode
from worker.errors import RejectError
from worker.events.cloudevents import Origin
from worker.events.image_event import ImageEvent
from worker.events.records import Verdict
from worker.extractor.bundle import Bundle
from worker.extractor.extract import Extractor, ImageFingerprint
from worker.extractor.nuisance import Nuisance
from worker.judge.judged import Judged
from worker.judge.pipeline import Pipeline
from worker.judge.policy import Policy, load_policy
from worker.registry.view import RegistryView

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SAMPLES = 50
_SAMPLES_FROM = 500_000


class Bench:
    """The tiny bundle's extractor, and a registry that tests fill with its generators."""

    def __init__(self, bundle: Bundle, extractor: Extractor) -> None:
        self.bundle = bundle
        self.extractor = extractor
        self.registry = MemoryRegistry()

    def register(
        self,
        generator: str,
        *,
        samples: int = SAMPLES,
        status: Status = "live",
        halved: bool = False,
    ) -> None:
        """Enrol a generator of the tiny bundle from lossless files as they are, or `halved` too."""
        numbers = range(_SAMPLES_FROM, _SAMPLES_FROM + samples)
        found: dict[Codec, list[ImageFingerprint]] = {
            "lossless": self.fingerprints(*(sample(generator, number) for number in numbers))
        }
        if halved:
            files = [halved_png(generator, number) for number in numbers]
            found["half_lossless"] = self.fingerprints(*files)
        policy = load_policy()
        enrolment = enrol(
            Samples(
                tuple(map(str, numbers)),
                {c: np.stack([one.reading(c).vector for one in f]) for c, f in found.items()},
                {c: np.arange(samples) for c in found},
                {
                    c: np.array([size_class_of(one.pixels_read) for one in f])
                    for c, f in found.items()
                },
                {c: np.stack([one.kind for one in f]) for c, f in found.items()},
                Nuisance.NAMES,
            ),
            registration(generator),
            self.bundle.background,
            self.snapshot().models,
            alpha_name=policy.alpha_name,
            alpha_source=policy.alpha_source,
            alpha_alike=policy.alpha_alike,
        )
        assert enrolment.model is not None, enrolment.report.refusals
        model = enrolment.model.with_status(status)
        self.registry.register(model, by="ada", reason="a test")

    def fingerprints(self, *files: bytes) -> list[ImageFingerprint]:
        """What the extractor makes of files, all of which must have a fingerprint."""
        found = self.extractor.extract([decode(data, LIMITS) for data in files])
        good = [one for one in found if isinstance(one, ImageFingerprint)]
        assert len(good) == len(files)
        return good

    def snapshot(self) -> Snapshot:
        """The registry as it is now."""
        return self.registry.snapshot(self.bundle.digest)

    def view(self, age_s: float = 0.25) -> RegistryView:
        """The registry as it is now, last confirmed `age_s` ago."""
        return RegistryView(self.snapshot(), age_s)

    def pipeline(
        self,
        policy: Policy | None = None,
        extractor: Extractor | None = None,
        bundle: Bundle | None = None,
    ) -> Pipeline:
        """A pipeline whose clock stands still at NOW."""
        return Pipeline(
            extractor or self.extractor, bundle or self.bundle, policy or load_policy(), lambda: NOW
        )


def sample(generator: str, number: int) -> bytes:
    """As the bundle's own pictures: of several sizes, every other one on a scene of its own."""
    made = varied_png if number % 2 else made_png
    return made(generator, number, (64, 64, 48, 40)[number % 4])


def item(data: bytes, offset: int = 0) -> tuple[ImageEvent, DecodedImage]:
    """A decoded event at `offset` of partition 3."""
    event = ImageEvent(
        origin=Origin("latentprint.images", 3, offset),
        key=b"a key",
        event_id=f"event {offset}",
        source="/a/test",
        subject=f"{offset}.png",
        time=None,
        content_type="image/png",
        data=data,
    )
    return event, decode(data, LIMITS)


def items(*files: bytes) -> list[tuple[ImageEvent, DecodedImage]]:
    """Decoded events at offsets 0, 1, …"""
    return [item(data, offset) for offset, data in enumerate(files)]


def judged(result: Judged | RejectError) -> Judged:
    """The result, which must be a verdict."""
    assert isinstance(result, Judged), result
    return result


FILES = (real_png(12), made_png("checks", 13), made_png("rows", 14), real_jpeg(15, 85))
"""A photograph, a registered generator's, an unknown one's, a photograph as JPEG."""


def verdicts(bench: Bench, *files: bytes, age_s: float = 0.25) -> list[Verdict]:
    """The verdicts on files that are all judged, in order."""
    results = bench.pipeline().judge(items(*files), bench.view(age_s))
    assert len(results) == len(files)
    return [judged(result).verdict for result in results]
