"""kafka-python 3.0.12: a producer that is collected silences the log of all others.

    python -m docs.upstream.collected_producer_silences_the_log HOST:PORT

Exits with 1 while the module's logger is gone after it, with 0 once it stays.
"""

import gc
import logging
import sys

import kafka.producer.kafka as module


def main(brokers: str) -> int:
    producer = module.KafkaProducer(bootstrap_servers=brokers)
    producer.close()
    del producer
    gc.collect()
    print(f"the module's log: {type(module.log).__name__}; expected: Logger")
    return int(not isinstance(module.log, logging.Logger))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
