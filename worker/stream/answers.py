"""The answer to an event, a verdict or a dead letter, and the records that say so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from worker.broker.topics import Topics
from worker.errors import RejectError
from worker.events.cloudevents import OutgoingRecord, RawRecord
from worker.events.dead_letter import DeadLetter
from worker.events.image_event import ImageEvent
from worker.events.records import outgoing
from worker.judge.judged import Judged

Addressed = tuple[str, OutgoingRecord]
"""A record and the topic that it goes to."""


@dataclass(frozen=True, slots=True)
class Verdicted:
    """A judged event: the records that say so, as they are sent, and what is counted of them."""

    outcome: str
    flagged: bool
    reasons: tuple[str, ...]
    records: tuple[Addressed, ...]

    @property
    def size(self) -> int:
        """The bytes that it holds; the key is one for all records."""
        key = self.records[0][1].key if self.records else None
        return len(key or b"") + sum(len(record.value or b"") for _, record in self.records)


Answer = Verdicted | DeadLetter
"""Each event ends as exactly one of the two; both are published in the same transaction."""


def verdicted(event: ImageEvent, judged: Judged, topics: Topics) -> Verdicted:
    """The answer that was judged, under the event's key; nothing else of the event is kept."""
    verdict, key, trace = judged.verdict, event.key, event.trace
    records = [(topics.verdicts, outgoing(verdict, key=key, trace=trace))]
    if judged.alert is not None:
        records.append((topics.alerts, outgoing(judged.alert, key=key, trace=trace)))
    if judged.fingerprint is not None:
        sent = outgoing(judged.fingerprint, key=key, subject=event.subject, trace=trace)
        records.append((topics.fingerprints, sent))
    return Verdicted(verdict.outcome, verdict.flagged, verdict.reasons, tuple(records))


def records_of(
    topics: Topics, *, max_dead_letter_bytes: int
) -> Callable[[Answer], Sequence[Addressed]]:
    """The function from an answer to its records, all under the input's key."""

    def records(answer: Answer) -> Sequence[Addressed]:
        if isinstance(answer, DeadLetter):
            return [(topics.dead_letters, answer.outgoing(max_dead_letter_bytes))]
        return answer.records

    return records


def letter_for(record: RawRecord, error: RejectError, attempts: int = 1) -> DeadLetter:
    """The dead letter of a rejected record."""
    return DeadLetter(
        origin=record.origin,
        key=record.key,
        value=record.value,
        headers=record.headers,
        code=error.code,
        stage=error.stage,
        message=error.message,
        attempts=record.attempts + attempts,
        omitted=() if record.unread is None else ("key", "value", "headers"),
    )
