"""Creating the topics: once, with the right limits, and never changing what exists."""

import json
import uuid
from collections.abc import Iterator

import pytest
import typer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from typer.testing import CliRunner

from deploy.services.kafka import RunningKafka
from worker.broker.topic_creation import create_topics
from worker.broker.topics import (
    Topics,
    dead_letters_max_message_bytes,
    images_max_message_bytes,
    plan_topics,
)
from worker.commands import stream as cli_stream
from worker.errors import StopError
from worker.settings.delivery import HEADROOM_BYTES

DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
def names(kafka: RunningKafka) -> Iterator[Topics]:
    """Names that do not exist yet; what the test makes of them is deleted."""
    topics = Topics(f"test-{uuid.uuid4().hex[:12]}.")
    yield topics
    client = KafkaAdminClient(bootstrap_servers=kafka.brokers)
    try:
        there = sorted(set(topics.all()) & set(client.list_topics()))
        if there:
            client.delete_topics(there)
    finally:
        client.close()


def configs(kafka: RunningKafka, topics: Topics) -> dict[str, dict[str, str]]:
    client = KafkaAdminClient(bootstrap_servers=kafka.brokers)
    try:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics.all()]
        [described] = client.describe_configs(resources, config_filter="all").values()
    finally:
        client.close()
    return {
        topic: {name: entry["value"] for name, entry in entries.items()}
        for topic, entries in described.items()
    }


def test_all_are_created_with_their_partitions_limits_and_retention(
    kafka: RunningKafka, names: Topics
) -> None:
    reports = create_topics(kafka.brokers, names, partitions=5)
    assert {r.name: r.partitions for r in reports} == {
        names.images: 5,
        names.verdicts: 5,
        names.alerts: 3,
        names.dead_letters: 3,
        names.fingerprints: 5,
        names.redrives: 3,
        names.decisions: 1,
        names.notify_dead_letters: 1,
    }
    assert all(r.created and not r.differences for r in reports)
    found = configs(kafka, names)
    days = {topic: int(found[topic]["retention.ms"]) / DAY_MS for topic in names.all()}
    assert list(days.values()) == [7, 30, 180, 14, 30, 14, 180, 30]
    assert found[names.images]["max.message.bytes"] == str(10 * 1024 * 1024 + 64 * 1024)
    compression = {topic: found[topic]["compression.type"] for topic in names.all()}
    assert compression == dict.fromkeys(names.all(), "producer") | dict.fromkeys(
        (names.images, names.redrives), "uncompressed"
    )
    for topic in (names.dead_letters, names.redrives):
        assert found[topic]["max.message.bytes"] == str(10 * 1024 * 1024 + 128 * 1024)
    alert, letter = (
        int(found[topic]["max.message.bytes"])
        for topic in (names.alerts, names.notify_dead_letters)
    )
    assert letter == alert + 64 * 1024, "any alert fits, with the reason beside it"


def test_what_exists_is_left_alone_and_compared(kafka: RunningKafka, names: Topics) -> None:
    create_topics(kafka.brokers, names, partitions=2)
    before = configs(kafka, names)
    reports = create_topics(kafka.brokers, names, partitions=4, max_image_bytes=1024)
    assert not any(r.created for r in reports)
    images = reports[0]
    assert images.partitions == 2
    assert images.differences == (
        "partitions: 2 found, 4 planned",
        "max.message.bytes: 10551296 found, 66560 planned",
    )
    assert images.alter == (
        f"kafka-configs.sh --bootstrap-server {kafka.brokers} --alter --entity-type topics"
        f" --entity-name {names.images} --add-config max.message.bytes=66560"
    )
    assert configs(kafka, names) == before


def test_the_command_says_which_were_created_and_which_were_there(
    kafka: RunningKafka, names: Topics
) -> None:
    app = typer.Typer()
    cli_stream.contribute(app)
    command = ["topics", "create", "--brokers", kafka.brokers, "--prefix", names.prefix]
    env = {"LATENTPRINT_STATE": "/nonexistent/services.json"}
    first = CliRunner().invoke(app, [*command, "--json"], env=env)
    assert first.exit_code == 0, first.output
    topics = json.loads(first.stdout)["topics"]
    assert [t["name"] for t in topics] == list(names.all())
    assert [t["partitions"] for t in topics] == [12, 12, 3, 3, 12, 3, 1, 1]
    assert all(t["created"] for t in topics)
    again = CliRunner().invoke(app, [*command, "--partitions", "6"], env=env)
    assert again.exit_code == 0
    assert again.stdout.count("exists") == 8
    assert "partitions: 12 found, 6 planned" in again.stderr


def test_a_cluster_that_refuses_is_quoted(kafka: RunningKafka, names: Topics) -> None:
    with pytest.raises(StopError, match="Kafka refused to create") as caught:
        create_topics(kafka.brokers, names, replication=3)
    assert caught.value.exit_code == 1


def test_three_replicas_require_two_to_answer() -> None:
    plans = plan_topics(Topics(), replication=3)
    assert {plan.configs()["min.insync.replicas"] for plan in plans} == {"2"}
    assert "min.insync.replicas" not in plan_topics(Topics())[0].configs()


def test_a_prefix_that_kafka_would_refuse_is_wrong_use() -> None:
    with pytest.raises(StopError, match="topic prefix 'a b'") as caught:
        Topics("a b")
    assert caught.value.exit_code == 2


def test_a_dead_letter_has_room_for_the_largest_event_and_its_reason() -> None:
    for limit in (1024, 10 * 1024 * 1024):
        room = dead_letters_max_message_bytes(limit) - images_max_message_bytes(limit)
        assert room == HEADROOM_BYTES


def test_alter_gives_topics_the_planned_settings_and_the_partitions_they_lack(
    kafka: RunningKafka, names: Topics
) -> None:
    create_topics(kafka.brokers, names, partitions=2)
    reports = create_topics(kafka.brokers, names, partitions=4, max_image_bytes=2048, alter=True)
    images = reports[0]
    assert images.partitions == 4
    assert images.differences == ()
    assert images.altered == (
        "max.message.bytes: 10551296 before, 67584 now",
        "partitions: 2 before, 4 now",
    )
    assert configs(kafka, names)[names.images]["max.message.bytes"] == "67584"
    again = create_topics(kafka.brokers, names, partitions=4, max_image_bytes=2048, alter=True)
    assert not any(report.altered or report.differences for report in again)


def test_alter_takes_no_partition_away_and_says_so(kafka: RunningKafka, names: Topics) -> None:
    create_topics(kafka.brokers, names, partitions=4)
    images = create_topics(kafka.brokers, names, partitions=2, alter=True)[0]
    assert (images.partitions, images.altered) == (4, ())
    assert images.differences == ("partitions: 4 found, 2 planned",)


def test_a_worker_in_shadow_reads_the_same_inputs_and_writes_to_topics_of_its_own() -> None:
    counts, shadow = Topics("p."), Topics("p.", shadow=True)
    assert shadow.inputs == counts.inputs
    assert shadow.outputs == tuple(name.replace("p.", "p.shadow.") for name in counts.outputs)


def test_alter_adds_no_partition_that_was_not_asked_for(kafka: RunningKafka, names: Topics) -> None:
    create_topics(kafka.brokers, names, partitions=2)
    reports = create_topics(kafka.brokers, names, max_image_bytes=2048, alter=True)
    assert reports[0].partitions == 2
    assert reports[0].altered == ("max.message.bytes: 10551296 before, 67584 now",)
    assert reports[0].differences == ("partitions: 2 found, 12 planned",)
