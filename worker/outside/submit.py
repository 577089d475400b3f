"""Send image files as events: bytes as on disk, CloudEvents in binary mode, nothing unchecked.

1. A file is read, or named where workers fetch it, and waits until there is room for it in flight.
2. It is sent by an idempotent producer with acks=all, under the bytes of its subject as key.
3. Its future reports success or failure; only a success counts as submitted.
4. At the end every future has answered, or the summary says that it has not.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from kafka.errors import InvalidRecordError, KafkaError, MessageSizeTooLargeError

from worker.broker.admin import admin, require_topics
from worker.broker.clients import WorkerProducer, new_sender
from worker.broker.refusals import Who
from worker.broker.topics import images_max_message_bytes
from worker.enrol.image_files import ImageFile, SkippedFile, UnreadablePath, find_image_files
from worker.events.cloudevents import binary_headers
from worker.events.image_event import MAX_IMAGE_BYTES
from worker.events.records import IMAGE_TYPE

DEFAULT_SOURCE = "/latentprint/submit"
MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024
"""kafka-python bounds nothing itself; 64 MiB keep a gigabit line busy for half a second."""

DELIVERY_TIMEOUT_S = 30.0
"""How long a broker may be away before the command gives up."""

_MAX_FAILURES_KEPT = 1000


class Pace:
    """Spaces files evenly at `rate` a second, like a platform's load; without one never waits."""

    def __init__(
        self,
        rate: float | None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._sleep = sleep
        self._started = monotonic()
        self._count = 0

    def wait(self) -> None:
        """Return when the next file is due. A late file is not followed by a burst of its size."""
        if self._rate is None:
            return
        due = self._started + self._count / self._rate
        now = self._monotonic()
        if now < due:
            self._sleep(due - now)
        elif now - due > 1.0:
            self._started += now - due
        self._count += 1


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that was not submitted; `path` is readable text even where the name is not."""

    path: str
    reason: str


@dataclass(slots=True)
class Summary:
    """What became of everything found. `error` says why the command stopped early, if it did."""

    topic: str
    submitted: int = 0
    skipped: int = 0
    failed: list[Failure] = field(default_factory=list)
    failed_count: int = 0
    bytes: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    error: str | None = None

    def exit_code(self) -> int:
        """130 interrupted, 3 Kafka away, 1 at least one file failed, else 0."""
        if self.interrupted:
            return 130
        if self.error is not None:
            return 3
        return 1 if self.failed_count else 0

    def document(self) -> dict[str, object]:
        """The summary for `--json`. Of many failures the first 1000 are listed, all are counted."""
        return {
            "submitted": self.submitted,
            "skipped": self.skipped,
            "failed": [{"path": f.path, "reason": f.reason} for f in self.failed],
            "failed_count": self.failed_count,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "topic": self.topic,
            "interrupted": self.interrupted,
            "error": self.error,
        }


class Delivery:
    """Counts what is on its way and what arrived. Futures call it on the producer's thread."""

    def __init__(
        self,
        summary: Summary,
        *,
        answer_timeout_s: float,
        max_in_flight_bytes: int = MAX_IN_FLIGHT_BYTES,
    ) -> None:
        self._summary = summary
        self._answer_timeout_s = answer_timeout_s
        self._max_bytes = max_in_flight_bytes
        self._in_flight: dict[int, int] = {}
        self._in_flight_bytes = 0
        self._changed = threading.Condition()
        self.broken: Exception | None = None

    def admit(self, ticket: int, size: int) -> None:
        """Wait for room for `size` bytes; one file larger than the bound goes alone.

        Raises TimeoutError if no future answers in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(size), self._answer_timeout_s):
                raise TimeoutError(f"no acknowledgement for {self._answer_timeout_s:g} s")
            self._in_flight[ticket] = size
            self._in_flight_bytes += size

    def arrived(self, ticket: int) -> None:
        """The broker has acknowledged the file."""
        with self._changed:
            self._summary.bytes += self._take_off(ticket)
            self._summary.submitted += 1
            self._changed.notify_all()

    def lost(self, ticket: int, path: bytes, error: Exception) -> None:
        """The file was refused, or nobody answered. Only the former leaves the rest a chance."""
        with self._changed:
            self._take_off(ticket)
            if not isinstance(error, MessageSizeTooLargeError | InvalidRecordError):
                self.broken = error
            self.note_failure(path, str(error))
            self._changed.notify_all()

    def note_failure(self, path: bytes, reason: str) -> None:
        """Count a file as failed, and list it while the list is short."""
        with self._changed:
            self._summary.failed_count += 1
            if len(self._summary.failed) < _MAX_FAILURES_KEPT:
                self._summary.failed.append(
                    Failure(path.decode("utf-8", "backslashreplace"), reason)
                )

    def settle(self, timeout_s: float) -> int:
        """Wait until every future has answered; returns how many have not in time."""
        with self._changed:
            self._changed.wait_for(lambda: not self._in_flight, timeout_s)
            return len(self._in_flight)

    def _take_off(self, ticket: int) -> int:
        size = self._in_flight.pop(ticket)
        self._in_flight_bytes -= size
        return size

    def _has_room(self, size: int) -> bool:
        used = self._in_flight_bytes
        return self.broken is not None or not used or used + size <= self._max_bytes


def submit(
    paths: Sequence[Path],
    *,
    brokers: str,
    topic: str,
    source: str = DEFAULT_SOURCE,
    rate: float | None = None,
    max_image_bytes: int = MAX_IMAGE_BYTES,
    delivery_timeout_s: float = DELIVERY_TIMEOUT_S,
    client: Mapping[str, Any] | None = None,
    progress: Callable[[Summary], None] = lambda summary: None,
    roots: Sequence[Path] = (),
) -> Summary:
    """Send every image file below `paths` as one event to `topic`, and say what became of each.

    Where there are `roots`, events name files below them instead of carrying their bytes. Files
    that fail are listed and the rest is still sent. Raises StopError before anything is
    sent: exit code 2 for a path that does not exist, 3 for Kafka or the topic out of reach.
    """
    files = find_image_files(paths)
    with admin(brokers, client=client) as connection:
        require_topics(connection, [topic], Who.by(brokers, client), "WRITE")
    producer = new_sender(
        brokers,
        client,
        max_request_bytes=images_max_message_bytes(max_image_bytes),
        request_s=delivery_timeout_s / 3,
        delivery_s=delivery_timeout_s,
    )
    summary = Summary(topic=topic)
    delivery = Delivery(summary, answer_timeout_s=delivery_timeout_s + 5.0)
    started = time.monotonic()
    try:
        pace = Pace(rate)
        for ticket, file in enumerate(files):
            if delivery.broken is not None:
                break
            if isinstance(file, SkippedFile):
                summary.skipped += 1
            elif isinstance(file, UnreadablePath):
                delivery.note_failure(file.path, file.why)
            else:
                _send(producer, delivery, ticket, file, topic, source, max_image_bytes, pace, roots)
            progress(summary)
        _finish(producer, delivery, summary, delivery_timeout_s + 5.0)
    except KeyboardInterrupt:
        summary.interrupted = True
        _finish(producer, delivery, summary, 5.0)
    finally:
        summary.seconds = time.monotonic() - started
        # Everything has answered or been reported; close() would flush once more and could hang.
        producer.discard(5.0)
    return summary


def _send(
    producer: WorkerProducer,
    delivery: Delivery,
    ticket: int,
    file: ImageFile,
    topic: str,
    source: str,
    max_image_bytes: int,
    pace: Pace,
    roots: Sequence[Path],
) -> None:
    data = reference = None
    try:
        if roots:
            reference = file_reference(file.path, roots)
        else:
            data = _read(file, max_image_bytes)
    except OSError as error:
        delivery.note_failure(file.path, error.strerror or str(error))
        return
    except ValueError as error:
        delivery.note_failure(file.path, str(error))
        return
    headers = binary_headers(
        event_id=str(uuid.uuid4()),
        source=source,
        type_=IMAGE_TYPE,
        content_type=file.content_type,
        subject=file.subject.decode("utf-8", "surrogateescape"),
        time=datetime.now(UTC),
        reference=reference,
    )
    pace.wait()
    try:
        delivery.admit(ticket, len(data or b""))
    except TimeoutError as error:
        delivery.broken = error
        delivery.note_failure(file.path, str(error))
        return
    try:
        future = producer.send(topic, value=data, key=file.subject, headers=list(headers))
    except KafkaError as error:
        delivery.lost(ticket, file.path, error)
        return
    future.add_callback(lambda _: delivery.arrived(ticket))
    future.add_errback(lambda error: delivery.lost(ticket, file.path, error))


def file_reference(path: bytes, roots: Sequence[Path]) -> str:
    """The `file:` address of a file below one of `roots`, by no link; ValueError below none."""
    real = os.path.realpath(path)
    for root in roots:
        above = os.path.join(os.path.realpath(os.fsencode(root)), b"")
        if real.startswith(above):
            place = os.path.join(os.path.abspath(os.fsencode(root)), real[len(above) :])
            return f"file://{quote_from_bytes(place)}"
    raise ValueError("below no folder of references.allowed_roots, so that no worker would read it")


def _read(file: ImageFile, max_image_bytes: int) -> bytes:
    """Raises OSError, and ValueError for more bytes than are judged."""
    with open(file.path, "rb") as stream:
        data = stream.read(max_image_bytes + 1)
    if len(data) > max_image_bytes:
        raise ValueError(f"larger than {max_image_bytes} bytes, the limit for one image")
    return data


def _finish(
    producer: WorkerProducer, delivery: Delivery, summary: Summary, timeout_s: float
) -> None:
    """Wait for the last futures, and turn silence into an error."""
    try:
        producer.flush(timeout_s)
    except KafkaError as error:
        delivery.broken = delivery.broken or error
    unanswered = delivery.settle(1.0)
    if unanswered:
        delivery.broken = delivery.broken or TimeoutError(f"{unanswered} files got no answer")
    if delivery.broken is not None:
        summary.error = (
            f"Kafka stopped taking images ({delivery.broken}); {summary.submitted} arrived,"
            f" {unanswered} are in doubt. Look at the broker, then submit again: a second event"
            " of the same image gets its own verdict."
        )
