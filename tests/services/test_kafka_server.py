"""The local broker: a real Apache Kafka, on loopback, that survives being killed."""

import socket
import uuid
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, MessageSizeTooLargeError

from deploy.services import kafka as kafka_module
from deploy.services.errors import PortTaken, StartFailed
from deploy.services.java import JavaRuntime, java_major, wheel_java
from deploy.services.kafka import MAX_MESSAGE_BYTES, RunningKafka, start_kafka
from deploy.services.ports import free_port
from tests.services.listening import listening_addresses
from tests.topic_names import TopicNames
from tests.waiting import wait_for

TEN_MIB = 10 * 1024 * 1024


def test_the_broker_listens_on_loopback_only(kafka: RunningKafka) -> None:
    """Its own port and the controller's, and nothing that another machine could reach."""
    addresses = listening_addresses(kafka.pid)
    assert {address for address, _ in addresses} == {"127.0.0.1"}
    assert kafka.port in {port for _, port in addresses}
    assert len(addresses) == 2


def test_an_image_of_the_largest_size_fits_with_its_headers(
    kafka: RunningKafka, topics: TopicNames
) -> None:
    """10 MiB of image and a hundred kilobytes of headers go in and come out byte for byte."""
    image, header = bytes(range(256)) * (TEN_MIB // 256), b"h" * 100_000
    producer = KafkaProducer(bootstrap_servers=kafka.brokers, max_request_size=MAX_MESSAGE_BYTES)
    try:
        sent = producer.send(topics.dead_letters, image, headers=[("dlq.message", header)])
        sent.get(timeout=30)
    finally:
        producer.close()
    records = _read(kafka, topics.dead_letters, 1)
    assert records == [image]


def test_what_is_larger_than_the_limit_is_refused_by_the_broker(
    kafka: RunningKafka, topics: TopicNames
) -> None:
    """A producer with a larger limit of its own does not get past the broker's."""
    producer = KafkaProducer(
        bootstrap_servers=kafka.brokers, max_request_size=2 * MAX_MESSAGE_BYTES
    )
    try:
        sent = producer.send(topics.images, bytes(MAX_MESSAGE_BYTES + 1))
        with pytest.raises(MessageSizeTooLargeError):
            sent.get(timeout=30)
    finally:
        producer.close()


def test_a_topic_that_was_not_created_stays_unknown(kafka: RunningKafka) -> None:
    """A mistyped name is an error, not a new topic with wrong sizes."""
    producer = KafkaProducer(bootstrap_servers=kafka.brokers, max_block_ms=1_000)
    try:
        with pytest.raises(KafkaError):
            producer.send(f"no-such-{uuid.uuid4().hex}", b"lost").get(timeout=5)
    finally:
        producer.close()


def test_a_killed_broker_comes_back_with_what_it_acknowledged(
    kafka: RunningKafka, topics: TopicNames
) -> None:
    """SIGKILL, restart: same address, another process, every acknowledged record."""
    before, pid = kafka.brokers, kafka.pid
    sent = [str(number).encode() for number in range(100)]
    producer = KafkaProducer(bootstrap_servers=kafka.brokers, acks="all")
    try:
        for future in [producer.send(topics.verdicts, value) for value in sent]:
            future.get(timeout=30)
    finally:
        producer.close()
    kafka.kill()
    assert not kafka.running
    kafka.restart()
    assert (kafka.brokers, kafka.running) == (before, True)
    assert kafka.pid != pid
    assert _read(kafka, topics.verdicts, len(sent)) == sent


def test_the_broker_runs_on_the_java_of_the_wheel_under_an_id_that_begins_with_a_dash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newcomer without Java gets a broker. Leaving the block stops it; twice is fine."""
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xf8" + bytes(15)))
    java = wheel_java()
    assert java is not None
    with start_kafka(tmp_path, java=JavaRuntime(java, java_major(java) or 0)) as broker:
        assert broker.running
        broker.stop()
        assert not broker.running
    assert not broker.running
    assert listens_nowhere(broker.port)


def test_a_given_port_that_is_taken_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """The number was asked for, so no other is taken in its place."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{port} .*somebody else does"):
            start_kafka(tmp_path, port=port)
    assert list(tmp_path.iterdir()) == []


def test_a_port_lost_in_the_race_is_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody takes the port between the choice and the start; the second choice is used."""
    choices: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as other:

        def choose() -> int:
            choices.append(free_port() if choices else other.getsockname()[1])
            return choices[-1]

        monkeypatch.setattr(kafka_module, "free_port", choose)
        monkeypatch.setattr(kafka_module, "port_is_free", lambda port: True)
        with start_kafka(tmp_path) as broker:
            assert broker.port in choices[1:]
            assert broker.port != other.getsockname()[1]


def test_a_broker_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """The reason that the server gave is in the message."""
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'Unrecognized option: -Xss512k'\nexit 1\n")
    java.chmod(0o755)
    with pytest.raises(StartFailed, match=r"format\.log ends:\n  Unrecognized option: -Xss512k"):
        start_kafka(tmp_path / "broker", java=JavaRuntime(java, 17))


def listens_nowhere(port: int) -> bool:
    """Whether nobody accepts connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _read(kafka: RunningKafka, topic: str, count: int) -> list[bytes]:
    """The first `count` values of a topic's only partition."""
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.brokers,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2 * MAX_MESSAGE_BYTES,
    )
    values: list[bytes] = []

    def enough() -> bool:
        for records in consumer.poll(timeout_ms=200).values():
            values.extend(record.value for record in records)
        return len(values) >= count

    try:
        consumer.assign([TopicPartition(topic, 0)])
        wait_for(enough, f"{count} records of {topic}", deadline_s=60)
    finally:
        consumer.close()
    return values
