"""The threads between poll and commit: several decode, one extracts, and one judges."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic

import structlog

from worker.broker.topics import Topics
from worker.decoder.decode import DecodedImage, Decoder
from worker.errors import RejectError, RetryError, StopError
from worker.events.cloudevents import RawRecord
from worker.events.dead_letter import DeadLetter
from worker.events.image_event import ImageEvent, parse_image_event
from worker.metrics import Figures
from worker.references.pool import FetcherPool
from worker.registry.view import RegistryView
from worker.seen.spans import Spans
from worker.settings.images import DecodeSettings, ExtractSettings
from worker.settings.references import ReferenceSettings
from worker.stream.accounts import log_rejected
from worker.stream.answers import Answer, letter_for, verdicted
from worker.stream.breaker import Breaker, sender_of, sender_of_headers
from worker.stream.entries import InFlight
from worker.stream.fetching import Fetcher, FetchThreads
from worker.stream.in_flight import Ownership
from worker.stream.judging import Decoded, Extract, Extracted, Judge, Judging
from worker.watchdog import WATCHDOG_EXIT_CODE, Watchdog

DECODE_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Between the tries of one decode: a machine short of processes or memory has half a minute."""


@dataclass(frozen=True, slots=True)
class Work(Generic[Extracted]):
    """What the stream has done to each event, and with which registry.

    `latentprint run` fills it: worker/decoder/pool.py, worker/judge/pipeline.py and
    worker/registry/follower.py stand behind the fields.
    """

    decoder: Decoder
    extract: Extract[Extracted]
    judge: Judge[Extracted]
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


class WorkThreads:
    """Decode, fetch, extraction and judging threads, from `admit` to the answers in `Ownership`.

    What waits to be decoded has no bound of its own: it is in flight, and that is bounded in
    records and in bytes. Pixels take ten times as much as their file, so that few may wait.
    """

    def __init__(
        self,
        *,
        ownership: Ownership[Answer],
        work: Work[Any],
        breaker: Breaker,
        topics: Topics,
        decode: DecodeSettings,
        extract: ExtractSettings,
        watchdog: Watchdog,
        figures: Figures,
        fail: Callable[[BaseException], None],
        references: ReferenceSettings = ReferenceSettings(),  # noqa: B008  # frozen
        spans: Spans | None = None,
    ) -> None:
        self._ownership = ownership
        self._work = work
        self._breaker = breaker
        self._redrives = topics.redrives
        self._max_image_bytes = decode.max_image_bytes
        self._figures = figures
        self._fail = fail
        self._log = structlog.get_logger("worker")
        self._to_decode: queue.SimpleQueue[Admitted | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._judging = Judging(
            extract=work.extract,
            judge=work.judge,
            view=work.view,
            self_test=work.self_test,
            answer=lambda event, judged: verdicted(event, judged, topics),
            ownership=ownership,
            settings=extract,
            watchdog=watchdog,
            figures=figures,
            spans=spans or Spans(),
            stop=self._stop,
            coming=lambda: any(self._decoding) or not self._to_decode.empty(),
        )
        self._decoding = [False] * decode.children
        works: dict[str, Callable[[], None]] = {
            f"decode-{i}": partial(self._decode_all, i) for i in range(decode.children)
        }
        works |= {"extract": self._judging.extract_all, "judge": self._judging.judge_all}
        self._threads = [
            threading.Thread(target=self._guarded, args=(do,), name=name, daemon=True)
            for name, do in works.items()
        ]
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
        for _ in self._decoding:
            self._to_decode.put(None)
        self._judging.close()
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

    def _decode_all(self, number: int) -> None:
        while True:
            self._decoding[number] = False
            self._judging.decoded.look_again()  # what was not decoded is not coming
            admitted = self._to_decode.get()
            if admitted is None or self._stop.is_set():
                return
            self._decoding[number] = True
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
            self._decoding[number] = False  # or whoever takes it would wait for this thread
            pixels = image.crops.nbytes + sum(region.nbytes for region in image.regions)
            decoded = Decoded(admitted.entry, admitted.record, event, image, took)
            self._judging.decoded.put(decoded, pixels)

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
