"""The answer to an event, a verdict or a dead letter, and the records that say so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from worker.broker.topics import Topics
from worker.errors import RejectError
from worker.events.cloudevents import OutgoingRecord, RawRecord
from worker.events.dead_letter import DeadLetter
from worker.events.records import outgoing
from worker.events.trace_context import TraceContext
from worker.judge.judged import Judged


@dataclass(frozen=True, slots=True)
class Verdicted:
    """A judged event; key, subject and trace are the input's, everything else was let go."""

    key: bytes | None
    subject: str | None
    judged: Judged
    trace: TraceContext | None = None


Answer = Verdicted | DeadLetter
"""Each event ends as exactly one of the two; both are published in the same transaction."""


def records_of(
    topics: Topics, *, max_dead_letter_bytes: int
) -> Callable[[Answer], Sequence[tuple[str, OutgoingRecord]]]:
    """The function from an answer to its (topic, record) pairs, all under the input's key."""

    def records(answer: Answer) -> Sequence[tuple[str, OutgoingRecord]]:
        if isinstance(answer, DeadLetter):
            return [(topics.dead_letters, answer.outgoing(max_dead_letter_bytes))]
        judged = answer.judged
        sent = partial(outgoing, key=answer.key, trace=answer.trace)
        pairs = [(topics.verdicts, sent(judged.verdict))]
        if judged.alert is not None:
            pairs.append((topics.alerts, sent(judged.alert)))
        if judged.fingerprint is not None:
            record = sent(judged.fingerprint, subject=answer.subject)
            pairs.append((topics.fingerprints, record))
        return pairs

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
