"""quix-streams: a StreamingDataFrame that applies a function to each message. Exactly once.

It has no batches outside of its windows, which need state and a key, so that each image is judged
alone. Its commit interval is that of its documentation, 5 s.
"""

from typing import Any

from quixstreams import Application, message_context

from benchmarks.peers.stages import Place, Stages, record


def main() -> None:
    """Judge what comes, for ever."""
    place = Place.here()
    stages = Stages(place.redis)
    app = Application(
        broker_address=place.brokers,
        consumer_group=place.group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        auto_create_topics=False,
    )
    images = app.topic(place.images, value_deserializer="bytes", key_deserializer="bytes")
    verdicts = app.topic(place.verdicts, value_serializer="bytes", key_serializer="bytes")

    def judge(value: bytes, key: Any, timestamp: int, headers: Any) -> bytes:
        at = message_context()
        read = record(at.topic, at.partition, at.offset, key, value, headers or ())
        return stages.judge([read])[0]

    app.dataframe(images).apply(judge, metadata=True).to_topic(verdicts)
    app.run()


if __name__ == "__main__":
    main()
