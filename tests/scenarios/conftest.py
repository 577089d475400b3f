"""One run of a scenario on the shared Kafka and Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from deploy.services.kafka import RunningKafka, start_kafka
from tests import topic_names
from tests.scenarios.harness import Run
from tests.scenarios.proxy import Proxy
from tests.scenarios.report import Report
from tests.topic_names import TopicNames


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Where a scenario's figures go."""
    return Report(request.node.nodeid)


@pytest.fixture
def run(kafka: RunningKafka, redis_url: str, topics: TopicNames, tmp_path: Path) -> Iterator[Run]:
    """A scenario's own topics, group and ledger; its workers' logs lie in `tmp_path`."""
    scenario = Run(kafka.brokers, redis_url, topics, tmp_path)
    yield scenario
    for worker in scenario.workers:
        worker.kill()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """In front of `proxied_broker`."""
    with Proxy() as listening:
        yield listening


@pytest.fixture
def proxied_broker(proxy: Proxy, tmp_path: Path) -> Iterator[RunningKafka]:
    """A broker of its own, which tells those who come in by its second door to use the proxy."""
    with start_kafka(tmp_path / "kafka", advertised_port=proxy.port) as broker:
        proxy.target_port = broker.proxied_port
        yield broker


@pytest.fixture
def proxied(
    proxied_broker: RunningKafka, proxy: Proxy, redis_url: str, tmp_path: Path
) -> Iterator[tuple[Run, Proxy]]:
    """A run on that broker; its workers reach it through the proxy, everyone else directly."""
    admin = KafkaAdminClient(bootstrap_servers=proxied_broker.brokers)
    try:
        topics = topic_names.create(admin)
    finally:
        admin.close()
    run = Run(proxied_broker.brokers, redis_url, topics, tmp_path)
    run.worker_brokers = f"127.0.0.1:{proxy.port}"
    yield run, proxy
    for worker in run.workers:
        worker.kill()
