"""Redrive: dead letters that are judged again come in by a topic of their own.

A redriven record is its dead letter, byte for byte. It is read back here to the event as it first
came, with its first place: ids are made from that place, so that the verdict of an image that is
redriven twice has the same id both times. Who may write to this topic may choose the place, so
that it has its own rights (docs/operations.md).
"""

from dataclasses import replace

from worker.events.cloudevents import RawRecord
from worker.events.dead_letter import PREFIX, read_dead_letter


def first_record(record: RawRecord, redrives: str) -> RawRecord:
    """The event as it first came, where `record` was read from the topic `redrives`.

    Other records come back as they are, and so does one that is no dead letter: it is judged, or
    rejected, under its own place. One that says it is a dead letter, and cannot be, is `broken`.
    """
    if record.origin.topic != redrives:
        return record
    try:
        letter = read_dead_letter(record)
    except ValueError as error:
        claims = any(name.startswith(PREFIX) for name, _ in record.headers)
        return replace(record, broken=str(error)) if claims else record
    return replace(
        record,
        origin=letter.origin,
        key=letter.key,
        value=letter.value,
        headers=letter.headers,
        attempts=letter.attempts,
    )
