"""sentry-arroyo: batch, run a task, produce, commit: a chain of strategies. At least once."""

from collections.abc import Mapping
from typing import Any

from arroyo import Partition, Topic
from arroyo.backends.kafka import KafkaConsumer, KafkaPayload, KafkaProducer
from arroyo.backends.kafka.configuration import (
    build_kafka_configuration,
    build_kafka_consumer_configuration,
)
from arroyo.commit import ONCE_PER_SECOND
from arroyo.processing import StreamProcessor
from arroyo.processing.strategies import CommitOffsets, Produce, RunTask
from arroyo.processing.strategies.abstract import ProcessingStrategy, ProcessingStrategyFactory
from arroyo.processing.strategies.batching import BatchStep, UnbatchStep
from arroyo.types import BrokerValue, Commit, Message

from benchmarks.peers.stages import BATCH, BATCH_WAIT_S, Place, Stages, record


class Factory(ProcessingStrategyFactory[KafkaPayload]):  # type: ignore[misc,unused-ignore]
    """The chain, made anew whenever partitions are assigned."""

    def __init__(self, place: Place) -> None:
        self._stages = Stages(place.redis)
        self._verdicts = Topic(place.verdicts)
        configuration = build_kafka_configuration({}, bootstrap_servers=[place.brokers])
        self._producer = KafkaProducer(configuration)

    def create_with_partitions(
        self, commit: Commit, partitions: Mapping[Partition, int]
    ) -> ProcessingStrategy[KafkaPayload]:
        """Batch, judge, unbatch, produce, commit."""
        produce = Produce(self._producer, self._verdicts, CommitOffsets(commit))
        judge = RunTask(self._judge, UnbatchStep(produce))
        return BatchStep(BATCH, BATCH_WAIT_S, judge)

    def _judge(self, message: Message[Any]) -> list[Any]:
        """A batch of payloads with their offsets, to a batch of verdicts with the same."""
        read = message.payload
        verdicts = self._stages.judge(
            [
                record(
                    one.partition.topic.name,
                    one.partition.index,
                    one.offset,
                    one.payload.key,
                    one.payload.value,
                    one.payload.headers,
                )
                for one in read
            ]
        )
        return [
            BrokerValue(
                KafkaPayload(one.payload.key, verdict, []),
                one.partition,
                one.offset,
                one.timestamp,
            )
            for one, verdict in zip(read, verdicts, strict=True)
        ]


def main() -> None:
    """Judge what comes, for ever."""
    place = Place.here()
    consumer = KafkaConsumer(
        build_kafka_consumer_configuration(
            {},
            bootstrap_servers=[place.brokers],
            group_id=place.group,
            auto_offset_reset="earliest",
        )
    )
    factory = Factory(place)
    StreamProcessor(consumer, Topic(place.images), factory, ONCE_PER_SECOND).run()


if __name__ == "__main__":
    main()
