"""One bad image never fails its neighbours, and a failure never looks like a verdict."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from kafka.structs import TopicPartition

from tests.worker.decoder.fake_decoder import FakeDecoder
from tests.worker.stream.threads_bench import (
    TOPICS,
    Bench,
    codes,
    failing_on,
    judge_all,
    judged_of,
)
from worker.commands.supervisor import FINAL_EXIT_CODES
from worker.decoder.decode import DecodedImage
from worker.errors import RejectError, RetryError, StopError
from worker.events.dead_letter import DeadLetter
from worker.events.image_event import ImageEvent
from worker.judge.judged import Judged
from worker.registry.view import RegistryView
from worker.stream import judging, threads
from worker.stream.answers import Verdicted
from worker.watchdog import WATCHDOG_EXIT_CODE


def test_a_broken_image_becomes_a_dead_letter_and_its_neighbours_are_judged() -> None:
    answers = Bench(judge_all).answers(b"a", b"broken", b"b" * 1001, b"c")
    assert codes(answers) == ["verdict", "decode.unsupported", "too_large", "verdict"]
    kept = answers[0]
    assert isinstance(kept, Verdicted)
    ((topic, record),) = kept.records
    assert (topic, record.key) == (TOPICS.verdicts, b"key")
    letter = answers[1]
    assert isinstance(letter, DeadLetter)
    assert letter.value == b"broken"


def test_an_event_of_a_sender_in_quarantine_is_answered_without_being_decoded() -> None:
    bench = Bench(judge_all)
    bench.breaker.count("/other", ("images", 0, 90), code=None)
    for offset in range(91, 94):
        bench.breaker.count("/test", ("images", 0, offset), code="decode.corrupt")
    bench.decoder.failures.put(AssertionError("it was decoded"))
    (letter,) = bench.answers(b"a")
    assert isinstance(letter, DeadLetter)
    assert (letter.code, letter.value) == ("quarantined", b"a")
    assert not bench.decoder.failures.empty()


def test_a_redriven_event_of_a_sender_in_quarantine_is_judged() -> None:
    bench = Bench(judge_all, TopicPartition(TOPICS.redrives, 0))
    bench.breaker.count("/other", ("images", 0, 90), code=None)
    for offset in range(91, 94):
        bench.breaker.count("/test", ("images", 0, offset), code="decode.corrupt")
    assert codes(bench.answers(b"a")) == ["verdict"]


def test_an_image_that_breaks_inference_is_found_by_halving_and_fails_alone() -> None:
    sizes: list[int] = []
    judge = failing_on(b"x", lambda: ArithmeticError("nan"), sizes)
    answers = Bench(judge).answers(b"a", b"b", b"c", b"x", b"d", b"e", b"f", b"g")
    assert codes(answers) == ["verdict"] * 3 + ["model_error"] + ["verdict"] * 4
    letter = answers[3]
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

    assert codes(Bench(judge).answers(b"a", b"b", b"c")) == ["verdict"] * 3


def test_a_reject_of_the_judge_concerns_its_image_only() -> None:
    def judge(
        items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        nan = RejectError("model_nan", "not finite", stage="extract")
        return [nan if event.data == b"x" else judged_of(event, image) for event, image in items]

    assert codes(Bench(judge).answers(b"a", b"x", b"b")) == ["verdict", "model_nan", "verdict"]


def test_a_world_that_does_not_recover_stops_the_worker_without_any_answer() -> None:
    bench = Bench(failing_on(b"a", lambda: RetryError("no GPU")))
    with pytest.raises(StopError, match=r"no GPU.*nothing was committed"):
        bench.answers(b"a")
    assert bench.ownership.take(99) == []


def a_dead_device() -> RuntimeError:
    return RuntimeError("CUDA error: an illegal memory access was encountered")


def test_a_machine_that_fails_its_self_test_makes_no_dead_letter_and_is_started_anew() -> None:
    """Eight healthy images on a device that died: none is answered, all are read again."""
    calls: list[int] = []

    def judge(
        items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        calls.append(len(items))
        raise a_dead_device()

    bench = Bench(judge)
    bench.faults = [a_dead_device() for _ in range(judging.TRIES)]
    with pytest.raises(StopError, match=r"self-test failed.*illegal memory.*nothing was") as caught:
        bench.answers(b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h")
    assert caught.value.exit_code == WATCHDOG_EXIT_CODE not in FINAL_EXIT_CODES
    assert bench.ownership.take(99) == []
    assert calls == [8, 4, 2, 1, 1, 1], "halved once, then the last image in three tries"


def test_a_machine_that_recovers_makes_no_dead_letter_either() -> None:
    failing = [a_dead_device() for _ in range(3)]

    def judge(
        items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        if failing:
            raise failing.pop()
        return judge_all(items, view)

    bench = Bench(judge)
    bench.faults = [a_dead_device()]
    assert codes(bench.answers(b"a", b"b", b"c", b"d")) == ["verdict"] * 4
    assert bench.faults == [], "the self-test was asked before the image was blamed"


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
    assert codes(bench.answers(b"a", b"b")) == ["verdict", "verdict"]


def test_a_machine_that_starts_no_decoder_stops_the_worker_with_a_code_that_restarts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "DECODE_PAUSES_S", (0.0, 0.0))
    bench = Bench(judge_all)
    for _ in range(3):
        bench.decoder.failures.put(RetryError("no decoder child can be started"))
    with pytest.raises(StopError, match=r"in 3 tries.*no decoder child.*nothing was") as caught:
        bench.answers(b"a")
    assert caught.value.exit_code not in FINAL_EXIT_CODES
    assert bench.ownership.take(99) == []


def test_results_that_do_not_match_the_batch_stop_the_worker() -> None:
    with pytest.raises(StopError, match="judge gave 0 results for 1 images"):
        Bench(lambda items, view: []).answers(b"a")


def test_an_extraction_that_gives_too_few_results_stops_the_worker() -> None:
    with pytest.raises(StopError, match="extract gave 0 results for 1 images"):
        Bench(judge_all, extract=lambda images, view: []).answers(b"a")


def test_an_image_that_breaks_extraction_fails_alone_and_only_the_others_are_judged() -> None:
    def extract(
        images: Sequence[DecodedImage], view: RegistryView
    ) -> Sequence[DecodedImage | RejectError]:
        if any(image.facts.byte_size == 2 for image in images):
            raise ArithmeticError("nan")
        return images

    asked: list[int] = []
    judge = failing_on(b"nobody", lambda: ArithmeticError(), asked)
    answers = Bench(judge, extract=extract).answers(b"a", b"xx", b"b")
    assert codes(answers) == ["verdict", "model_error", "verdict"]
    assert sum(asked) == 2, "what was not extracted is not judged"


def test_a_verdict_that_cannot_be_written_down_fails_alone_and_none_is_judged_twice() -> None:
    """What leaves is made where one image's failure is its own, not in the transaction of all."""
    seen: list[bytes] = []

    def judge(
        items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        seen.extend(event.data for event, _ in items)
        found = [judged_of(event, image) for event, image in items]
        return [
            replace(one, verdict=one.verdict.model_copy(update={"subject": "\ud800"}))
            if event.data == b"x"
            else one
            for one, (event, _) in zip(found, items, strict=True)
        ]

    assert codes(Bench(judge).answers(b"a", b"x", b"b")) == ["verdict", "model_error", "verdict"]
    assert sorted(seen) == [b"a", b"b", b"x"]


def test_a_lonely_image_does_not_wait_for_a_batch_to_fill() -> None:
    bench = Bench(judge_all, patience_ms=10_000.0)
    began = time.monotonic()
    assert codes(bench.answers(b"a")) == ["verdict"]
    assert time.monotonic() - began < 5.0


def test_an_image_does_not_wait_for_another_that_cannot_be_decoded() -> None:
    bench, decode, moment = (
        Bench(judge_all, patience_ms=10_000.0),
        FakeDecoder().decode,
        threading.Event(),
    )

    def slow_to_refuse(data: bytes, sender: str = "") -> DecodedImage:
        if data == b"broken":
            moment.wait(0.1)  # the other image waits for a batch to fill by then
        return decode(data, sender)

    bench.decoder.decode = slow_to_refuse  # type: ignore[method-assign]
    began = time.monotonic()
    assert codes(bench.answers(b"a", b"broken")) == ["verdict", "decode.unsupported"]
    assert time.monotonic() - began < 5.0


def test_the_self_test_waits_for_the_extraction_that_is_under_way() -> None:
    """Both are of what one thread at a time may use, and here each is on a thread of its own."""
    begun, failed, tested, ended = (threading.Event() for _ in range(4))
    together: list[bool] = []
    batches = iter("12")

    def extract(images: Sequence[DecodedImage], view: RegistryView) -> Sequence[DecodedImage]:
        if next(batches) == "2":
            begun.set()
            assert failed.wait(30.0)
            tested.wait(0.2)  # long enough for a self-test that does not wait
            ended.set()
        return images

    def judge(
        items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        if not failed.is_set():
            assert begun.wait(30.0)
            failed.set()
            raise a_dead_device()
        return judge_all(items, view)

    class Tested(Bench):
        def _self_test(self) -> None:
            together.append(not ended.is_set())
            tested.set()

    assert codes(Tested(judge, extract=extract, batch=1).answers(b"a", b"b")) == ["verdict"] * 2
    assert together == [False]


def test_the_next_batch_is_extracted_while_one_is_judged() -> None:
    """The judge waits for the extraction of the batch after: on one thread that would hang."""
    extracted = threading.Semaphore(0)

    def extract(images: Sequence[DecodedImage], view: RegistryView) -> Sequence[DecodedImage]:
        for _ in images:
            extracted.release()
        return images

    def judge(
        items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> list[Judged | RejectError]:
        if items[0][0].data == b"first":
            assert extracted.acquire(timeout=30.0)
            assert extracted.acquire(timeout=30.0), "the second was not extracted meanwhile"
        return judge_all(items, view)

    bench = Bench(judge, extract=extract, batch=1)
    assert codes(bench.answers(b"first", b"second")) == ["verdict"] * 2
