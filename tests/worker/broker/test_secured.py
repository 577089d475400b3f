"""G18: over TLS and logins every role does its work with exactly its rights, and nothing else.

What is denied stands as a table in docs/operations/rights.md, as it was said here.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError

from tests.certificates import HOST
from tests.scenarios.harness import DARK, Event, Run, running
from tests.secured_redis import PASSWORD as REDIS_PASSWORD
from tests.secured_redis import secured_redis
from tests.topic_names import TopicNames
from tests.waiting import wait_for
from tests.worker.broker.secured import PASSWORD, SecuredKafka
from worker.broker.admin import admin, require_topics, unreachable
from worker.broker.clients import connection, new_reader, new_sender
from worker.broker.group_floor import read_floor
from worker.broker.leaving import leave_group
from worker.broker.read_back import read_back
from worker.broker.refusals import Who
from worker.broker.rights import DLQ_TRANSACTIONAL_ID, role, roles
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.documents.write_rights import FILE as PAGE
from worker.errors import StopError
from worker.outside.dead_letter_queue import kept_letters, settle
from worker.outside.submit import submit
from worker.outside.watch import watch
from worker.settings.kafka import KafkaSettings
from worker.settings.settings import Settings
from worker.stream.start_checks import check_start

PREFIX, GROUP, NOTIFY = "g18.", "g18", "g18-notify"
TOPICS = Topics(PREFIX)
MOST = 2 * 1024 * 1024
READ_S = 2.0
"""A denial comes with the first answer, unless the topic is hidden: then the client waits."""


@dataclass(frozen=True)
class House:
    """The broker, with a user for each role and nothing but that role's rights."""

    broker: SecuredKafka

    def settings(self, user: str, group: str = GROUP) -> KafkaSettings:
        return KafkaSettings.model_validate(
            {
                "brokers": self.broker.tls_brokers,
                "prefix": PREFIX,
                "group": group,
                "security": "SASL_SSL",
                "sasl_username": f"g18-{user}",
                "sasl_password": PASSWORD,
                "tls_ca_file": self.broker.certificates.authority,
            }
        )

    def client(self, user: str) -> dict[str, Any]:
        client = connection(self.settings(user))
        del client["bootstrap_servers"]
        return client

    @property
    def brokers(self) -> str:
        return self.broker.tls_brokers


@pytest.fixture(scope="module")
def house(secured_broker: SecuredKafka) -> House:
    """The topics are made by the role that makes topics."""
    house = House(secured_broker)
    for one in roles(PREFIX, GROUP, NOTIFY):
        secured_broker.add_user(f"g18-{one.name}")
        secured_broker.allow(f"g18-{one.name}", one.rights)
    secured_broker.allow("g18-checks", role("worker", PREFIX, GROUP).rights)
    reports = create_topics(house.brokers, TOPICS, partitions=1, client=house.client("topics"))
    assert all(report.created for report in reports)
    return house


# Every role does its work -----------------------------------------------------------------


@pytest.fixture
def run(house: House, tmp_path: Path) -> Iterator[tuple[Run, dict[str, Any]]]:
    """A run against both secured services, and what a worker needs to get in."""
    files = {"kafka": PASSWORD, "redis": REDIS_PASSWORD}
    for name, secret in files.items():
        (tmp_path / name).write_text(f"{secret}\n")
        (tmp_path / name).chmod(0o600)
    made = house.broker.certificates
    with secured_redis(tmp_path) as redis:
        run = Run(house.broker.open_brokers, redis.url, TopicNames(PREFIX), tmp_path, group=GROUP)
        run.worker_brokers = house.brokers
        yield (
            run,
            {
                "PROFILE": "local",
                "KAFKA__SECURITY": "SASL_SSL",
                "KAFKA__SASL_USERNAME": "g18-worker",
                "KAFKA__SASL_PASSWORD_FILE": str(tmp_path / "kafka"),
                "KAFKA__TLS_CA_FILE": str(made.authority),
                "REDIS__USERNAME": "worker",
                "REDIS__PASSWORD_FILE": str(tmp_path / "redis"),
                "REDIS__TLS_CA_FILE": str(redis.certificates.authority),
            },
        )
        for worker in run.workers:
            worker.kill()


