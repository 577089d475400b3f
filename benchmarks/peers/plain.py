"""A plain loop of kafka-python: poll, judge, send, flush, commit. At least once."""

from kafka import KafkaConsumer, KafkaProducer

from benchmarks.peers.stages import BATCH, Place, Stages, record


def main() -> None:
    """Judge what comes, for ever."""
    place = Place.here()
    stages = Stages(place.redis)
    consumer = KafkaConsumer(
        place.images,
        bootstrap_servers=place.brokers,
        group_id=place.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=BATCH,
    )
    producer = KafkaProducer(bootstrap_servers=place.brokers, acks="all")
    while True:
        for read in consumer.poll(timeout_ms=1000).values():
            verdicts = stages.judge(
                [record(r.topic, r.partition, r.offset, r.key, r.value, r.headers) for r in read]
            )
            sent = [
                producer.send(place.verdicts, key=r.key, value=verdict)
                for r, verdict in zip(read, verdicts, strict=True)
            ]
            producer.flush()
            for future in sent:
                future.get()
            consumer.commit()


if __name__ == "__main__":
    main()
