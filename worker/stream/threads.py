"""The threads between poll and commit: several that decode, one that infers."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from worker.decoder.decode import DecodedImage, Decoder
from worker.errors import RejectError, RetryError, StopError
from worker.events.cloudevents import RawRecord
from worker.events.dead_letter import DeadLetter
from worker.events.image_event import ImageEvent, parse_image_event
from worker.judge.judged import Judged
from worker.metrics import Figures
from worker.references.pool import FetcherPool
from worker.registry.view import RegistryView
from worker.seen.spans import Spans
from worker.settings.images import DecodeSettings, ExtractSettings
from worker.settings.references import ReferenceSettings
from worker.stream.answers import Answer, Verdicted, letter_for
from worker.stream.breaker import Breaker, sender_of, sender_of_headers
from worker.stream.fetching import Fetcher, FetchThreads
from worker.stream.in_flight import InFlight, Ownership
from worker.stream.log_lines import log_batch, log_rejected
from worker.stream.watchdog import WATCHDOG_EXIT_CODE, Watchdog

Judge = Callable[
    [Sequence[tuple[ImageEvent, DecodedImage]], RegistryView], Sequence[Judged | RejectError]
]
"""Decoded events and the registry's view -> one result each, in the same order."""

JUDGE_TRIES = 3
DECODE_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Between the tries of one decode: a machine short of processes or memory has half a minute."""

RETRY_S = 0.5


@dataclass(frozen=True, slots=True)
class Work:
    """What the stream has done to each event, and with which registry.

    `latentprint run` fills it: worker/decoder/pool.py, worker/judge/pipeline.py and
    worker/registry/follower.py stand behind the fields.
    """

    decoder: Decoder
    judge: Judge
    view: Callable[[], RegistryView]
    self_test: Callable[[], None]
    """Compute what is known; raises where this machine cannot, so that no image is to blame."""

    registry_metadata: Callable[[], str] = lambda: ""
    """What to commit beside each offset, so that a successor knows which registry was in use."""

    fetcher: Fetcher = field(default_factory=lambda: FetcherPool(ReferenceSettings(), 0))
    """What fetches images that events refer to; this one refuses them all."""


@dataclass(slots=True)
class Admitted:
    """One event on its way, with the record that a dead letter would repeat.

    `event` is there once it was read, and its image fetched.
    """

    entry: InFlight[Answer]
    record: RawRecord
    event: ImageEvent | None = None


@dataclass(slots=True)
class Decoded:
    """An event with its crops, waiting for a batch."""

    entry: InFlight[Answer]
    record: RawRecord
    event: ImageEvent
    image: DecodedImage
    decode_ns: tuple[int, int] = (0, 0)
    """When its decode began and ended, in ns of the epoch."""


class WorkThreads:
    """Decode, fetch and inference threads, from `admit` to the answers in `Ownership`.

    The queues between them have no bound of their own: everything in them is in flight, and that
    is bounded in records and in bytes.
    """

    def __init__(
        self,
        *,
        ownership: Ownership[Answer],
        work: Work,
        breaker: Breaker,
        redrives: str,
        decode: DecodeSettings,
        extract: ExtractSettings,
        watchdog: Watchdog,
        figures: Figures,
        fail: Callable[[BaseException], None],
        references: ReferenceSettings = ReferenceSettings(),  # noqa: B008  # frozen
        spans: Spans | None = None,
    ) -> None:
        self._spans = spans or Spans()
        self._ownership = ownership
        self._work = work
        self._breaker = breaker
        self._redrives = redrives
        self._max_image_bytes = decode.max_image_bytes
        self._batch_max_images = extract.batch_max_images
        self._batch_wait_s = extract.batch_wait_ms / 1000
        self._batch_deadline_s = extract.batch_deadline_s
        self._watchdog = watchdog
        self._figures = figures
        self._fail = fail
        self._log = structlog.get_logger("worker")
        self._to_decode: queue.SimpleQueue[Admitted | None] = queue.SimpleQueue()
        self._to_judge: queue.SimpleQueue[Decoded | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._guarded, args=(self._decode_all,), name=f"decode-{i}")
            for i in range(decode.children)
        ]
        self._threads.append(
            threading.Thread(target=self._guarded, args=(self._judge_all,), name="inference")
        )
        for thread in self._threads:
            thread.daemon = True
        self._fetching = FetchThreads(
            fetcher=work.fetcher,
            ownership=ownership,
            settings=references,
            max_image_bytes=decode.max_image_bytes,
            figures=figures,
            fail=fail,
        )

    def start(self) -> None:
        """Start all threads."""
        for thread in self._threads:
            thread.start()
        self._fetching.start()

    def admit(self, events: Sequence[Admitted]) -> None:
        """Hand events to the decode threads; never blocks."""
        for event in events:
            self._to_decode.put(event)

    def close(self, timeout_s: float) -> None:
        """End the threads after what they are doing now; what they finish later is dropped."""
        self._stop.set()
        for _ in self._threads:
            self._to_decode.put(None)
        self._to_judge.put(None)
        end = time.monotonic() + timeout_s
        self._fetching.close(timeout_s)
        for thread in filter(threading.Thread.is_alive, self._threads):
            thread.join(max(0.0, end - time.monotonic()))

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._fail(error)

    # Decode -------------------------------------------------------------------------------

    def _decode_all(self) -> None:
        while (admitted := self._to_decode.get()) is not None and not self._stop.is_set():
            if not self._ownership.is_current(admitted.entry):
                continue
            try:
                event = admitted.event or self._parse(admitted)
                if event.reference is not None and event.fetched_from is None:
                    self._fetch(admitted, event, event.reference)
                    continue
                began = time.time_ns()
                image = self._decode_with_retry(event)
            except RejectError as error:
                self._reject([(admitted.entry, letter_for(admitted.record, error))])
                continue
            if image is None:
                return
            took = (began, time.time_ns())
            self._to_judge.put(Decoded(admitted.entry, admitted.record, event, image, took))

    def _parse(self, admitted: Admitted) -> ImageEvent:
        """The event, unless it is none, or its sender is in quarantine (then RejectError).

        Redriven events are let through: a person asked for them.
        """
        entry = admitted.entry
        try:
            event = parse_image_event(admitted.record, max_image_bytes=self._max_image_bytes)
        except RejectError:
            entry.sender = sender_of_headers(admitted.record.headers)
            raise
        entry.sender = sender_of(event.source, event.subject)
        if entry.tag.partition.topic != self._redrives:
            self._breaker.check(entry.sender, entry.place)
        return event

    def _fetch(self, admitted: Admitted, event: ImageEvent, reference: str) -> None:
        """Have the image fetched; the event comes back to the decode threads with it."""

        def fetched(data: bytes, place: str) -> None:
            whole = replace(event, data=data, fetched_from=place)
            self._to_decode.put(replace(admitted, event=whole))

        def rejected(error: RejectError, tries: int) -> None:
            self._reject([(admitted.entry, letter_for(admitted.record, error, tries))])

        self._fetching.put(admitted.entry, reference, fetched, rejected)

    def _decode_with_retry(self, event: ImageEvent) -> DecodedImage | None:
        """Decode; a machine that cannot start a child now may recover, up to a limit.

        None when the threads were closed meanwhile. StopError with an exit code that a supervisor
        answers with a restart: the image is not to blame, and a new process may well succeed.
        """
        for attempt, pause_s in enumerate(DECODE_PAUSES_S, start=1):
            try:
                return self._decode(event)
            except RetryError as error:
                self._log.warning("decode_retry", attempt=attempt, error=str(error))
                if self._stop.wait(pause_s):
                    return None
        try:
            return self._decode(event)
        except RetryError as error:
            if self._stop.is_set():
                return None
            raise StopError(
                f"no image could be decoded in {len(DECODE_PAUSES_S) + 1} tries over"
                f" {sum(DECODE_PAUSES_S):g} s: {error}; nothing was committed for these events,"
                " they are read again after a restart",
                exit_code=WATCHDOG_EXIT_CODE,
            ) from error

    def _decode(self, event: ImageEvent) -> DecodedImage:
        started = time.monotonic()
        try:
            return self._work.decoder.decode(event.data, event.source)
        finally:
            self._figures.observe("decode_seconds", time.monotonic() - started)

    def _reject(self, letters: Sequence[tuple[InFlight[Answer], DeadLetter]]) -> None:
        for _, letter in letters:
            log_rejected(self._log, letter)
        self._ownership.finish((entry, letter, entry.record_size) for entry, letter in letters)

    # Inference: the only thread that calls the extractor -------------------------------------

    def _judge_all(self) -> None:
        while not self._stop.is_set():
            batch = self._gather()
            current = self._ownership.begin([decoded.entry for decoded in batch])
            batch = [decoded for decoded, ours in zip(batch, current, strict=True) if ours]
            if batch:
                with self._spans.batch([(d.event, d.decode_ns) for d in batch]) as span:
                    for decoded in batch:
                        decoded.entry.batch = span
                    self._judge_batch(batch)

    def _gather(self) -> list[Decoded]:
        """Wait for one event, then for a full batch or the deadline, whichever is first."""
        first = self._to_judge.get()
        if first is None:
            return []
        batch = [first]
        deadline = time.monotonic() + self._batch_wait_s
        while len(batch) < self._batch_max_images:
            try:
                following = self._to_judge.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if following is None:
                break
            batch.append(following)
        return batch

    def _judge_batch(self, batch: Sequence[Decoded]) -> None:
        started = time.monotonic()
        view = self._work.view()
        results = self._judge_or_split(batch, view)
        finished: list[tuple[InFlight[Answer], Answer, int]] = []
        rejected = 0
        for decoded, result in zip(batch, results, strict=True):
            if isinstance(result, Judged):
                event = decoded.event
                kept = Verdicted(event.key, event.subject, result, event.trace)
                finished.append((decoded.entry, kept, len(event.key or b"")))
            else:
                rejected += 1
                attempts = 2 if result.code == "model_error" else 1
                letter = letter_for(decoded.record, result, attempts)
                log_rejected(self._log, letter)
                finished.append((decoded.entry, letter, decoded.entry.record_size))
        self._ownership.finish(finished)
        seconds = time.monotonic() - started
        self._figures.observe("batch_fill_ratio", len(batch) / self._batch_max_images)
        log_batch(
            self._log,
            images=len(batch),
            rejected=rejected,
            seconds=seconds,
            revision=view.snapshot.revision if view.snapshot else None,
        )

    def _judge_or_split(
        self, batch: Sequence[Decoded], view: RegistryView
    ) -> Sequence[Judged | RejectError]:
        """Judge a batch; where it raises, judge its halves, so that one image fails alone.

        An image on which inference raises twice, alone the second time, and on a machine that
        has just passed its self-test, becomes a dead letter with the code `model_error`: whatever
        is wrong, a failure must not look like a clean image. When every image fails like that, the
        breaker stops the worker.
        """
        try:
            return self._judge_with_retry(batch, view)
        except StopError:
            raise
        except Exception as error:  # a bug in a stage must not take the neighbours along
            self._figures.add("judge_failures")
            self._log.error(
                "judge_failed", images=len(batch), error=f"{type(error).__name__}: {error}"
            )
        if len(batch) > 1:
            half = len(batch) // 2
            return [
                *self._judge_or_split(batch[:half], view),
                *self._judge_or_split(batch[half:], view),
            ]
        try:
            return self._judge_with_retry(batch, view)
        except StopError:
            raise
        except Exception as error:  # the second time alone: this image will never work
            message = f"inference raised {type(error).__name__}: {error}"
            return [RejectError("model_error", message, stage="judge")]

    def _judge_with_retry(
        self, batch: Sequence[Decoded], view: RegistryView
    ) -> Sequence[Judged | RejectError]:
        """Judge; on RetryError wait and try again, and stop when the world does not recover.

        StopError with an exit code that a supervisor answers with a restart: a new process gets a
        new context on the device, and may well succeed.
        """
        items = [(decoded.event, decoded.image) for decoded in batch]
        for attempt in range(1, JUDGE_TRIES + 1):
            try:
                results = self._judge_or_doubt_machine(items, view)
            except RetryError as error:
                self._log.warning("judge_retry", attempt=attempt, error=str(error))
                if attempt == JUDGE_TRIES:
                    raise StopError(
                        f"inference could not be done in {JUDGE_TRIES} tries: {error}; nothing was"
                        " committed for these events, they are read again after a restart. If this"
                        " comes again after it, look at the GPU (nvidia-smi, dmesg) and at memory",
                        exit_code=WATCHDOG_EXIT_CODE,
                    ) from error
                self._stop.wait(RETRY_S * attempt)
                continue
            if len(results) != len(items):
                raise StopError(f"judge gave {len(results)} results for {len(items)} events")
            return results
        raise AssertionError("unreachable: the loop returns or raises")

    def _judge_or_doubt_machine(
        self, items: Sequence[tuple[ImageEvent, DecodedImage]], view: RegistryView
    ) -> Sequence[Judged | RejectError]:
        """Judge once; where one image alone raises, RetryError unless the self-test passes."""
        try:
            with self._watchdog.guard("a batch", self._batch_deadline_s):
                return self._work.judge(items, view)
        except (RetryError, StopError):
            raise
        except Exception as error:  # the caller halves; only the last image can be to blame
            if len(items) == 1:
                self._prove_machine(error)
            raise

    def _prove_machine(self, seen: Exception) -> None:
        """Before an image is blamed: raise RetryError where the golden inputs fail as well."""
        try:
            with self._watchdog.guard("the self-test", self._batch_deadline_s):
                self._work.self_test()
        except Exception as error:  # whatever it is, this machine does not compute what it must
            raise RetryError(
                f"the self-test failed ({type(error).__name__}: {error}) after inference raised"
                f" {type(seen).__name__}: {seen}; no image is to blame"
            ) from error
