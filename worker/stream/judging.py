"""The two threads after decoding: one extracts, one judges what the other extracted before.

Extraction computes for long without the interpreter's lock, judging is mostly Python; so while a
batch is extracted the one before it is matched, decided and written down.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog

from worker.decoder.decode import DecodedImage
from worker.errors import RejectError, RetryError, StopError
from worker.events.cloudevents import RawRecord
from worker.events.image_event import ImageEvent
from worker.judge.judged import Judged
from worker.metrics import Figures
from worker.registry.view import RegistryView
from worker.seen.spans import BatchSpan, Spans
from worker.settings.images import ExtractSettings
from worker.stream.accounts import log_batch, log_rejected
from worker.stream.answers import Answer, Verdicted, letter_for
from worker.stream.entries import InFlight
from worker.stream.hand_over import HandOver
from worker.stream.in_flight import Ownership
from worker.watchdog import WATCHDOG_EXIT_CODE, Watchdog

TRIES = 3
RETRY_S = 0.5

BATCHES_AHEAD: Final = 2
"""So many full batches of decoded images may wait; the decode threads wait beyond that."""

WAITING_BYTES: Final = 256 * 1024 * 1024
"""So many bytes of pixels may wait: about 340 images, of which up to 512 x 512 are read."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Extracted = TypeVar("Extracted")

Extract = Callable[[Sequence[DecodedImage], RegistryView], Sequence[Extracted | RejectError]]
"""Decoded images and the registry's view -> what is judged of each, in the same order."""

Judge = Callable[
    [Sequence[tuple[ImageEvent, Extracted]], RegistryView], Sequence[Judged | RejectError]
]
"""Events, each with what was extracted, and the same view -> one result each, in the same order."""


@dataclass(slots=True)
class Decoded:
    """An event with what was decoded of its image, waiting to be extracted."""

    entry: InFlight[Answer]
    record: RawRecord
    event: ImageEvent
    image: DecodedImage
    decode_ns: tuple[int, int] = (0, 0)
    """When its decode began and ended, in ns of the epoch."""


@dataclass(slots=True)
class _Unjudged:
    """An event with what was extracted of its image; the pixels are let go."""

    entry: InFlight[Answer]
    record: RawRecord
    event: ImageEvent
    extracted: Any | RejectError


@dataclass(frozen=True, slots=True)
class _Batch:
    """Events that are extracted, with the one view of the registry that all are judged by."""

    events: Sequence[_Unjudged]
    view: RegistryView
    span: BatchSpan
    began_s: float


class Judging:
    """The extraction thread and the judging thread, from decoded images to answers.

    `decoded` is where the decode threads hand their images over. `extract` and `judge` are those
    of `Work`; what passes between them is none of this module's business.
    """

    def __init__(
        self,
        *,
        extract: Extract[Any],
        judge: Judge[Any],
        view: Callable[[], RegistryView],
        self_test: Callable[[], None],
        answer: Callable[[ImageEvent, Judged], Verdicted],
        ownership: Ownership[Answer],
        settings: ExtractSettings,
        watchdog: Watchdog,
        figures: Figures,
        spans: Spans,
        stop: threading.Event,
        coming: Callable[[], bool],
    ) -> None:
        """`coming` says whether images are on their way to `decoded`: then a batch waits a little
        to fill, and else for nothing."""
        most = settings.batch_max_images
        self.decoded: HandOver[Decoded] = HandOver(BATCHES_AHEAD * most, WAITING_BYTES)
        self._extracted: HandOver[_Batch] = HandOver(1)
        self._most = most
        self._patience_s = settings.batch_wait_ms / 1000
        self._coming = coming
        self._extract = extract
        self._judge = judge
        self._view = view
        self._answer = answer
        self._ownership = ownership
        self._figures = figures
        self._spans = spans
        self._log = structlog.get_logger("worker")
        self._careful = _Careful(self_test, settings.batch_deadline_s, watchdog, figures, stop)

    def close(self) -> None:
        """End both threads after what they are doing now."""
        self.decoded.close()
        self._extracted.close()

    def extract_all(self) -> None:
        """Extract one batch after another, until closed; the thread named `extract`."""
        while batch := self.decoded.take(self._most, self._patience_s, self._coming):
            current = self._ownership.begin([one.entry for one in batch])
            ours = [one for one, is_ours in zip(batch, current, strict=True) if is_ours]
            if not ours:
                continue
            extracted = self._extract_batch(ours)
            del batch, ours  # the pixels, while this thread waits
            self._extracted.put(extracted)
            del extracted

    def judge_all(self) -> None:
        """Judge one batch after another, until closed; the thread named `judge`."""
        while batches := self._extracted.take(1):
            self._judge_batch(batches.pop())

    def _extract_batch(self, batch: Sequence[Decoded]) -> _Batch:
        began_s = time.monotonic()
        view = self._view()
        span = self._spans.batch([(one.event, one.decode_ns) for one in batch])
        with span.here():
            found = self._careful.each(
                [one.image for one in batch],
                lambda items: self._extract(items, view),
                on_device=True,
            )
        for one in batch:
            one.entry.batch = span.context
        events = [
            _Unjudged(one.entry, one.record, one.event, extracted)
            for one, extracted in zip(batch, found, strict=True)
        ]
        return _Batch(events, view, span, began_s)

    def _judge_batch(self, batch: _Batch) -> None:
        good = [one for one in batch.events if not isinstance(one.extracted, RejectError)]
        with batch.span.here():
            judged = self._careful.each(
                [(one.event, one.extracted) for one in good],
                lambda items: self._judge(items, batch.view),
            )
            # Apart, so that what cannot be written down has no neighbour judged twice.
            answers = self._careful.each(
                [(one.event, result) for one, result in zip(good, judged, strict=True)],
                self._answers,
            )
        of_good = iter(answers)
        finished: list[tuple[InFlight[Answer], Answer, int]] = []
        rejected = 0
        for one in batch.events:
            rejection = isinstance(one.extracted, RejectError)
            answer = one.extracted if rejection else next(of_good)
            if isinstance(answer, RejectError):
                rejected += 1
                attempts = 2 if answer.code == "model_error" else 1
                letter = letter_for(one.record, answer, attempts)
                log_rejected(self._log, letter)
                finished.append((one.entry, letter, one.entry.record_size))
            else:
                finished.append((one.entry, answer, answer.size))
        batch.span.end()
        self._ownership.finish(finished)
        self._figures.observe("batch_fill_ratio", len(batch.events) / self._most)
        log_batch(
            self._log,
            images=len(batch.events),
            rejected=rejected,
            seconds=time.monotonic() - batch.began_s,
            revision=batch.view.snapshot.revision if batch.view.snapshot else None,
        )

    def _answers(
        self, items: Sequence[tuple[ImageEvent, Judged | RejectError]]
    ) -> Sequence[Verdicted | RejectError]:
        """What was judged of each event, written down as it is sent."""
        return [
            result if isinstance(result, RejectError) else self._answer(event, result)
            for event, result in items
        ]


