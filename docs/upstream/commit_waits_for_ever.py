"""kafka-python 3.0.12: a commit waits for as long as its coordinator is away.

    python -m docs.upstream.commit_waits_for_ever

Starts a broker of its own, kills it before the commit, and looks whether the call is over after ten
request timeouts. Exits with 1 while it is not, with 0 once it is.
"""

import contextlib
import logging
import os
import sys
import tempfile
import threading
from pathlib import Path

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError

from deploy.services.kafka import start_kafka

REQUEST_TIMEOUT_S = 1


def main() -> int:
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, start_kafka(Path(folder)) as broker:
        admin = KafkaAdminClient(bootstrap_servers=broker.brokers)
        shape = {"num_partitions": 1, "replication_factor": 1}
        admin.create_topics({"out": shape}, wait_for_metadata=True)
        admin.close()
        producer = KafkaProducer(
            bootstrap_servers=broker.brokers,
            transactional_id="upstream",
            request_timeout_ms=1000 * REQUEST_TIMEOUT_S,
            delivery_timeout_ms=1000 * REQUEST_TIMEOUT_S + 1000,
        )
        producer.init_transactions()
        producer.begin_transaction()
        producer.send("out", b"a record")
        producer.flush()

        def commit() -> None:
            with contextlib.suppress(KafkaError):
                producer.commit_transaction()

        committing = threading.Thread(target=commit, daemon=True)
        broker.kill()
        committing.start()
        committing.join(10 * REQUEST_TIMEOUT_S)
        waiting = committing.is_alive()
    print(f"waiting after {10 * REQUEST_TIMEOUT_S} s: {waiting}; expected: False")
    return int(waiting)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the client's thread may be waiting still
