"""What a worker does with an event beside network, decoding and extraction, in processor time.

The threads are the worker's own, from a record that was polled to the transaction that holds its
verdict. The decoder hands out what was decoded before, the extractor what was extracted before, and
what stands for the brokers accepts everything at once.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from kafka.structs import TopicPartition

from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.transfer import import_
from worker.broker.batches import raw_record
from worker.broker.topics import Topics
from worker.decoder.decode import DecodedImage, DecodeLimits
from worker.errors import RejectError
from worker.extractor.bundle import ZOO_EXPORT, Bundle
from worker.extractor.extract import ImageFingerprint
from worker.judge.pipeline import Pipeline
from worker.judge.policy import load_policy
from worker.judge.prepared import Preparer
from worker.metrics import Figures
from worker.registry.view import RegistryView
from worker.settings.delivery import DeliverySettings
from worker.settings.images import DecodeSettings, ExtractSettings
from worker.settings.kafka import KafkaSettings
from worker.stream.answers import Answer, records_of
from worker.stream.breaker import Breaker
from worker.stream.committer import CommitThread
from worker.stream.in_flight import Ownership
from worker.stream.threads import Admitted, Work, WorkThreads
from worker.stream.transaction import CommitDeadlines, Publisher
from worker.watchdog import Watchdog

POLLED = 64
"""Records that one poll brings at most, as MAX_POLL_RECORDS."""


class _Known:
    """Stands for decoder and extractor: both know the answer to each file."""

    def __init__(
        self,
        bundle: Bundle,
        limits: DecodeLimits,
        files: Sequence[bytes],
        images: Sequence[DecodedImage],
        fingerprints: Sequence[ImageFingerprint | RejectError],
    ) -> None:
        self.space, self.dimension, self.limits = bundle.digest, bundle.document.dimension, limits
        self._images = dict(zip(files, images, strict=True))
        self._fingerprints = {
            image.facts.sha256: found for image, found in zip(images, fingerprints, strict=True)
        }

    def decode(self, data: bytes, sender: str = "") -> DecodedImage:
        """As it was decoded."""
        return self._images[data]

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        """As they were extracted."""
        return [self._fingerprints[image.facts.sha256] for image in images]


class _Brokers:
    """Stands for producer and membership: every record and every commit is accepted."""

    def __init__(self) -> None:
        self.commits = 0

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None

    def send(self, *_: object, **__: object) -> Any:
        """Acknowledged."""
        return _Acknowledged

    def disconnects(self) -> int:
        """None."""
        return 0

    def commit_transaction(self, timeout_s: float) -> None:
        """Committed."""
        self.commits += 1

    def topic_ids(self) -> dict[str, str | None]:
        """Of topics that nobody made again."""
        return {}

    def metadata(self) -> tuple[Any, bool]:
        """A member of a stable group."""
        return _Member(), True


class _Acknowledged:
    exception = None

    @staticmethod
    def succeeded() -> bool:
        """Always."""
        return True


@dataclass(frozen=True)
class _Member:
    generation_id: int = 1
    member_id: str = "member"


def processor_ms(
    bundle: Bundle,
    limits: DecodeLimits,
    files: Sequence[bytes],
    images: Sequence[DecodedImage],
    fingerprints: Sequence[ImageFingerprint | RejectError],
    events: int,
) -> dict[str, float]:
    """Milliseconds an event, of so many events, and how many were in one transaction."""
    known = _Known(bundle, limits, files, images, fingerprints)
    brokers, figures = _Brokers(), Figures()
    policy, topics, failures = load_policy(), Topics(), list[BaseException]()
    registry = MemoryRegistry()
    import_(registry, (bundle.path / ZOO_EXPORT).read_bytes(), by="bench", reason="the zoo")
    snapshot = registry.snapshot(bundle.digest)
    prepared = Preparer(bundle.background, policy, every_codec=True).prepare(snapshot, None)
    view = RegistryView(snapshot, 0.0, prepared=prepared)
    pipeline = Pipeline(known, bundle, policy, lambda: datetime.now(UTC), figures)
    delivery = DeliverySettings()
    breaker, watchdog = Breaker(delivery, figures), Watchdog()
    partition = TopicPartition(topics.images, 0)
    ownership: Ownership[Answer] = Ownership(
        max_records=delivery.max_in_flight_records, max_bytes=delivery.max_in_flight_mib << 20
    )
    ownership.assign([partition], _Member().member_id)
    threads = WorkThreads(
        ownership=ownership,
        work=Work(known, pipeline.extract, pipeline.judge_extracted, lambda: view, lambda: None),
        breaker=breaker,
        topics=topics,
        decode=DecodeSettings(processes=1),
        extract=ExtractSettings(),
        watchdog=watchdog,
        figures=figures,
        fail=failures.append,
    )
    publisher: Publisher[Answer] = Publisher(
        new_producer=lambda: brokers,
        membership=brokers,
        ownership=ownership,
        to_records=records_of(topics, max_dead_letter_bytes=1 << 24),
        watchdog=watchdog,
        deadlines=CommitDeadlines.of(KafkaSettings()),
    )
    commits = CommitThread(
        publisher=publisher,
        ownership=ownership,
        breaker=breaker,
        redrives=topics.redrives,
        delivery=delivery,
        figures=figures,
        fail=failures.append,
    )
    publisher.open()
    threads.start()
    commits.start()
    polled = [_record(offset, files[offset % len(files)]) for offset in range(events)]
    began = time.process_time()
    for first in range(0, events, POLLED):
        while ownership.full and not failures:
            time.sleep(0.002)
        read = [raw_record(one, None) for one in polled[first : first + POLLED]]
        sizes = [(one.origin.offset, len(one.value or b"")) for one in read]
        entries = ownership.admit(partition, sizes)
        threads.admit([Admitted(e, one) for e, one in zip(entries, read, strict=True)])
    while ownership.in_flight[0] and not failures:
        time.sleep(0.002)
    spent = time.process_time() - began
    commits.close(5.0)
    threads.close(5.0)
    if failures:
        raise failures[0]
    return {
        "beside_ms": round(1000 * spent / events, 3),
        "beside_events_per_transaction": round(events / brokers.commits, 1),
    }


def _record(offset: int, data: bytes) -> Any:
    """As the client gives it."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"%032x" % offset),
        ("ce_source", b"/latentprint/submit"),
        ("ce_type", b"latentprint.image.v1"),
        ("ce_subject", b"folder/%08d.jpg" % offset),
        ("ce_time", b"2026-11-29T10:00:00.123456Z"),
        ("content-type", b"image/jpeg"),
    ]
    return SimpleNamespace(
        topic=Topics().images,
        partition=0,
        offset=offset,
        key=b"%08d" % offset,
        value=data,
        headers=headers,
        timestamp=1_764_410_400_000,
    )
