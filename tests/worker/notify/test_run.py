"""Alerts in a real Kafka come to real receivers: signed, at least once, in bounded numbers."""

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from deploy.services.kafka import RunningKafka
from tests.topic_names import TopicNames
from tests.waiting import wait_for
from tests.worker.notify.alerting import plan, record
from tests.worker.notify.receiving import SECRET, Answer, Receiver, receiving
from worker.errors import StopError
from worker.events.cloudevents import Origin, OutgoingRecord, RawRecord
from worker.notify.letters import Letter, read_letter
from worker.notify.receivers import Plan
from worker.notify.redrive import Redriven, redrive
from worker.notify.run import run
from worker.settings.settings import Settings


def settings_for(kafka: RunningKafka, topics: TopicNames, **notify: Any) -> Settings:
    return Settings.model_validate(
        {
            "kafka": {"brokers": kafka.brokers, "prefix": topics.prefix},
            "notify": {"group": f"notify-{uuid.uuid4().hex[:8]}", "timeout_s": 1.0, **notify},
        }
    )


def plan_for(folder: Path, **urls: str) -> Plan:
    (folder / "secret").write_text(SECRET + "\n")
    tables = [
        f'[[receiver]]\nname = "{name}"\nurl = "{url}"\nsecret_files = ["{folder}/secret"]\n'
        for name, url in urls.items()
    ]
    return plan(folder, "[flood]\nalerts = 5\nwindow_s = 3600\nsample = 2\n" + "".join(tables))


def publish(brokers: str, topic: str, records: Sequence[OutgoingRecord]) -> None:
    producer = KafkaProducer(bootstrap_servers=brokers)
    try:
        for one in records:
            producer.send(topic, value=one.value, key=one.key, headers=list(one.headers))
        producer.flush(timeout=20)
    finally:
        producer.close(timeout=5)


@contextmanager
def running(settings: Settings, told: Plan) -> Iterator[threading.Event]:
    """`notify` on a thread; ended, and its failure raised, at the end."""
    stop, failures = threading.Event(), []

    def body() -> None:
        try:
            run(settings, told, stop=stop)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    assert failures == []


def letters(kafka: RunningKafka, topic: str) -> list[Letter]:
    consumer = KafkaConsumer(bootstrap_servers=kafka.brokers, isolation_level="read_committed")
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        found = []
        while consumer.position(partition) < end:
            for r in consumer.poll(timeout_ms=200).get(partition, []):
                origin = Origin(r.topic, r.partition, r.offset)
                found.append(read_letter(RawRecord(origin, r.key, r.value, tuple(r.headers))))
        return found
    finally:
        consumer.close()


def committed(kafka: RunningKafka, settings: Settings, topics: TopicNames) -> int | None:
    consumer = KafkaConsumer(bootstrap_servers=kafka.brokers, group_id=settings.notify.group)
    try:
        offset: int | None = consumer.committed(TopicPartition(topics.alerts, 0))
        return offset
    finally:
        consumer.close()


def test_an_alert_is_delivered_once_signed_and_committed(
    kafka: RunningKafka, topics: TopicNames, tmp_path: Path
) -> None:
    sent = record(subject="<!channel>")
    settings = settings_for(kafka, topics)
    with receiving() as pager:
        with running(settings, plan_for(tmp_path, pager=pager.url)):
            publish(kafka.brokers, topics.alerts, [sent])
            (request,) = wait_for(lambda: list(pager.requests), "the webhook")
        body = request.verified()
        assert body["type"] == "latentprint.alert.v1"
        assert body["data"]["alert"]["subject"] == "<!channel>"
        assert request.webhook_id == body["data"]["alert"]["alert_id"]
    assert committed(kafka, settings, topics) == 1
    assert letters(kafka, topics.notify_dead_letters) == []


