"""Look after dead letters: read them, send them to be judged again, or let them go.

A dead letter stays where it is until its retention ends. What was decided on it is a record of the
topic `dead-letter-decisions`, so that nobody has to remember, and who did what and why can be read
later. A redrive and its decision are written in one transaction: neither is there without the
other, and a command that is interrupted may be run again.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from kafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFencedError
from pydantic import BaseModel, ConfigDict, ValidationError

from worker.broker.admin import CONNECT_TIMEOUT_S, admin, require_topics, unreachable
from worker.broker.clients import WorkerProducer, new_sender
from worker.broker.login import name_for_kafka
from worker.broker.read_back import read_back
from worker.broker.refusals import Who
from worker.broker.rights import DLQ_TRANSACTIONAL_ID
from worker.broker.topics import Topics, dead_letters_max_message_bytes
from worker.errors import StopError
from worker.events.cloudevents import RawRecord
from worker.events.dead_letter import DeadLetter, read_dead_letter
from worker.events.image_event import MAX_IMAGE_BYTES

Action = Literal["redriven", "discarded"]
State = Literal["open", "redriven", "discarded"]

_BATCH = 50
_BATCH_BYTES = 32 * 1024 * 1024
"""Letters decided in one transaction, and the bytes of their values past which it is closed."""

_POLL_MS = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dead letter lies in its topic; written PARTITION:OFFSET."""

    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Raises StopError (exit code 2) for anything but PARTITION:OFFSET."""
        partition, _, offset = text.partition(":")
        if not (text.isascii() and partition.isdigit() and offset.isdigit()):
            raise StopError(
                f"{text!r} is no place of a dead letter; expected PARTITION:OFFSET as"
                " `latentprint dlq ls` prints it, for example 0:17",
                exit_code=2,
            )
        return cls(int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Decision(BaseModel):
    """What was decided on one dead letter; `by` and `reason` as they were given.

    `login` is by what name Kafka most likely knew who wrote it, as their own settings tell: Kafka
    does not tell its clients. None where nobody logs in.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    action: Action
    partition: int
    offset: int
    by: str
    reason: str
    at: datetime
    login: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A dead letter, the record it lies in, and the last decision on it."""

    place: Place
    letter: DeadLetter
    record: RawRecord
    decision: Decision | None

    @property
    def state(self) -> State:
        """Open until something is decided."""
        return self.decision.action if self.decision else "open"

    @property
    def omitted(self) -> tuple[str, ...]:
        """What of the event was too large to be kept: `value`, `headers`."""
        return self.letter.omitted


def kept_letters(
    brokers: str,
    topics: Topics,
    *,
    places: Collection[Place] | None = None,
    max_image_bytes: int = MAX_IMAGE_BYTES,
    client: Mapping[str, Any] | None = None,
) -> Iterator[Kept]:
    """Every dead letter that is there now, partition by partition, the oldest first.

    With `places`, those alone: each is sought, and nothing else is fetched but what lies behind it.
    Records that are no dead letter are passed over. Raises StopError with exit code 3 where Kafka
    or a topic is out of reach.
    """
    with admin(brokers, client=client) as connection:
        partitions = require_topics(
            connection, [topics.dead_letters, topics.decisions], Who.by(brokers, client), "READ"
        )
    decisions = _decisions(brokers, topics, partitions[topics.decisions], client)
    existing = partitions[topics.dead_letters]
    at = (
        None
        if places is None
        else [(place.partition, place.offset) for place in places if place.partition in existing]
    )
    for record in read_back(
        brokers,
        topics.dead_letters,
        existing,
        client,
        max_message_bytes=dead_letters_max_message_bytes(max_image_bytes),
        at=at,
    ):
        place = Place(record.origin.partition, record.origin.offset)
        try:
            letter = read_dead_letter(record)
        except ValueError:
            continue
        yield Kept(place, letter, record, decisions.get(place))


def settle(
    brokers: str,
    topics: Topics,
    letters: Iterable[Kept],
    *,
    action: Action,
    by: str,
    reason: str,
    max_image_bytes: int = MAX_IMAGE_BYTES,
    client: Mapping[str, Any] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    done: Callable[[Kept], None] = lambda kept: None,
    refused: Callable[[Kept, str], None] = lambda kept, why: None,
) -> int:
    """Redrive or discard each letter; returns how many. `done` is called once it is committed.

    A letter larger than `max_image_bytes` allows is passed to `refused`, and the others go on.

    Raises StopError where Kafka is out of reach (3) or another person decides at the same time
    (1): what `done` was called for is decided. Of one batch more it may not be known whether it
    was; `letters` is read once no other command can decide any more.
    """
    count, login = 0, name_for_kafka(client or {})
    with _producer(brokers, topics, max_image_bytes, client) as producer:
        for batch in _batches(letters):
            producer.begin_transaction()
            futures = []
            settled: list[Kept] = []
            for kept in batch:
                if action == "redriven":
                    try:
                        futures.append(_send_again(producer, topics, kept.record))
                    except MessageSizeTooLargeError as error:  # before anything was sent of it
                        refused(kept, str(error))
                        continue
                settled.append(kept)
                decision = Decision(
                    action=action,
                    partition=kept.place.partition,
                    offset=kept.place.offset,
                    by=by,
                    reason=reason,
                    at=now(),
                    login=login,
                )
                futures.append(
                    producer.send(
                        topics.decisions,
                        key=str(kept.place).encode(),
                        value=decision.model_dump_json().encode(),
                    )
                )
            producer.flush(CONNECT_TIMEOUT_S)
            for future in futures:  # a flush that returns proves nothing
                if not future.succeeded():
                    failure = future.exception or TimeoutError("no answer")
                    raise unreachable(brokers, failure, client, "WRITE")
            producer.commit_transaction(CONNECT_TIMEOUT_S)
            count += len(settled)
            for kept in settled:
                done(kept)
    return count


def _batches(letters: Iterable[Kept]) -> Iterator[list[Kept]]:
    """Bounded in number and in bytes, since a letter may hold an image of 10 MiB."""
    batch: list[Kept] = []
    held = 0
    for kept in letters:
        batch.append(kept)
        held += len(kept.record.value or b"")
        if len(batch) == _BATCH or held > _BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _send_again(producer: WorkerProducer, topics: Topics, record: RawRecord) -> Any:
    headers = [(name, value or b"") for name, value in record.headers]
    return producer.send(topics.redrives, key=record.key, value=record.value, headers=headers)


@contextmanager
def _producer(
    brokers: str, topics: Topics, max_image_bytes: int, client: Mapping[str, Any] | None
) -> Iterator[WorkerProducer]:
    transactional_id = f"{topics.prefix}{DLQ_TRANSACTIONAL_ID}"
    producer = new_sender(
        brokers,
        client,
        max_request_bytes=dead_letters_max_message_bytes(max_image_bytes),
        request_s=CONNECT_TIMEOUT_S,
        delivery_s=CONNECT_TIMEOUT_S + 1,
        transactional_id=transactional_id,
    )
    try:
        producer.init_transactions()
        yield producer
    except KafkaError as error:
        # The client raises the fencing itself at first, and later as the reason of other errors.
        if any(isinstance(one, ProducerFencedError) for one in (error, *error.args)):
            raise StopError(
                "someone else decides on dead letters at the same time, so this command was"
                " stopped. Look with `latentprint dlq ls` at what is open still, and run it again"
                " when the other has ended"
            ) from error
        raise unreachable(brokers, error, client, "WRITE", transactional_id) from error
    finally:
        producer.discard(1.0)


def _decisions(
    brokers: str, topics: Topics, partitions: list[int], client: Mapping[str, Any] | None
) -> dict[Place, Decision]:
    """The last decision on each place."""
    found: dict[Place, Decision] = {}
    most = dead_letters_max_message_bytes()
    for record in read_back(brokers, topics.decisions, partitions, client, max_message_bytes=most):
        try:
            decision = Decision.model_validate_json(record.value or b"")
        except ValidationError:
            continue
        found[Place(decision.partition, decision.offset)] = decision
    return found
