"""kafka-python 3.0.12: a transaction commits although a record of it was never written.

    python -m docs.upstream.expired_batch_is_committed HOST:PORT

The record cannot be written because its topic is deleted meanwhile; any outage that lasts as long
as `delivery_timeout_ms` does the same. Exits with 1 while the defect is there, with 0 once it is
not.
"""

import sys
import uuid

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata


def main(brokers: str) -> int:
    name = f"upstream-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=brokers)
    for topic in (f"{name}-in", f"{name}-out"):
        admin.create_topics(
            {topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True
        )
    producer = KafkaProducer(
        bootstrap_servers=brokers,
        transactional_id=name,
        request_timeout_ms=1500,
        delivery_timeout_ms=3000,
    )
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(f"{name}-out", b"first").get(timeout=10)
    admin.delete_topics([f"{name}-out"])
    second = producer.send(f"{name}-out", b"second")
    producer.flush(timeout=10)  # says nothing
    print(f"the second record failed: {second.failed()}, {second.exception!r}")
    offsets = {TopicPartition(f"{name}-in", 0): OffsetAndMetadata(1, "", -1)}
    try:
        producer.send_offsets_to_transaction(offsets, name)
        producer.commit_transaction()
        committed = True
    except KafkaError as error:
        print(f"refused, as it should be: {type(error).__name__}")
        committed = False
    producer.close(timeout=2)
    admin.close()
    print(f"committed: {committed}; expected: False")
    return int(committed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
