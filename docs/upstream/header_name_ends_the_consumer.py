"""kafka-python 3.0.12: a header name that is not UTF-8 makes `poll` raise, again and again.

    python -m docs.upstream.header_name_ends_the_consumer HOST:PORT

Exits with 1 while it does, with 0 once the record is read.
"""

import logging
import sys
import time
import uuid
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

PATIENCE_S = 5


class Latin(str):
    """A name that is encoded as other clients may encode it; the broker does not look."""

    __slots__ = ()

    def encode(self, *arguments: Any, **named: Any) -> bytes:
        return super().encode("latin-1")


def main(brokers: str) -> int:
    logging.disable(logging.CRITICAL)
    name = f"upstream-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=brokers)
    admin.create_topics(
        {name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True
    )
    admin.close()
    producer = KafkaProducer(bootstrap_servers=brokers)
    producer.send(name, b"a record", headers=[(Latin("größe"), b"1")]).get(timeout=10)
    producer.close()
    consumer = KafkaConsumer(
        name, bootstrap_servers=brokers, auto_offset_reset="earliest", enable_auto_commit=False
    )
    read, error = 0, None
    end = time.monotonic() + PATIENCE_S
    while not read and error is None and time.monotonic() < end:
        try:
            read += sum(len(batch) for batch in consumer.poll(timeout_ms=200).values())
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
    print(f"records read: {read}, poll raised: {error}; expected: 1, None")
    return int(read == 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
