"""What could not be delivered: a dead letter for each receiver, in a topic of their own."""

from dataclasses import dataclass
from uuid import UUID

from worker.broker.topics import NOTIFY_LETTER_BYTES
from worker.events.cloudevents import Origin, OutgoingRecord, RawRecord
from worker.notify.messages import Message

PREFIX = "notify."
MAX_MESSAGE_BYTES = 1024
_ROOM_BYTES = 8 * 1024
"""For the `notify.*` headers, the batch header, and the lengths of all fields."""

UNREADABLE = "unreadable"
"""The reason of a record that is no alert; nobody was told of it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message that one receiver did not get; `value` is the alert, or the digest's body."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    kind: str
    message_id: str
    severity: str
    receiver: str
    reason: str
    message: str
    attempts: int
    origin: Origin | None = None

    def outgoing(self, max_bytes: int = NOTIFY_LETTER_BYTES - _ROOM_BYTES) -> OutgoingRecord:
        """The alert byte for byte, its own headers, and the `notify.*` headers behind them.

        A record that compression hid from the limit of its topic may be too large to be sent again:
        beyond `max_bytes` its value and its headers are left out, and `notify.omitted` says so; the
        place where it was read still finds it.
        """
        own = [(name, value or b"") for name, value in self.headers]
        value, omitted = self.value, {}
        if len(value or b"") + sum(len(n) + len(v) for n, v in own) > max_bytes:
            own, value, omitted = [], b"", {"omitted": "value,headers"}
        said = {
            "kind": self.kind,
            "id": self.message_id,
            "severity": self.severity,
            "receiver": self.receiver,
            "reason": self.reason,
            "message": self.message.encode()[:MAX_MESSAGE_BYTES].decode("utf-8", "ignore"),
            "attempts": str(self.attempts),
            "own-headers": str(len(own)),
            **omitted,
        }
        if self.origin is not None:
            said |= {
                "topic": self.origin.topic,
                "partition": str(self.origin.partition),
                "offset": str(self.origin.offset),
            }
        added = [(PREFIX + name, text.encode()) for name, text in said.items()]
        if value is None and self.key is None:
            value = b""  # the client sends no record with neither
        return OutgoingRecord(key=self.key, value=value, headers=(*own, *added))


def letter_for(message: Message, receiver: str, *, reason: str, text: str, attempts: int) -> Letter:
    """The dead letter of a message that `receiver` did not get."""
    record = message.record
    return Letter(
        key=record.key if record else None,
        value=record.value if record else message.standard,
        headers=record.headers if record else (),
        kind=message.kind,
        message_id=str(message.message_id),
        severity=message.severity,
        receiver=receiver,
        reason=reason,
        message=text,
        attempts=attempts,
        origin=record.origin if record else None,
    )


def unreadable(record: RawRecord, why: str) -> Letter:
    """The dead letter of a record that is no alert."""
    return Letter(
        key=record.key,
        value=record.value,
        headers=record.headers,
        kind="alert",
        message_id="",
        severity="",
        receiver="",
        reason=UNREADABLE,
        message=why,
        attempts=0,
        origin=record.origin,
    )


def read_letter(record: RawRecord) -> Letter:
    """A dead letter as it was written; ValueError where the record is none.

    What an alert brought along under the same names stands before what was added, and so loses.
    """
    said = {
        name.removeprefix(PREFIX): (value or b"").decode("utf-8", "replace")
        for name, value in record.headers
        if name.startswith(PREFIX)
    }
    missing = {"kind", "id", "severity", "receiver", "reason", "attempts", "own-headers"} - {*said}
    if missing:
        raise ValueError(f"no dead letter of notify: {', '.join(sorted(missing))} is missing")
    if said["id"]:
        UUID(said["id"])
    origin = None
    if "topic" in said:
        origin = Origin(said["topic"], int(said["partition"]), int(said["offset"]))
    return Letter(
        key=record.key,
        value=record.value,
        headers=record.headers[: int(said["own-headers"])],
        kind=said["kind"],
        message_id=said["id"],
        severity=said["severity"],
        receiver=said["receiver"],
        reason=said["reason"],
        message=said.get("message", ""),
        attempts=int(said["attempts"]),
        origin=origin,
    )