def test_from_upload_to_decision_every_role_does_its_work_with_exactly_its_rights(
    house: House, run: tuple[Run, dict[str, Any]], tmp_path: Path
) -> None:
    scenario, environment = run
    image = tmp_path / "images" / "dark.png"
    image.parent.mkdir()
    image.write_bytes(DARK)
    sent = submit(
        [image.parent], brokers=house.brokers, topic=TOPICS.images, client=house.client("producer")
    )
    assert sent.submitted == 1
    scenario.put([Event(DARK), Event(b"no image", doomed=True)])
    with running(scenario.worker(**environment)) as worker:
        scenario.wait_drained()
        assert "startup" in worker.log.read_text()
    assert leave_group(house.settings("worker"), [0], timeout_s=10.0) == [0]
    assert f"rediss://{HOST}" in scenario.redis_url

    def watched(user: str, *, alerts: bool) -> list[str]:
        found = watch(
            house.brokers, TOPICS, alerts=alerts, from_start=True, until_idle_s=1.0,
            client=house.client(user),
        )  # fmt: skip
        return sorted(one.kind for one in found)

    assert watched("reader", alerts=False) == ["dead_letter", "verdict", "verdict"]
    assert set(watched("alerts-reader", alerts=True)) <= {"alert"}
    (letter,) = kept_letters(house.brokers, TOPICS, client=house.client("dlq-reader"))
    assert settle(
        house.brokers, TOPICS, [letter], action="redriven", by="ada", reason="test",
        client=house.client("dlq"),
    ) == 1  # fmt: skip
    read = read_back(
        house.brokers, TOPICS.fingerprints, [0], house.client("calibrator"), max_message_bytes=MOST
    )
    assert len(list(read)) == 2


def test_with_the_rights_of_checks_every_check_is_made(house: House) -> None:
    warnings: list[str] = []
    settings = Settings(profile="local", kafka=house.settings("checks"))
    wait_for(  # the topic of transactions is there once somebody has begun one
        lambda: not check_start(settings, warnings.append).unseen, "all to be seen"
    )
    assert check_start(settings, lambda warning: None).lacking == ()


def test_notify_and_its_redrive_do_what_they_do(house: House) -> None:
    client, notify = house.client("notify"), house.settings("notify", NOTIFY)
    assert attempt(house, "notify", "transact", f"{NOTIFY}-0") is None
    assert attempt(house, "notify", "write", TOPICS.notify_dead_letters) is None
    assert read_floor(notify, "5c" * 32) is None
    with admin(house.brokers, client=client) as cluster:
        assert require_topics(cluster, [TOPICS.alerts], Who.by(house.brokers, client), "READ")
    assert attempt(house, "notify-redrive", "write", TOPICS.notify_dead_letters) is None
    assert attempt(house, "notify-redrive", "read", TOPICS.notify_dead_letters) is None
    assert attempt(house, "notify-redrive", "group", f"{NOTIFY}-redrive") is None


def test_topics_are_altered_by_who_may_and_others_are_told_what_they_lack(house: House) -> None:
    changed = {"partitions": 2, "alter": True}

    def alter(user: str, **plan: Any) -> None:
        create_topics(house.brokers, TOPICS, client=house.client(user), **plan)

    with pytest.raises(StopError, match=r"g18-topics has no ALTER on topic g18\.") as refused:
        alter("topics", **changed)
    assert refused.value.exit_code == 2
    smaller = {"max_image_bytes": 1024 * 1024, "alter": True}
    with pytest.raises(StopError, match=r"g18-topics has no ALTER_CONFIGS on topic g18\.images"):
        alter("topics", **smaller)
    house.broker.allow("g18-topics-alter", role("topics", PREFIX).rights)
    alter("topics-alter", **smaller)
    alter("topics-alter", **changed)
    with admin(house.brokers, client=house.client("topics")) as cluster:
        found = require_topics(
            cluster, [TOPICS.images], Who.by(house.brokers, house.client("topics")), "DESCRIBE"
        )
    assert found == {TOPICS.images: [0, 1]}


# All else is denied -----------------------------------------------------------------------


def attempt(house: House, user: str, verb: str, target: str) -> StopError | None:
    """Try it on the broker itself, without asking first; what the program says of a refusal."""
    try:
        _attempt(house, user, verb, target)
    except StopError as refused:
        return refused
    return None


