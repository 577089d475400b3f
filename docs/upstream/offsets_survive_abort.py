"""kafka-python 3.0.12: offsets pending at an abort are committed by the next transaction.

    python -m docs.upstream.offsets_survive_abort HOST:PORT

Prints what the group has committed; exits with 1 while the defect is there, with 0 once it is not.
"""

import sys
import uuid

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata


def main(brokers: str) -> int:
    name = f"upstream-{uuid.uuid4().hex[:8]}"
    lost, ours = TopicPartition(name, 0), TopicPartition(name, 1)
    admin = KafkaAdminClient(bootstrap_servers=brokers)
    admin.create_topics(
        {name: {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True
    )
    producer = KafkaProducer(bootstrap_servers=brokers, transactional_id=name)
    producer.init_transactions()

    # Partition 0 belonged to us until a rebalance: the broker refuses our stale membership.
    stale = ConsumerGroupMetadata(group_id=name, generation_id=5, member_id="gone")
    producer.begin_transaction()
    try:
        producer.send_offsets_to_transaction({lost: OffsetAndMetadata(110, "", -1)}, stale)
    except KafkaError as error:
        print(f"refused, as it should be: {type(error).__name__}")
    producer.abort_transaction()

    # The next transaction is about partition 1 alone.
    producer.begin_transaction()
    producer.send_offsets_to_transaction({ours: OffsetAndMetadata(50, "", -1)}, name)
    producer.commit_transaction()
    producer.close()

    offsets = admin.list_group_offsets(name)
    committed = {tp.partition: o.offset for tp, o in offsets[name].items() if o.offset >= 0}
    admin.close()
    print(f"committed: {committed}; expected: {{1: 50}}")
    return int(committed != {1: 50})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
