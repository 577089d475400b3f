"""Apache Kafka 4.4.0, one node: a commit that was acknowledged is lost when the broker is killed.

    python -m docs.upstream.markers_skipped

Commits records to two topics and the offset of a group in one transaction, kills the broker as soon
as the commit is acknowledged, starts it again, lets the same transactional id commit once more, and
counts what a `read_committed` reader sees. Whether the kill comes between the acknowledgement and
the markers is chance, so that up to TRIES brokers are tried. Exits with 1 when something is
missing, with 0 when nothing ever was.
"""

import logging
import sys
import tempfile
import time
from pathlib import Path

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from deploy.services.kafka import start_kafka

TRIES, RECORDS, PATIENCE_S = 10, 16, 10
TOPICS, GROUP, SOURCE = ("one", "other"), "group", TopicPartition("source", 0)
TRANSACTION = len(TOPICS) * RECORDS


def main() -> int:
    logging.disable(logging.CRITICAL)
    for number in range(1, TRIES + 1):
        with tempfile.TemporaryDirectory() as folder, start_kafka(Path(folder)) as broker:
            admin = KafkaAdminClient(bootstrap_servers=broker.brokers)
            shape = {"num_partitions": 1, "replication_factor": 1}
            admin.create_topics(dict.fromkeys((*TOPICS, SOURCE.topic), shape))
            admin.close()
            commit(broker.brokers, {SOURCE: OffsetAndMetadata(7, "", -1)})
            broker.kill()
            broker.restart()
            commit(broker.brokers, {})  # lets readers pass what the first one left open
            seen, offset = found(broker.brokers)
        whole = (seen, offset) == (2 * TRANSACTION, "7")
        print(
            f"try {number}: a reader sees {seen} of {2 * TRANSACTION} committed records; the"
            f" group's offset, 7, is {offset}",
            flush=True,
        )
        if not whole:
            return 1
    return 0


def commit(brokers: str, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
    """One transaction of records and offsets; returns once its commit is acknowledged."""
    producer = KafkaProducer(bootstrap_servers=brokers, transactional_id="upstream")
    producer.init_transactions()
    producer.begin_transaction()
    for topic in TOPICS:
        for _ in range(RECORDS):
            producer.send(topic, b"a record", partition=0)
    producer.flush()
    if offsets:
        producer.send_offsets_to_transaction(offsets, GROUP)
    producer.commit_transaction()


def found(brokers: str) -> tuple[int, str]:
    """Records that a `read_committed` reader sees, and the group's offset."""
    consumer = KafkaConsumer(
        bootstrap_servers=brokers,
        group_id=GROUP,
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    partitions = [TopicPartition(topic, 0) for topic in TOPICS]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    seen, end = 0, time.monotonic() + PATIENCE_S
    while seen < 2 * TRANSACTION and time.monotonic() < end:
        seen += sum(len(records) for records in consumer.poll(timeout_ms=200).values())
    try:
        offset = str(consumer.committed(SOURCE, timeout_ms=1000 * PATIENCE_S))
    except KafkaTimeoutError:
        offset = "pending still"
    consumer.close()
    return seen, offset


if __name__ == "__main__":
    sys.exit(main())
