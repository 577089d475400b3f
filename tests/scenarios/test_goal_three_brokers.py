"""Goal G2b: of three brokers the one in charge dies under load, again and again.

In turn the leader of the input, the group's coordinator and the transactions' coordinator, each
while a batch of events waits. The brokers' profile is production: replication 3, two in step.
"""

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.scenarios.harness import COMMITTED, Run, ordinary_events, running
from tests.scenarios.report import Report, outcome_facts, percentile
from tests.scenarios.sizes import size
from tests.scenarios.three_brokers import Cluster, three_brokers
from tests.topic_names import TopicNames
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics

TIMES = size(3, 10)
"""How often one in charge is killed."""

RESUME_S = 30.0
PREFIX = "three."


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three brokers of this test alone."""
    with three_brokers(tmp_path / "kafka") as started:
        yield started


@pytest.fixture
def replicated(cluster: Cluster, redis_url: str, tmp_path: Path) -> Iterator[Run]:
    """A run on topics with three replicas."""
    create_topics(cluster.brokers, Topics(PREFIX), partitions=4, replication=3)
    run = Run(cluster.brokers, redis_url, TopicNames(PREFIX), tmp_path)
    yield run
    for worker in run.workers:
        worker.kill()


def test_of_three_brokers_the_one_in_charge_dies_under_load(
    replicated: Run, cluster: Cluster, report: Report
) -> None:
    run, starts, resumed, killed = replicated, count(0, 300), [], []
    with running(run.worker(PROFILE="production")) as worker:
        roles = {
            "leader of the input": lambda: cluster.leader(run.topics.images),
            "group coordinator": lambda: cluster.group_coordinator(run.group),
            "transaction coordinator": lambda: cluster.transaction_coordinator(f"{run.group}-0"),
        }
        for turn in range(TIMES):
            role = list(roles)[turn % len(roles)]
            before = worker.count_logged(COMMITTED)
            run.put(ordinary_events(300, start=next(starts)))
            worker.wait_commits(before)
            node = roles[role]()
            cluster.kill(node)
            killed.append(role)
            began, before = time.monotonic(), worker.count_logged(COMMITTED)
            run.put(ordinary_events(50, start=100_000 + next(starts)))
            worker.wait_commits(before, 120.0)
            resumed.append(time.monotonic() - began)
            run.wait_drained()
            cluster.nodes[node].start()
            cluster.wait_whole()
        run.wait_drained()
        found = run.check()
        assert worker.drain() == 0
    assert max(resumed) <= RESUME_S
    report.keep(
        "G2b",
        f"of three brokers one killed {TIMES} times: leader of the input, group coordinator and"
        " transaction coordinator in turn; replication 3, two in step",
        outcome_facts(found)
        | {
            "resume_p95_s": percentile(resumed, 0.95),
            "resume_max_s": round(max(resumed), 2),
            "rebuilds": worker.count_logged('"event": "rebuild"'),
            **{role: killed.count(role) for role in roles},
        },
    )