def test_a_receiver_that_is_down_stops_no_other_and_its_alerts_can_be_redriven(
    kafka: RunningKafka, topics: TopicNames, tmp_path: Path
) -> None:
    sent = [record() for _ in range(3)]
    settings = settings_for(kafka, topics, budget_s=2.0)
    with receiving() as pager, receiving(last=Answer(503)) as down:
        told = plan_for(tmp_path, pager=pager.url, down=down.url)
        with running(settings, told):
            publish(kafka.brokers, topics.alerts, sent)
            wait_for(lambda: len(pager.requests) == 3, "the other receiver to have all")
            wait_for(lambda: committed(kafka, settings, topics) == 3, "the offsets")
        kept = letters(kafka, topics.notify_dead_letters)
        assert [one.value for one in kept] == [one.value for one in sent], "byte for byte"
        assert {one.receiver for one in kept} == {"down"}
        assert kept[0].reason == "http_503"
        assert kept[0].attempts > 1

        down.last = Answer(200)
        again: list[Redriven] = []
        redrive(settings, told, dry_run=True, tell=again.append)
        assert len(again) == 3
        redrive(settings, told, dry_run=False, tell=again.append)
        assert [one.again for one in again] == [None] * 6
        assert down.taken()[-3:] == [one.message_id for one in kept]
        assert down.requests[-1].verified()["type"] == "latentprint.alert.v1"
        assert len(pager.requests) == 3
        again.clear()
        redrive(settings, told, dry_run=False, tell=again.append)
        assert again == [], "what was redriven is not sent again"


def test_a_flood_comes_as_few_messages_that_count_every_alert(
    kafka: RunningKafka, topics: TopicNames, tmp_path: Path
) -> None:
    """The window of an hour is closed by the end, as by SIGTERM."""
    settings = settings_for(kafka, topics)
    flood = [record(model_id="flooding", source=f"/s/{i % 3}") for i in range(3_000)]
    calm = record(model_id="calm")
    with receiving() as pager:
        with running(settings, plan_for(tmp_path, pager=pager.url)):
            publish(kafka.brokers, topics.alerts, [*flood, calm])
            wait_for(lambda: len(pager.requests) >= 6, "what is told by itself", 60)
            wait_for(lambda: has_the_calm_one(pager), "the calm one, read last", 60)
        bodies = [request.verified() for request in pager.requests]
    digests = [body["data"] for body in bodies if body["type"] == "latentprint.alert_digest.v1"]
    assert len(bodies) == 5 + 1 + 1
    assert [one["count"] for one in digests] == [2_995]
    assert digests[0]["model_id"] == "flooding"
    assert sum(digests[0]["sources"].values()) == 2_995
    assert len(digests[0]["sample_alert_ids"]) == 2
    assert committed(kafka, settings, topics) == 3_001
    assert letters(kafka, topics.notify_dead_letters) == []


def has_the_calm_one(pager: Receiver) -> bool:
    """The alert of the other generator is published last, so that it arrives when all was read."""
    return any(
        request.document["data"].get("alert", {}).get("model_id") == "calm"
        for request in pager.requests
    )


def test_a_record_that_is_no_alert_becomes_a_dead_letter_and_stops_nothing(
    kafka: RunningKafka, topics: TopicNames, tmp_path: Path
) -> None:
    broken = [
        OutgoingRecord(b"k", b"\xff", (("h", b"1"),)),
        OutgoingRecord(None, b'{"alert_id": 1}', ()),
        OutgoingRecord(b"k", b"[" * 100_000, ()),
    ]
    settings = settings_for(kafka, topics)
    with receiving() as pager:
        with running(settings, plan_for(tmp_path, pager=pager.url)):
            publish(kafka.brokers, topics.alerts, [*broken, record()])
            wait_for(lambda: pager.requests, "the alert behind them")
            wait_for(lambda: committed(kafka, settings, topics) == 4, "the offsets")
        kept = letters(kafka, topics.notify_dead_letters)
    assert [one.value for one in kept] == [one.value for one in broken]
    assert {(one.reason, one.receiver) for one in kept} == {("unreadable", "")}
    assert kept[0].headers == broken[0].headers


def test_topics_that_are_not_there_are_named(kafka: RunningKafka, tmp_path: Path) -> None:
    settings = settings_for(kafka, TopicNames("none."))
    with pytest.raises(StopError, match=r"none\.alerts") as missing:
        run(settings, plan_for(tmp_path, a="http://127.0.0.1:1/"), stop=threading.Event())
    assert missing.value.exit_code == 3