class _Careful:
    """Has batches worked on so that one image fails alone, and none for what the machine did."""

    def __init__(
        self,
        self_test: Callable[[], None],
        deadline_s: float,
        watchdog: Watchdog,
        figures: Figures,
        stop: threading.Event,
    ) -> None:
        self._self_test = self_test
        self._deadline_s = deadline_s
        self._watchdog = watchdog
        self._figures = figures
        self._stop = stop
        self._log = structlog.get_logger("worker")
        # What extracts is for one thread at a time, and the self-test extracts too.
        self._device = threading.Lock()

    def each(
        self,
        items: Sequence[Item],
        work: Callable[[Sequence[Item]], Sequence[Result | RejectError]],
        *,
        on_device: bool = False,
    ) -> Sequence[Result | RejectError]:
        """The results of a batch; where it raises, of its halves, so that one image fails alone.

        An image on which work raises twice, alone the second time, and on a machine that has just
        passed its self-test, becomes a dead letter with the code `model_error`: whatever is wrong,
        a failure must not look like a clean image. When every image fails like that, the breaker
        stops the worker.
        """
        if not items:
            return []
        try:
            return self._with_retry(items, work, on_device)
        except StopError:
            raise
        except Exception as error:  # a bug in a stage must not take the neighbours along
            self._figures.add("judge_failures")
            self._log.error(
                "judge_failed", images=len(items), error=f"{type(error).__name__}: {error}"
            )
        if len(items) > 1:
            half = len(items) // 2
            return [
                *self.each(items[:half], work, on_device=on_device),
                *self.each(items[half:], work, on_device=on_device),
            ]
        try:
            return self._with_retry(items, work, on_device)
        except StopError:
            raise
        except Exception as error:  # the second time alone: this image will never work
            message = f"inference raised {type(error).__name__}: {error}"
            return [RejectError("model_error", message, stage="judge")]

    def _with_retry(
        self,
        items: Sequence[Item],
        work: Callable[[Sequence[Item]], Sequence[Result | RejectError]],
        on_device: bool,
    ) -> Sequence[Result | RejectError]:
        """Work; on RetryError wait and try again, and stop when the world does not recover.

        StopError with an exit code that a supervisor answers with a restart: a new process gets a
        new context on the device, and may well succeed.
        """
        for attempt in range(1, TRIES + 1):
            try:
                results = self._or_doubt_machine(items, work, on_device)
            except RetryError as error:
                self._log.warning("judge_retry", attempt=attempt, error=str(error))
                if attempt == TRIES:
                    raise StopError(
                        f"inference could not be done in {TRIES} tries: {error}; nothing was"
                        " committed for these events, they are read again after a restart. If this"
                        " comes again after it, look at the GPU (nvidia-smi, dmesg) and at memory",
                        exit_code=WATCHDOG_EXIT_CODE,
                    ) from error
                self._stop.wait(RETRY_S * attempt)
                continue
            if len(results) != len(items):
                stage = "extract" if on_device else "judge"
                raise StopError(f"{stage} gave {len(results)} results for {len(items)} images")
            return results
        raise AssertionError("unreachable: the loop returns or raises")

    def _or_doubt_machine(
        self,
        items: Sequence[Item],
        work: Callable[[Sequence[Item]], Sequence[Result | RejectError]],
        on_device: bool,
    ) -> Sequence[Result | RejectError]:
        """Work once; where one image alone raises, RetryError unless the self-test passes."""
        try:
            # Who waits for the device is not guarded: whoever has it is.
            with (
                self._device if on_device else nullcontext(),
                self._watchdog.guard("a batch", self._deadline_s),
            ):
                return work(items)
        except (RetryError, StopError):
            raise
        except Exception as error:  # the caller halves; only the last image can be to blame
            if len(items) == 1:
                self._prove_machine(error)
            raise

    def _prove_machine(self, seen: Exception) -> None:
        """Before an image is blamed: raise RetryError where the golden inputs fail as well."""
        try:
            with self._device, self._watchdog.guard("the self-test", self._deadline_s):
                self._self_test()
        except Exception as error:  # whatever it is, this machine does not compute what it must
            raise RetryError(
                f"the self-test failed ({type(error).__name__}: {error}) after inference raised"
                f" {type(seen).__name__}: {seen}; no image is to blame"
            ) from error
