"""Follow verdicts and dead letters, or alerts, without being part of any consumer group."""

import json
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from worker.broker.admin import CONNECT_TIMEOUT_S, admin, require_topics, unreachable
from worker.broker.clients import new_reader
from worker.broker.refusals import Who
from worker.broker.topics import Topics, dead_letters_max_message_bytes
from worker.events.cloudevents import Origin, RawRecord
from worker.events.dead_letter import read_dead_letter
from worker.events.image_event import MAX_IMAGE_BYTES
from worker.outside.watched import Kind, Watched, rejected_document

_POLL_MS = 200
"""How long Ctrl-C, a closed pipe and the end of an idle time may go unnoticed."""


def watch(
    brokers: str,
    topics: Topics,
    *,
    alerts: bool = False,
    from_start: bool = False,
    until_idle_s: float | None = None,
    max_image_bytes: int = MAX_IMAGE_BYTES,
    client: Mapping[str, Any] | None = None,
    ready: Callable[[int], None] = lambda partitions: None,
    still_wanted: Callable[[], bool] = lambda: True,
    monotonic: Callable[[], float] = time.monotonic,
) -> Generator[Watched]:
    """Yield each committed record: verdicts and dead letters, or alerts.

    Without `from_start` it begins with what is committed after the call of `ready`, which is made
    once every partition has its position. It ends after `until_idle_s` seconds without a record,
    counted from `ready` and from each record, or when `still_wanted` says no. A broker that went
    away is not idle: StopError with exit code 3, as for missing topics.
    Partitions that are added while it runs are not seen.
    """
    names = [topics.alerts] if alerts else [topics.verdicts, topics.dead_letters]
    with admin(brokers, client=client) as connection:
        partitions = require_topics(connection, names, Who.by(brokers, client), "READ")
    assigned = [TopicPartition(name, p) for name in names for p in partitions[name]]
    consumer = new_reader(
        brokers,
        client,
        max_message_bytes=dead_letters_max_message_bytes(max_image_bytes),
        fetch_max_wait_ms=_POLL_MS,
    )
    try:
        consumer.assign(assigned)
        _position(consumer, assigned, from_start)
        ready(len(assigned))
        yield from _follow(consumer, topics, until_idle_s, still_wanted, monotonic)
    except KafkaError as error:
        raise unreachable(brokers, error, client, "READ") from error
    finally:
        consumer.close(autocommit=False, timeout_ms=1000)


def describe(record: RawRecord, topics: Topics) -> Watched:
    """What one record of an output topic says; one that cannot be read is shown as such."""
    try:
        if record.origin.topic == topics.dead_letters:
            return Watched("dead_letter", _dead_letter(record))
        kind: Kind = "alert" if record.origin.topic == topics.alerts else "verdict"
        # Parsed as JSON, not as a model: fields of a newer worker are passed on.
        document = json.loads((record.value or b"").decode("utf-8"))
        if not isinstance(document, dict):
            raise ValueError(f"a JSON {type(document).__name__} where an object is expected")
    except (ValueError, RecursionError) as error:
        where = {
            "topic": record.origin.topic,
            "partition": record.origin.partition,
            "offset": record.origin.offset,
        }
        return Watched("unreadable", {"record": "unreadable", **where, "message": str(error)})
    return Watched(kind, {"record": kind, **document})


def _dead_letter(record: RawRecord) -> dict[str, Any]:
    letter = read_dead_letter(record)
    event = letter.event()
    event_id, subject = (event.event_id, event.subject) if event else (None, None)
    return rejected_document(letter, event_id, subject)


def _position(consumer: KafkaConsumer, assigned: list[TopicPartition], from_start: bool) -> None:
    """Seek by offset, now: the client would resolve "latest" at some later poll, and what was
    published in between would be missed."""
    timeout_ms = int(CONNECT_TIMEOUT_S * 1000)
    find = consumer.beginning_offsets if from_start else consumer.end_offsets
    for partition, offset in find(assigned, timeout_ms=timeout_ms).items():
        consumer.seek(partition, offset)


def _follow(
    consumer: KafkaConsumer,
    topics: Topics,
    until_idle_s: float | None,
    still_wanted: Callable[[], bool],
    monotonic: Callable[[], float],
) -> Generator[Watched]:
    last = monotonic()
    while still_wanted():
        for batch in consumer.poll(timeout_ms=_POLL_MS).values():
            for r in batch:
                origin = Origin(r.topic, r.partition, r.offset)
                yield describe(RawRecord(origin, r.key, r.value, tuple(r.headers)), topics)
            last = monotonic()
        if until_idle_s is not None and monotonic() - last >= until_idle_s:
            # A poll without an answer looks like one without records; only a question tells.
            consumer.end_offsets(
                list(consumer.assignment()), timeout_ms=int(CONNECT_TIMEOUT_S * 1000)
            )
            return
