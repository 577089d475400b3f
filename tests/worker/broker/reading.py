"""Reading a topic back in tests, through kafka-python itself and not through our own code."""

from typing import Any

from kafka import KafkaConsumer, TopicPartition


def read_all(brokers: str, topic: str) -> list[Any]:
    """Every committed record of a topic, up to its end at the time of the call."""
    consumer = KafkaConsumer(
        bootstrap_servers=brokers,
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=16 * 1024 * 1024,
    )
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        records: list[Any] = []
        polls = 0
        while any(consumer.position(p, timeout_ms=5000) < ends[p] for p in partitions):
            polls += 1
            assert polls < 200, f"{topic} not read to its end {ends}; got {len(records)} records"
            for batch in consumer.poll(timeout_ms=200).values():
                records.extend(batch)
        return records
    finally:
        consumer.close()