def _attempt(house: House, user: str, verb: str, target: str) -> None:
    brokers, client = house.brokers, house.client(user)
    if verb == "create":
        create_topics(brokers, Topics(target), partitions=1, client=client)
    elif verb == "group":
        read_floor(house.settings(user, target), "5c" * 32)
    elif verb == "read":
        _read(brokers, client, target)
    else:
        _write(brokers, client, verb, target)


def _read(brokers: str, client: Mapping[str, Any], topic: str) -> None:
    consumer = new_reader(brokers, client, max_message_bytes=MOST)
    try:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)
        end = time.monotonic() + READ_S
        while time.monotonic() < end:
            if consumer.poll(timeout_ms=100):
                return
    except KafkaError as error:
        raise unreachable(brokers, error, client, "READ") from error
    finally:
        consumer.close(autocommit=False, timeout_ms=1000)
    with admin(brokers, client=client) as cluster:
        require_topics(cluster, [topic], Who.by(brokers, client), "READ")


def _write(brokers: str, client: Mapping[str, Any], verb: str, target: str) -> None:
    transactional_id = target if verb == "transact" else None
    producer = new_sender(
        brokers, client, max_request_bytes=1000, request_s=5.0, delivery_s=6.0,
        transactional_id=transactional_id,
    )  # fmt: skip
    try:
        if transactional_id is not None:
            producer.init_transactions()
        else:
            producer.send(target, value=b"x").get(timeout=8)
    except KafkaError as error:
        raise unreachable(brokers, error, client, "WRITE", transactional_id or "") from error
    finally:
        producer.discard(1.0)


MAY_WRITE_NOTHING = "may write to no topic at all"

DENIED = [
    ("worker", "write", TOPICS.images, "WRITE on topic"),
    ("worker", "write", TOPICS.redrives, "WRITE on topic"),
    ("worker", "write", TOPICS.decisions, "WRITE on topic"),
    ("worker", "read", TOPICS.verdicts, "READ on topic"),
    ("worker", "read", TOPICS.fingerprints, "READ on topic"),
    ("worker", "group", NOTIFY, "READ on group"),
    ("worker", "transact", f"{PREFIX}{DLQ_TRANSACTIONAL_ID}", "WRITE and DESCRIBE on transac"),
    ("worker", "create", "g18.more.", "CREATE on topic"),
    ("producer", "read", TOPICS.images, "READ on topic"),
    ("producer", "write", TOPICS.verdicts, "WRITE on topic"),
    ("producer", "group", GROUP, "READ on group"),
    ("reader", "read", TOPICS.images, "READ on topic"),
    ("reader", "write", TOPICS.verdicts, MAY_WRITE_NOTHING),
    ("alerts-reader", "read", TOPICS.dead_letters, "READ on topic"),
    ("dlq-reader", "write", TOPICS.decisions, MAY_WRITE_NOTHING),
    ("dlq-reader", "transact", f"{PREFIX}{DLQ_TRANSACTIONAL_ID}", "WRITE and DESCRIBE on tran"),
    ("dlq", "write", TOPICS.images, "WRITE on topic"),
    ("dlq", "read", TOPICS.images, "READ on topic"),
    ("notify", "write", TOPICS.alerts, "WRITE on topic"),
    ("notify", "group", GROUP, "READ on group"),
    ("calibrator", "read", TOPICS.images, "READ on topic"),
    ("topics", "read", TOPICS.images, "READ on topic"),
    ("topics", "create", "elsewhere.", "CREATE on topic"),
]


@pytest.mark.parametrize(("user", "verb", "target", "right"), DENIED)
def test_what_a_role_does_not_need_is_denied_and_the_missing_right_is_named(
    house: House, user: str, verb: str, target: str, right: str
) -> None:
    refused = attempt(house, user, verb, target)
    assert refused is not None, f"{user} may {verb} {target}"
    assert refused.exit_code == 2
    said = str(refused)
    if right == MAY_WRITE_NOTHING:
        assert f"User:g18-{user} {right}; give it WRITE on those" in said
    else:
        assert f"User:g18-{user} has no {right}" in said
        assert target in said
        assert f"--allow-principal User:g18-{user} --operation" in said, "what gives it"
    line = row(user, verb, target, said)
    assert line in PAGE.read_text(encoding="utf-8"), line


def row(user: str, verb: str, target: str, said: str) -> str:
    """The line of the page."""
    words = said.partition("refuses: ")[2].partition("; give it with")[0]
    return f"| `{user}` | {verb} `{target}` | {words.partition(': `latent')[0]} |"
