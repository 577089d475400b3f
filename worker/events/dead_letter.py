"""DeadLetter: an image event that will never work, kept as it came, with the reason beside it."""

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import Any

from worker.events.attributes import MalformedEventError
from worker.events.cloudevents import (
    CloudEvent,
    Origin,
    OutgoingRecord,
    RawRecord,
    read_cloudevent,
    readable,
    subject_bytes,
)

MAX_MESSAGE_BYTES = 2048
"""An error message may quote its input; this much of it is enough to act on."""

PREFIX = "dlq."
_RECORD_OVERHEAD_BYTES = 1024
"""The dlq headers without the message, the batch header, and the lengths of all fields."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A rejected record: key, value and headers byte for byte, and why it was rejected.

    `attempts` counts how often the worker tried, this time included. `omitted` names what of the
    record was not even unpacked.
    """

    origin: Origin
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    code: str
    stage: str
    message: str
    attempts: int = 1
    omitted: tuple[str, ...] = ()

    def outgoing(self, max_bytes: int | None = None) -> OutgoingRecord:
        """The Kafka record: everything as it came, followed by the `dlq.*` headers.

        Two things cannot be sent by the client as they came: a header without a value, and a
        record with neither key nor value. They go out empty, and `dlq.null-headers` (positions)
        or `dlq.null-value` says so. A value that compression hid from the broker's limit may be
        too large to be sent again: beyond `max_bytes` the value is left out, then the headers,
        and `dlq.omitted`, `dlq.value-bytes` and `dlq.value-sha256` say what is missing. The
        origin headers still find the record itself.
        """
        headers = [(name, b"" if value is None else value) for name, value in self.headers]
        nulls = [str(i) for i, (_, value) in enumerate(self.headers) if value is None]
        value = self.value
        extra = self._reason_headers()
        if nulls:
            extra.append((PREFIX + "null-headers", ",".join(nulls).encode()))
        if value is None and self.key is None:
            value = b""
            extra.append((PREFIX + "null-value", b"true"))
        omitted = list(self.omitted)
        if max_bytes is not None:
            if self._size(value, headers) > max_bytes and value:
                omitted.append("value")
                extra.append((PREFIX + "value-bytes", str(len(value)).encode()))
                digest = hashlib.sha256(value).hexdigest()
                extra.append((PREFIX + "value-sha256", digest.encode()))
                value = b""
            if self._size(value, headers) > max_bytes:
                omitted.append("headers")
                headers = []
        if omitted:
            extra.append((PREFIX + "omitted", ",".join(omitted).encode()))
        return OutgoingRecord(key=self.key, value=value, headers=(*headers, *extra))

    def event(self) -> CloudEvent | None:
        """The event inside, where the record is a CloudEvent; for those who show dead letters."""
        try:
            return read_cloudevent(RawRecord(self.origin, self.key, self.value, self.headers))
        except MalformedEventError:
            return None

    def document(self, event_id: str | None, subject: str | None) -> dict[str, Any]:
        """What every command's `--json` says of a rejected event, in the same words.

        `subject` may hold surrogate-escaped bytes: it is shown readable, and where that is not
        what was sent, `subject_base64` holds the bytes.
        """
        shown = None if subject is None else readable(subject)
        document: dict[str, Any] = {
            "subject": shown,
            "event_id": event_id,
            "code": self.code,
            "stage": self.stage,
            "message": self.message,
            "topic": self.origin.topic,
            "partition": self.origin.partition,
            "offset": self.origin.offset,
            "attempts": self.attempts,
        }
        if subject is not None and shown != subject:
            document["subject_base64"] = base64.b64encode(subject_bytes(subject)).decode()
        return document

    def _reason_headers(self) -> list[tuple[str, bytes]]:
        message = self.message.encode("utf-8", "backslashreplace")[:MAX_MESSAGE_BYTES]
        fields = {
            "reason": self.code.encode(),
            "stage": self.stage.encode(),
            "message": message.decode("utf-8", "ignore").encode(),
            "topic": self.origin.topic.encode(),
            "partition": str(self.origin.partition).encode(),
            "offset": str(self.origin.offset).encode(),
            "attempts": str(self.attempts).encode(),
        }
        if self.origin.topic_id is not None:
            fields["topic-id"] = self.origin.topic_id.encode()
        return [(PREFIX + name, value) for name, value in fields.items()]

    def _size(self, value: bytes | None, headers: list[tuple[str, bytes]]) -> int:
        """Not less than the bytes of the record on the wire, uncompressed."""
        size = _RECORD_OVERHEAD_BYTES + MAX_MESSAGE_BYTES + len(self.key or b"")
        size += len(value or b"") + 6 * len(self.headers)
        return size + sum(len(name.encode()) + len(content) + 8 for name, content in headers)


def read_dead_letter(record: RawRecord) -> DeadLetter:
    """Read a record of the dead-letter topic back; the inverse of `DeadLetter.outgoing`.

    The headers of the last rejection alone count: those before it are the event's, even where
    they are called `dlq.*`, for a sender may call them so and an event may die more than once.
    Raises ValueError for a record that is no dead letter.
    """
    first_own = _start_of_last_letter(record.headers)
    own = {
        name[len(PREFIX) :]: content or b""
        for name, content in record.headers[first_own:]
        if name.startswith(PREFIX)
    }
    try:
        nulls = {int(i) for i in own.get("null-headers", b"").decode().split(",") if i}
        letter = DeadLetter(
            origin=Origin(
                own["topic"].decode(),
                int(own["partition"]),
                int(own["offset"]),
                own["topic-id"].decode() if "topic-id" in own else None,
            ),
            key=record.key,
            value=None if "null-value" in own else record.value,
            headers=(),
            code=own["reason"].decode(),
            stage=own["stage"].decode(),
            message=own["message"].decode("utf-8", "replace"),
            attempts=_count(own["attempts"]),
            omitted=tuple(own["omitted"].decode().split(",")) if "omitted" in own else (),
        )
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"record {record.origin} is no dead letter: {type(error).__name__} {error} among its"
            f" {PREFIX}* headers"
        ) from None
    headers = tuple(
        (name, None if i in nulls else content)
        for i, (name, content) in enumerate(record.headers[:first_own])
    )
    return replace(letter, headers=headers)


def _start_of_last_letter(headers: tuple[tuple[str, bytes | None], ...]) -> int:
    """Where the headers added by the last rejection begin: each one opens with the reason."""
    last = len(headers)
    for i, (name, _) in enumerate(headers):
        if name == PREFIX + "reason":
            last = i
    return last


def _count(text: bytes) -> int:
    """How often something was tried. Raises ValueError for less than once, and beyond belief."""
    count = int(text)
    if not 1 <= count < 2**31:
        raise ValueError(f"{count} attempts; a number from 1 to 2^31 - 1 is expected")
    return count
