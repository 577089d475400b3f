"""The clients on a real broker: given up at once, and with the library's traps disarmed."""

import gc
import logging
import time
from dataclasses import dataclass

import pytest
from kafka.errors import KafkaError
from kafka.producer import kafka as producer_module

from deploy.services.kafka import RunningKafka
from tests.scenarios import oracle
from tests.topic_names import TopicNames
from tests.waiting import wait_for
from worker.broker import clients
from worker.broker.assignor import EachTopicAssignor
from worker.broker.clients import WorkerProducer, new_consumer, new_producer, slot_name
from worker.errors import StopError
from worker.settings.kafka import KafkaSettings


def producer(broker: RunningKafka, group: str) -> WorkerProducer:
    settings = KafkaSettings(brokers=broker.brokers, group=group)
    made = new_producer(settings, max_request_bytes=1 << 20, transactional=True)
    made.init_transactions()
    return made


def test_a_discarded_producer_leaves_no_record_and_its_successor_goes_on(
    kafka: RunningKafka, topics: TopicNames
) -> None:
    """And it fences the former one, whatever that still tries."""
    former = producer(kafka, topics.prefix)
    former.begin_transaction()
    former.send(topics.verdicts, value=b"never committed")
    former.flush(30)
    zombie = producer(kafka, topics.prefix)
    zombie.begin_transaction()
    zombie.send(topics.verdicts, value=b"of a zombie")
    zombie.flush(30)
    began = time.monotonic()
    former.discard(1.0)
    assert time.monotonic() - began < 5.0
    successor = producer(kafka, topics.prefix)
    successor.begin_transaction()
    successor.send(topics.verdicts, value=b"committed")
    successor.flush(30)
    successor.commit_transaction(10)
    with pytest.raises(KafkaError):
        zombie.commit_transaction(10)
    for one in (zombie, successor):
        one.discard(1.0)
    values = [record.value for record in oracle.read(kafka.brokers, topics.verdicts)]
    assert values == [b"committed"]


class Clock:
    """Time that passes only where something is waited for."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class Slow:
    """A batch, and its own future, that is acknowledged after so many seconds."""

    clock: Clock
    seconds: float

    @property
    def produce_future(self) -> "Slow":
        return self

    def all(self) -> "list[Slow]":
        return [self, self, self]

    def wait(self, timeout: float) -> bool:
        self.clock.now += min(timeout, self.seconds)
        return timeout >= self.seconds


def test_a_flush_ends_with_its_timeout_however_many_batches_wait(
    kafka: RunningKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library waits so long for each batch, and the watchdog would end the process."""
    made, clock = producer(kafka, "flushed"), Clock()
    with monkeypatch.context() as patched:  # the producer's own thread needs its batches after
        patched.setattr(clients, "time", clock)
        patched.setattr(made._accumulator, "_incomplete", Slow(clock, seconds=4.0))
        with pytest.raises(KafkaError, match="not acknowledged after 6 s"):
            made.flush(6.0)
    assert clock.now == 6.0
    made.discard(1.0)


def test_a_collected_producer_does_not_silence_the_library(
    kafka: RunningKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KafkaProducer's own __del__ replaces the logger of the whole module."""
    # Whatever a stock producer of another test left there.
    monkeypatch.setattr(producer_module, "log", logging.getLogger("kafka.producer.kafka"))
    made = producer(kafka, "collected")
    made.discard(1.0)
    del made
    gc.collect()
    assert isinstance(kafka_log(), logging.Logger)


def kafka_log() -> object:
    return producer_module.log


def test_lost_connections_are_counted(kafka: RunningKafka) -> None:
    made = producer(kafka, "counted")
    before = made.disconnects()
    manager = made._sender._client._manager
    for connection in list(manager._conns.values()):
        manager.call_soon(connection.close)
    made._sender.wakeup()
    wait_for(lambda: made.disconnects() > before, "the lost connection to be counted")
    assert made.disconnects() > before
    made.discard(1.0)


def test_the_safe_settings_are_no_choice(kafka: RunningKafka) -> None:
    settings = KafkaSettings(brokers=kafka.brokers, group="safe", slot=3)
    consumer = new_consumer(settings, max_image_bytes=1 << 20)
    try:
        config = consumer.config
    finally:
        consumer.close()
    assert config["isolation_level"] == "read_committed"
    assert config["enable_auto_commit"] is False
    assert config["auto_offset_reset"] == "none"
    assert config["partition_assignment_strategy"] == (EachTopicAssignor,)
    assert config["group_instance_id"] == "safe-3" == slot_name(settings)


def test_a_slot_name_that_kafka_would_not_check_is_refused() -> None:
    settings = KafkaSettings.model_construct(group="no/slash", slot=0)
    with pytest.raises(StopError, match=r"change kafka\.group"):
        slot_name(settings)
