"""One bad image never fails its neighbours, and a failure never looks like a verdict."""

import queue
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import pytest
from kafka.structs import TopicPartition

from tests.waiting import wait_for
from worker.commands.supervisor import FINAL_EXIT_CODES
from worker.decoder.decode import DecodedImage, ImageFacts
from worker.errors import RejectError, RetryError, StopError
from worker.events.cloudevents import Origin, RawRecord
from worker.events.dead_letter import DeadLetter
from worker.events.image_event import ImageEvent
from worker.judge.judged import Judged, RegistryView
from worker.metrics import Figures
from worker.stream import threads
from worker.stream.in_flight import Ownership
from worker.stream.outcomes import EventOutcome, Verdicted
from worker.stream.threads import Admitted, Judge, Stages
from worker.stream.watchdog import Watchdog

P0 = TopicPartition("images", 0)
JUDGED = Judged(verdict=None, fingerprint=None, alert=None)  # type: ignore[arg-type]


class FakeDecoder:
    def __init__(self) -> None:
        self.failures: queue.SimpleQueue[Exception] = queue.SimpleQueue()

    def decode(self, data: bytes) -> DecodedImage:
        if not self.failures.empty():
            raise self.failures.get()
        if data == b"broken":
            raise RejectError("decode.corrupt", "it is broken", stage="decode")
        facts = ImageFacts("0" * 64, len(data), "png", 1, 1, None, False, False)
        crops = np.zeros((1, 3, 32, 32), np.uint8)
        return DecodedImage(facts, crops, np.zeros((1, 2), np.int32), None)


class Bench:
    def __init__(self, judge: Judge) -> None:
        self.ownership: Ownership[EventOutcome] = Ownership(max_records=99, max_bytes=9999)
        self.ownership.assign([P0], "member")
        self.failures: list[BaseException] = []
        self.decoder = FakeDecoder()
        self.stages = Stages(
            ownership=self.ownership,
            decoder=self.decoder,
            judge=judge,
            view=lambda: RegistryView(None, float("inf")),
            decode_threads=1,
            max_image_bytes=1000,
            batch_max_images=8,
            batch_wait_s=0.2,
            batch_deadline_s=60,
            watchdog=Watchdog(),
            figures=Figures(),
            fail=self.failures.append,
        )

    def outcomes(self, *values: bytes) -> list[EventOutcome]:
        """The outcomes of these events, in order; raises what a thread failed with."""
        records = [_record(offset, value) for offset, value in enumerate(values)]
        sizes = [(record.origin.offset, 10) for record in records]
        entries = self.ownership.admit(P0, sizes)
        self.stages.start()
        self.stages.admit([Admitted(e, r) for e, r in zip(entries, records, strict=True)])

        def finished() -> Any:
            if self.failures:
                raise self.failures[0]
            taken = self.ownership.take(99)
            return taken and len(taken[0].entries) == len(values) and taken

        try:
            (prefix,) = wait_for(finished, "all outcomes")
        finally:
            self.stages.close(5.0)
        return [cast(EventOutcome, entry.outcome) for entry in prefix.entries]


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
    return [JUDGED for _ in items]


def failing_on(value: bytes, make: Callable[[], Exception], seen: list[int] | None = None) -> Judge:
    def judge(
        items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        if seen is not None:
            seen.append(len(items))
        if any(event.data == value for event, _ in items):
            raise make()
        return judge_all(items, view)

    return judge


def codes(outcomes: Sequence[EventOutcome]) -> list[str]:
    return [o.code if isinstance(o, DeadLetter) else "verdict" for o in outcomes]


def test_a_broken_image_becomes_a_dead_letter_and_its_neighbours_are_judged() -> None:
    outcomes = Bench(judge_all).outcomes(b"a", b"broken", b"b" * 1001, b"c")
    assert codes(outcomes) == ["verdict", "decode.corrupt", "too_large", "verdict"]
    kept = outcomes[0]
    assert isinstance(kept, Verdicted)
    assert kept.key == b"key"
    letter = outcomes[1]
    assert isinstance(letter, DeadLetter)
    assert letter.value == b"broken"


def test_an_image_that_breaks_inference_is_found_by_halving_and_fails_alone() -> None:
    sizes: list[int] = []
    judge = failing_on(b"x", lambda: ArithmeticError("nan"), sizes)
    outcomes = Bench(judge).outcomes(b"a", b"b", b"c", b"x", b"d", b"e", b"f", b"g")
    assert codes(outcomes) == ["verdict"] * 3 + ["model_error"] + ["verdict"] * 4
    letter = outcomes[3]
    assert isinstance(letter, DeadLetter)
    assert letter.attempts == 2
    assert "ArithmeticError: nan" in letter.message
    assert len(sizes) <= 1 + 2 * 3 + 1, "a batch, two halves a level, and one more try alone"


def test_an_image_that_breaks_inference_only_in_company_is_judged() -> None:
    def judge(
        items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        if len(items) > 1:
            raise MemoryError("too many")
        return judge_all(items, view)

    assert codes(Bench(judge).outcomes(b"a", b"b", b"c")) == ["verdict"] * 3


def test_a_reject_of_the_judge_concerns_its_image_only() -> None:
    def judge(
        items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        nan = RejectError("model_nan", "not finite", stage="extract")
        return [nan if event.data == b"x" else JUDGED for event, _ in items]

    assert codes(Bench(judge).outcomes(b"a", b"x", b"b")) == ["verdict", "model_nan", "verdict"]


def test_a_world_that_does_not_recover_stops_the_worker_without_any_outcome() -> None:
    bench = Bench(failing_on(b"a", lambda: RetryError("no GPU")))
    with pytest.raises(StopError, match=r"no GPU.*nothing was committed"):
        bench.outcomes(b"a")
    assert bench.ownership.take(99) == []


def test_a_world_that_recovers_costs_a_retry_and_no_dead_letter() -> None:
    failures = [RetryError("once")]

    def judge(
        items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        if failures:
            raise failures.pop()
        return judge_all(items, view)

    bench = Bench(judge)
    bench.decoder.failures.put(RetryError("no child free"))
    assert codes(bench.outcomes(b"a", b"b")) == ["verdict", "verdict"]


def test_a_machine_that_starts_no_decoder_stops_the_worker_with_a_code_that_restarts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "DECODE_PAUSES_S", (0.0, 0.0))
    bench = Bench(judge_all)
    for _ in range(3):
        bench.decoder.failures.put(RetryError("no decoder child can be started"))
    with pytest.raises(StopError, match=r"in 3 tries.*no decoder child.*nothing was") as caught:
        bench.outcomes(b"a")
    assert caught.value.exit_code not in FINAL_EXIT_CODES
    assert bench.ownership.take(99) == []


def test_outcomes_that_do_not_match_the_batch_stop_the_worker() -> None:
    with pytest.raises(StopError, match="gave 0 outcomes for 1 events"):
        Bench(lambda items, view: []).outcomes(b"a")
