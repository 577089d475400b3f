"""One record cannot fill a worker's memory, whatever it was compressed with, and is not lost."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from kafka.errors import CorruptRecordError, UnsupportedCodecError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.structs import TopicPartition

from deploy.services.kafka import RunningKafka
from tests.topic_names import TopicNames, impose
from tests.waiting import wait_for
from worker.broker.batches import BoundedBatch, Unread, bound_batches
from worker.broker.clients import new_consumer
from worker.errors import RejectError
from worker.events.cloudevents import Origin, RawRecord
from worker.events.dead_letter import read_dead_letter
from worker.events.image_event import parse_image_event
from worker.settings.kafka import KafkaSettings
from worker.stream.answers import letter_for

MIB = 1024 * 1024
BOUND = MIB
CODECS = ["gzip", "snappy", "lz4", "zstd"]
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip_encode,
    "snappy": snappy_encode,
    "lz4": lz4_encode,
    "zstd": zstd_encode,
}


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    bound_batches(BOUND)
    yield
    bound_batches(64 * MIB)


def batch(codec: int, *values: bytes) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, -1, 1 << 30)
    for i, value in enumerate(values):
        builder.append(i, 0, b"key", value, [])
    return bytes(builder.build())


@pytest.mark.parametrize("codec", range(5))
def test_an_honest_batch_is_read_as_it_was_sent(codec: int) -> None:
    values = [bytes([i]) * 1000 for i in range(9)]
    assert [record.value for record in BoundedBatch(batch(codec, *values))] == values


@pytest.mark.parametrize("codec", range(1, 5))
def test_a_batch_of_exactly_the_bound_is_read_and_one_byte_more_is_not(codec: int) -> None:
    value = b"x" * BOUND
    unpacked = len(batch(0, value)) - DefaultRecordBatch.HEADER_STRUCT.size
    bound_batches(unpacked)
    [fits] = BoundedBatch(batch(codec, value))
    assert fits.value == value
    bound_batches(unpacked - 1)
    [over] = BoundedBatch(batch(codec, value))
    assert isinstance(over.value, Unread)
    assert f"unpacks to more than {unpacked - 1} bytes" in over.value.why


@pytest.mark.parametrize("codec", range(1, 5))
def test_every_offset_of_a_batch_that_is_not_unpacked_is_accounted_for(codec: int) -> None:
    made = bytearray(batch(codec, b"a", bytes(2 * BOUND), b"c"))
    made[0:8] = (70).to_bytes(8, "big")
    records = list(BoundedBatch(made))
    assert [record.offset for record in records] == [70, 71, 72]
    assert all(isinstance(record.value, Unread) for record in records)
    assert "offsets 70 to 72" in records[0].value.why


@pytest.mark.parametrize("codec", range(1, 5))
def test_damaged_data_is_called_corrupt_with_its_offsets(codec: int) -> None:
    made = batch(codec, b"value" * 100)
    with pytest.raises(CorruptRecordError, match="offsets 0 to 0"):
        list(BoundedBatch(made[:-4]))


def test_a_codec_that_nobody_knows_is_named_with_its_offsets() -> None:
    made = bytearray(batch(0, b"value"))
    made[22] |= 0x05
    with pytest.raises(UnsupportedCodecError, match=r"offsets 0 to 0: .*Unrecognized"):
        list(BoundedBatch(made))


def test_gzip_members_lz4_frames_and_raw_snappy_are_read_whole() -> None:
    import snappy

    from worker.broker import batches

    for name in ("gzip", "lz4"):
        twice = ENCODERS[name](b"one") + ENCODERS[name](b"two")
        assert getattr(batches, {"gzip": "_gunzip", "lz4": "_unlz4"}[name])(twice, 100) == b"onetwo"
    assert batches._unsnappy(snappy.compress(b"raw"), 100) == b"raw"
    assert batches._unsnappy(snappy_encode(bytes(100_000)), 100_000) == bytes(100_000)


@pytest.mark.parametrize("codec", CODECS)
def test_unpacking_costs_no_more_than_a_few_bounds(codec: str) -> None:
    """In a process of its own, whose peak is measured: 150 MiB of zeros, and a bound of 8."""
    program = f"""
import resource, sys
from kafka.codec import {codec}_encode
from worker.broker.batches import BoundedBatch, bound_batches
bound_batches(8 << 20)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
made = sys.stdin.buffer.read()
before = peak()
records = list(BoundedBatch(made))
print(type(records[0].value).__name__, peak() - before)
"""
    made = batch(CODECS.index(codec) + 1, bytes(150 * MIB))
    ran = subprocess.run(
        [sys.executable, "-c", program], input=made, capture_output=True, check=True, timeout=60
    )
    kind, kib = ran.stdout.decode().split()
    assert kind == "Unread"
    assert int(kib) < 60 * 1024, f"{int(kib) / 1024:.0f} MiB to refuse {len(made)} bytes"


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_on_a_real_broker_is_answered_and_the_partition_goes_on(
    kafka: RunningKafka, topics: TopicNames, codec: str
) -> None:
    """On a topic that takes batches as they are compressed, as every topic does by default."""
    admin = KafkaAdminClient(bootstrap_servers=kafka.brokers)
    try:
        impose(admin, topics.images, {"compression.type": "producer"})
    finally:
        admin.close()
    producer = KafkaProducer(
        bootstrap_servers=kafka.brokers, compression_type=codec, max_request_size=200 * MIB
    )
    try:
        sent = producer.send(topics.images, bytes(60 * MIB), key=b"bomb", partition=0)
        assert sent.get(60).offset == 0
        assert producer.send(topics.images, b"after", partition=0).get(60).offset == 1
    finally:
        producer.close()
    settings = KafkaSettings(brokers=kafka.brokers, group=topics.prefix + "g")
    consumer = new_consumer(settings, max_image_bytes=10 * MIB)
    try:
        records = read(consumer, TopicPartition(topics.images, 0), 2)
    finally:
        consumer.close()
    assert isinstance(records[0].value, Unread)
    assert records[0].offset == 0
    assert records[1].value == b"after"


def read(consumer: KafkaConsumer, partition: TopicPartition, count: int) -> list[Any]:
    consumer.assign([partition])
    consumer.seek(partition, 0)
    records: list[Any] = []

    def poll() -> bool:
        for batch in consumer.poll(timeout_ms=100).values():
            records.extend(batch)
        return len(records) >= count

    wait_for(poll, f"{count} records of {partition}")
    return records


def test_a_record_that_was_not_unpacked_is_a_dead_letter_that_says_what_is_missing() -> None:
    record = RawRecord(Origin("images", 3, 70), None, None, unread="its batch unpacks to more")
    with pytest.raises(RejectError, match="unpacks to more") as rejected:
        parse_image_event(record)
    assert rejected.value.code == "too_large"
    out = letter_for(record, rejected.value).outgoing(1 << 20)
    assert dict(out.headers)["dlq.omitted"] == b"key,value,headers"
    read_back = read_dead_letter(
        RawRecord(Origin("dead-letters", 0, 0), None, out.value, out.headers)
    )
    assert read_back.origin == record.origin
