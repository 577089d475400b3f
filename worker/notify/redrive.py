"""Dead letters of `notify` once more, each to its own receiver, under its own id.

How far they were redriven is kept in Kafka, as the offset of a group of its own. One that is not
taken this time either becomes another dead letter, behind the others, whose tries go on counting.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import stamina.instrumentation
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from worker.broker.admin import CONNECT_TIMEOUT_S, addresses, admin, require_topics, unreachable
from worker.broker.batches import bound_batches
from worker.broker.clients import UNPACKED_TIMES, WorkerProducer, connection, new_sender
from worker.broker.refusals import Who
from worker.broker.rights import REDRIVE_SUFFIX
from worker.broker.topics import NOTIFY_LETTER_BYTES, Topics
from worker.events.cloudevents import Origin, RawRecord
from worker.metrics import NOTIFY, Figures
from worker.notify.courier import Courier, Job
from worker.notify.letters import UNREADABLE, Letter, read_letter
from worker.notify.messages import Message, alert_message, read_alert, stored_digest
from worker.notify.receivers import Plan
from worker.notify.severity import SEVERITIES
from worker.settings.settings import Settings

BUDGET_S = 30.0
"""A person waits; what is not taken by then stays a dead letter."""

_ANSWER_MS = round(CONNECT_TIMEOUT_S * 1000)


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of one dead letter: `again` holds the new one where it was not delivered."""

    letter: Letter
    again: Letter | None


def redrive(
    settings: Settings, plan: Plan, *, dry_run: bool, tell: Callable[[Redriven], None]
) -> None:
    """Every dead letter that was not redriven yet, up to the end as it is now, oldest first."""
    stamina.instrumentation.set_on_retry_hooks([])
    topics = Topics(settings.kafka.prefix)
    client = connection(settings.kafka)
    brokers = settings.kafka.brokers
    del client["bootstrap_servers"]
    group = settings.notify.group + REDRIVE_SUFFIX
    who = Who.by(brokers, client, group)
    topic = topics.notify_dead_letters
    with admin(brokers, client=client, who=who) as cluster:
        partitions = require_topics(cluster, [topic], who, "READ")[topic]
    couriers = {} if dry_run else _couriers(settings, plan)
    with _clients(brokers, client, group) as (consumer, producer):
        for partition in (TopicPartition(topic, number) for number in partitions):
            for offset, letter in _open_letters(consumer, partition):
                again = None if dry_run else _deliver(letter, couriers)
                tell(Redriven(letter, again))
                if dry_run:
                    continue
                if again is not None:
                    record = again.outgoing()
                    producer.send(
                        topic, key=record.key, value=record.value, headers=list(record.headers)
                    ).get(timeout=CONNECT_TIMEOUT_S)
                consumer.commit(
                    {partition: OffsetAndMetadata(offset + 1, "", -1)}, timeout_ms=_ANSWER_MS
                )


def message_of(letter: Letter) -> Message:
    """The message of a dead letter, as it was; ValueError where it cannot be made again."""
    severity = next((one for one in SEVERITIES if one == letter.severity), None)
    if severity is None:
        raise ValueError(f"severity {letter.severity!r} is none")
    if letter.kind == "digest":
        return stored_digest(UUID(letter.message_id), letter.value or b"", severity)
    record = RawRecord(
        letter.origin or Origin("unknown", 0, 0), letter.key, letter.value, letter.headers
    )
    alert, document = read_alert(record)
    return alert_message(record, alert, document, severity)


def _couriers(settings: Settings, plan: Plan) -> dict[str, Courier]:
    figures, never = Figures(NOTIFY), threading.Event()
    return {
        receiver.name: Courier(
            receiver,
            timeout_s=settings.notify.timeout_s,
            budget_s=min(BUDGET_S, settings.notify.budget_s),
            queue_messages=1,
            figures=figures,
            draining=never,
            fail=_raise,
        )
        for receiver in plan.receivers
    }


def _raise(error: BaseException) -> None:
    raise error


def _deliver(letter: Letter, couriers: Mapping[str, Courier]) -> Letter | None:
    """Try until it is taken or the budget is over; the new dead letter in the latter case."""
    courier = couriers.get(letter.receiver)
    if letter.reason == UNREADABLE or courier is None:
        text = letter.message if courier or not letter.receiver else "no such receiver any more"
        return replace(letter, message=text)
    try:
        message = message_of(letter)
    except (ValueError, RecursionError) as error:
        return replace(letter, reason=UNREADABLE, message=str(error))
    answers: list[Letter | None] = []
    courier.deliver(Job(message, answers.append, read_at=time.monotonic()))
    (again,) = answers
    return again and replace(again, attempts=letter.attempts + again.attempts)


@contextmanager
def _clients(
    brokers: str, client: Mapping[str, Any], group: str
) -> Iterator[tuple[KafkaConsumer, WorkerProducer]]:
    bound_batches(UNPACKED_TIMES * NOTIFY_LETTER_BYTES)
    producer = new_sender(
        brokers,
        client,
        max_request_bytes=NOTIFY_LETTER_BYTES,
        request_s=CONNECT_TIMEOUT_S,
        delivery_s=CONNECT_TIMEOUT_S + 1,
    )
    consumer = None
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=addresses(brokers),
            group_id=group,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            max_partition_fetch_bytes=NOTIFY_LETTER_BYTES,
            bootstrap_timeout_ms=_ANSWER_MS,
            **client,
        )
        yield consumer, producer
    except KafkaError as error:
        raise unreachable(brokers, error, client) from error
    finally:
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=1000)
        producer.discard(1.0)


def _open_letters(
    consumer: KafkaConsumer, partition: TopicPartition
) -> Iterator[tuple[int, Letter]]:
    """What lies between the group's offset and the end as it is now; records that are none of ours
    are passed over."""
    consumer.assign([partition])
    start = consumer.beginning_offsets([partition], timeout_ms=_ANSWER_MS)[partition]
    end = consumer.end_offsets([partition], timeout_ms=_ANSWER_MS)[partition]
    committed = consumer.committed(partition, timeout_ms=_ANSWER_MS)
    consumer.seek(partition, max(start, committed or 0))
    heard = time.monotonic()
    while consumer.position(partition, timeout_ms=_ANSWER_MS) < end:
        fetched = consumer.poll(timeout_ms=200).get(partition, [])
        if fetched:
            heard = time.monotonic()
        elif time.monotonic() - heard > CONNECT_TIMEOUT_S:
            raise KafkaError(f"{partition.topic}-{partition.partition} gives no records")
        for r in fetched:
            if r.offset >= end:
                return
            origin = Origin(r.topic, r.partition, r.offset)
            try:
                yield r.offset, read_letter(RawRecord(origin, r.key, r.value, tuple(r.headers)))
            except ValueError:
                continue
            heard = time.monotonic()
