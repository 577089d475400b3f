"""What could not be delivered: a dead letter for each receiver, in a topic of their own."""

from dataclasses import dataclass
from uuid import UUID

from worker.events.cloudevents import Origin, OutgoingRecord, RawRecord
from worker.notify.messages import Message

PREFIX = "notify."
MAX_MESSAGE_BYTES = 1024

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

    def outgoing(self) -> OutgoingRecord:
        """The alert byte for byte, its own headers, and the `notify.*` headers behind them."""
        said = {
            "kind": self.kind,
            "id": self.message_id,
            "severity": self.severity,
            "receiver": self.receiver,
            "reason": self.reason,
            "message": self.message.encode()[:MAX_MESSAGE_BYTES].decode("utf-8", "ignore"),
            "attempts": str(self.attempts),
        }
        if self.origin is not None:
            said |= {
                "topic": self.origin.topic,
                "partition": str(self.origin.partition),
                "offset": str(self.origin.offset),
            }
        own = [(name, value or b"") for name, value in self.headers]
        added = [(PREFIX + name, value.encode()) for name, value in said.items()]
        value = self.value
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
    missing = {"kind", "id", "severity", "receiver", "reason", "attempts"} - set(said)
    if missing or not said["attempts"].isdecimal():
        raise ValueError(f"no dead letter of notify: {', '.join(sorted(missing)) or 'attempts'}")
    if said["id"]:
        UUID(said["id"])
    own = record.headers[: -_added(said)]
    origin = None
    if "topic" in said:
        origin = Origin(said["topic"], int(said["partition"]), int(said["offset"]))
    return Letter(
        key=record.key,
        value=record.value,
        headers=own,
        kind=said["kind"],
        message_id=said["id"],
        severity=said["severity"],
        receiver=said["receiver"],
        reason=said["reason"],
        message=said.get("message", ""),
        attempts=int(said["attempts"]),
        origin=origin,
    )


def _added(said: dict[str, str]) -> int:
    """How many headers `outgoing` added: seven, and three more where the place is known."""
    return 7 + (3 if "topic" in said else 0)
