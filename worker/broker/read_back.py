"""What a topic holds now, read once from one end to the other, by whoever looks on."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from worker.broker.admin import CONNECT_TIMEOUT_S, unreachable
from worker.broker.clients import new_reader
from worker.events.cloudevents import Origin, RawRecord

_POLL_MS = 200


def read_back(
    brokers: str,
    topic: str,
    partitions: Sequence[int],
    client: Mapping[str, Any] | None,
    *,
    max_message_bytes: int,
    since_ms: int | None = None,
    at: Sequence[tuple[int, int]] | None = None,
) -> Iterator[RawRecord]:
    """The committed records of a topic up to its end when the first is asked for.

    Partition by partition, the oldest first; `since_ms` begins with the first record of each that
    is no older (milliseconds of Unix time). With `at`, only those that lie at these partitions and
    offsets, in this order. Raises StopError with exit code 3 where Kafka is out of reach.
    """
    timeout_ms = round(CONNECT_TIMEOUT_S * 1000)
    consumer = new_reader(brokers, client, max_message_bytes=max_message_bytes)
    try:
        assigned = [TopicPartition(topic, number) for number in partitions]
        starts = consumer.beginning_offsets(assigned, timeout_ms=timeout_ms)
        ends = consumer.end_offsets(assigned, timeout_ms=timeout_ms)
        if since_ms is not None:
            found = consumer.offsets_for_times(
                dict.fromkeys(assigned, since_ms), timeout_ms=timeout_ms
            )
            starts = {one: found[one].offset if found[one] else ends[one] for one in assigned}
        spans = [(partition, starts[partition], ends[partition]) for partition in assigned]
        if at is not None:
            sought = [(TopicPartition(topic, number), offset) for number, offset in at]
            spans = [
                (partition, offset, offset + 1)
                for partition, offset in sought
                if starts[partition] <= offset < ends[partition]
            ]
        for partition, start, end in spans:
            yield from _span(consumer, partition, start, end, brokers)
    except KafkaError as error:
        raise unreachable(brokers, error, client, "READ") from error
    finally:
        consumer.close(autocommit=False, timeout_ms=1000)


def _span(
    consumer: KafkaConsumer, partition: TopicPartition, start: int, end: int, brokers: str
) -> Iterator[RawRecord]:
    """The records of one partition from `start` up to, not including, `end`."""
    timeout_ms = int(CONNECT_TIMEOUT_S * 1000)
    consumer.assign([partition])
    consumer.seek(partition, start)
    heard = time.monotonic()
    while (position := consumer.position(partition, timeout_ms=timeout_ms)) < end:
        fetched = consumer.poll(timeout_ms=_POLL_MS)
        if fetched or consumer.position(partition, timeout_ms=timeout_ms) > position:
            heard = time.monotonic()
        elif time.monotonic() - heard > CONNECT_TIMEOUT_S:
            where = f"{partition.topic}-{partition.partition}"
            raise unreachable(brokers, TimeoutError(f"{where} gives no records"))
        for batch in fetched.values():
            for r in batch:
                if r.offset < end:
                    origin = Origin(r.topic, r.partition, r.offset)
                    yield RawRecord(origin, r.key, r.value, tuple(r.headers), r.timestamp)
