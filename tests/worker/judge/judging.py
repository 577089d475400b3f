"""The real stages on the tiny bundle: events in, verdicts out, without Kafka or Redis."""

from datetime import UTC, datetime

import numpy as np

from fingerprint_db.enrolment import Samples, enrol
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.snapshot import Snapshot
from tests.worker.extractor.tiny_bundle import LIMITS, made_png, registration
from worker.decoder.decode import DecodedImage, decode
from worker.errors import RejectError
from worker.events.cloudevents import Origin
from worker.events.image_event import ImageEvent
from worker.extractor.bundle import Bundle
from worker.extractor.extract import Extractor, ImageFingerprint
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

    def register(self, generator: str, *, samples: int = SAMPLES) -> None:
        """Enrol a generator of the tiny bundle under the conditions of a file as received."""
        numbers = range(_SAMPLES_FROM, _SAMPLES_FROM + samples)
        images = [decode(made_png(generator, number), LIMITS) for number in numbers]
        found = self.extractor.extract(images)
        vectors = np.stack([one.vector for one in found if isinstance(one, ImageFingerprint)])
        fingerprints = Samples({"as_received": vectors}, {"as_received": np.full(samples, 0.001)})
        enrolment = enrol(
            fingerprints,
            registration(generator),
            self.bundle.background,
            self.snapshot().models,
            alpha=load_policy().alpha,
        )
        assert enrolment.model is not None, enrolment.report.refusals
        self.registry.register(enrolment.model, by="ada", reason="a test")

    def snapshot(self) -> Snapshot:
        """The registry as it is now."""
        return self.registry.snapshot(self.bundle.digest)

    def view(self, age_s: float = 0.25) -> RegistryView:
        """The registry as it is now, last confirmed `age_s` ago."""
        return RegistryView(self.snapshot(), age_s)

    def pipeline(
        self, policy: Policy | None = None, extractor: Extractor | None = None
    ) -> Pipeline:
        """A pipeline whose clock stands still at NOW."""
        return Pipeline(
            extractor or self.extractor, self.bundle, policy or load_policy(), lambda: NOW
        )


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
