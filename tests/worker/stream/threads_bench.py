"""Decode, extraction and judging threads at work on records, with stages that a test brings."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from kafka.structs import TopicPartition

from tests.waiting import wait_for
from tests.worker.decoder.fake_decoder import FakeDecoder
from worker.broker.topics import Topics
from worker.decoder.decode import DecodedImage
from worker.errors import RejectError
from worker.events.cloudevents import Origin, RawRecord
from worker.events.dead_letter import DeadLetter
from worker.events.image_event import ImageEvent
from worker.judge.decide import Decision
from worker.judge.judged import Judged
from worker.judge.policy import load_policy
from worker.judge.verdicts import Findings, judged
from worker.metrics import Figures
from worker.registry.view import RegistryView
from worker.settings.delivery import DeliverySettings
from worker.settings.images import DecodeSettings, ExtractSettings
from worker.stream.answers import Answer
from worker.stream.breaker import Breaker
from worker.stream.in_flight import Ownership
from worker.stream.judging import Extract, Judge
from worker.stream.threads import Admitted, Work, WorkThreads
from worker.watchdog import Watchdog

TOPICS = Topics()
P0 = TopicPartition("images", 0)
POLICY = load_policy()
ItemJudge = Judge[DecodedImage]


class Bench:
    def __init__(
        self,
        judge: ItemJudge,
        partition: TopicPartition = P0,
        extract: Extract[DecodedImage] | None = None,
        batch: int = 8,
        patience_ms: float = 200.0,
    ) -> None:
        self.partition = partition
        self.ownership: Ownership[Answer] = Ownership(max_records=99, max_bytes=9999)
        self.ownership.assign([partition], "member")
        self.failures: list[BaseException] = []
        self.decoder = FakeDecoder()
        self.faults: list[Exception] = []
        self.figures = Figures()
        self.breaker = Breaker(DeliverySettings(max_consecutive_rejects=2), self.figures)
        self.threads = WorkThreads(
            ownership=self.ownership,
            work=Work(
                self.decoder,
                extract or (lambda images, view: images),
                judge,
                lambda: RegistryView(None, float("inf")),
                self._self_test,
            ),
            breaker=self.breaker,
            topics=TOPICS,
            decode=DecodeSettings.model_construct(processes=1, max_image_bytes=1000),
            extract=ExtractSettings(
                batch_max_images=batch, batch_wait_ms=patience_ms, batch_deadline_s=60.0
            ),
            watchdog=Watchdog(),
            figures=self.figures,
            fail=self.failures.append,
        )

    def _self_test(self) -> None:
        """The machine is sound unless `faults` holds what it fails with next."""
        if self.faults:
            raise self.faults.pop()

    def answers(self, *values: bytes) -> list[Answer]:
        """The answers to these events, in order; raises what a thread failed with."""
        records = [_record(offset, value) for offset, value in enumerate(values)]
        sizes = [(record.origin.offset, 10) for record in records]
        entries = self.ownership.admit(self.partition, sizes)
        self.threads.start()
        self.threads.admit([Admitted(e, r) for e, r in zip(entries, records, strict=True)])

        def finished() -> Any:
            if self.failures:
                raise self.failures[0]
            taken = self.ownership.take(99)
            return taken and len(taken[0].entries) == len(values) and taken

        try:
            (prefix,) = wait_for(finished, "all answers")
        finally:
            self.threads.close(5.0)
        return [cast(Answer, entry.result) for entry in prefix.entries]


def _record(offset: int, value: bytes) -> RawRecord:
    headers: tuple[tuple[str, bytes | None], ...] = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"%d" % offset),
        ("ce_source", b"/test"),
        ("ce_type", b"latentprint.image.v1"),
    )
    return RawRecord(Origin("images", 0, offset), b"key", value, headers)


def judge_all(
    items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
) -> list[Judged | RejectError]:
    return [judged_of(event, image) for event, image in items]


def judged_of(event: ImageEvent, image: DecodedImage) -> Judged:
    return judged(
        event,
        image.facts,
        Findings(Decision("undetermined", ("registry_never_loaded",))),
        RegistryView(None, float("inf")),
        crop_count=1,
        space="5c" * 32,
        policy=POLICY,
        at=datetime(2026, 3, 4, tzinfo=UTC),
    )


def failing_on(
    value: bytes, make: Callable[[], Exception], seen: list[int] | None = None
) -> ItemJudge:
    def judge(
        items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        if seen is not None:
            seen.append(len(items))
        if any(event.data == value for event, _ in items):
            raise make()
        return judge_all(items, view)

    return judge


def codes(answers: Sequence[Answer]) -> list[str]:
    return [a.code if isinstance(a, DeadLetter) else "verdict" for a in answers]
