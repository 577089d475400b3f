"""kafka-python 3.0.12: a static member that was fenced goes on reading, and nobody tells it.

    python -m docs.upstream.fenced_member_reads_on HOST:PORT

Two consumers join a group under one instance id, as two processes of one slot would. Exits with 1
while the first reads on without an error, with 0 once it does not.
"""

import logging
import sys
import time
import uuid

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

RECORDS, PATIENCE_S = 3, 10


def main(brokers: str) -> int:
    logging.disable(logging.CRITICAL)
    name = f"upstream-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=brokers)
    admin.create_topics(
        {name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True
    )
    admin.close()
    first, second = joined(brokers, name), joined(brokers, name)
    end = time.monotonic() + 2  # some heartbeats, each of which is answered with the fencing
    while time.monotonic() < end:
        second.poll(timeout_ms=100)
        first.poll(timeout_ms=100)
    producer = KafkaProducer(bootstrap_servers=brokers)
    for _ in range(RECORDS):
        producer.send(name, b"a record")
    producer.flush()
    read, error = 0, None
    end = time.monotonic() + PATIENCE_S
    while read < RECORDS and error is None and time.monotonic() < end:
        try:
            read += sum(len(batch) for batch in first.poll(timeout_ms=200).values())
        except KafkaError as raised:
            error = type(raised).__name__
    print(f"records read by the fenced member: {read}, error: {error}; expected: 0, an error")
    producer.close()
    first.close(autocommit=False)
    second.close(autocommit=False)
    return int(read > 0 and error is None)


def joined(brokers: str, name: str) -> KafkaConsumer:
    """A consumer of the one slot, once it has the partition."""
    consumer = KafkaConsumer(
        name,
        bootstrap_servers=brokers,
        group_id=name,
        group_instance_id="slot",
        session_timeout_ms=6000,
        heartbeat_interval_ms=200,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    while not consumer.assignment():
        consumer.poll(timeout_ms=500)
    return consumer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
