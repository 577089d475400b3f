"""One run of a scenario on the shared Kafka and Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.services.kafka import RunningKafka
from tests.scenarios.harness import Run
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
