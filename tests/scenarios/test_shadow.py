"""A new bundle judges in shadow, then it counts, and then the former one counts again."""

from typing import Any

from kafka import KafkaConsumer, TopicPartition

from tests.scenarios import oracle
from tests.scenarios.harness import Run, ordinary_events, running
from tests.scenarios.small_judge import OTHER_SPACE, SPACE
from tests.scenarios.worker_process import BRIGHT_AT
from tests.waiting import wait_for
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.outside.agreement import Agreement, read_agreement


def _compared(run: Run) -> Agreement:
    return read_agreement(run.brokers, run.topics.prefix, None, since_ms=None, most_examples=3)


def _bundles(run: Run) -> list[str]:
    return [verdict.bundle_digest for _, verdict in run.check().verdicts]


def test_a_new_bundle_in_shadow_then_the_switch_and_the_way_back(
    run: Run, monkeypatch: Any
) -> None:
    """Nothing is lost or doubled by any of it, and the shadow raises no alert that counts."""
    create_topics(run.brokers, Topics(run.topics.prefix, shadow=True), partitions=1)
    run.put(ordinary_events(60))  # six of them bright
    with running(run.worker(slot=0)) as former:
        monkeypatch.setenv(BRIGHT_AT, "200")  # to the new bundle no picture is bright
        with running(run.worker(slot=0, KAFKA__SHADOW="true")) as shadow:
            run.wait_drained()
            wait_for(lambda: _compared(run).both == 60, "the shadow to judge all", 60.0)
            assert shadow.drain() == 0
        assert former.drain() == 0
    found = run.check()
    assert len(found.verdicts) == 60
    assert len(found.alerts) == 6
    agreement = _compared(run)
    assert agreement.bundles == ({SPACE}, {OTHER_SPACE})
    assert agreement.same == 54
    assert agreement.outcomes["unknown_generator", "no_evidence"] == 6
    assert agreement.flagged[True, False] == 6
    assert len(agreement.examples["no longer flagged"]) == 3
    assert (agreement.only_counts, agreement.only_shadow, agreement.unreadable) == (0, 0, 0)

    run.put(ordinary_events(20, start=60))
    with running(run.worker(slot=0)) as switched:  # the new bundle, in the group that counts
        run.wait_drained()
        assert switched.drain() == 0
    assert _bundles(run).count(OTHER_SPACE) == 20
    assert len(run.check().alerts) == 6

    monkeypatch.delenv(BRIGHT_AT)
    run.put(ordinary_events(20, start=80))
    with running(run.worker(slot=0)) as back:
        run.wait_drained()
        assert back.drain() == 0
    assert _bundles(run).count(SPACE) == 80
    assert len(run.check().alerts) == 8
    assert _committed_by_the_shadow(run) == 60


def _committed_by_the_shadow(run: Run) -> int:
    """The shadow's group has offsets of its own; those that count were never moved by it."""
    committed = oracle.committed(run.brokers, f"{run.group}-shadow", run.topics.images)
    consumer = KafkaConsumer(bootstrap_servers=run.brokers)
    try:
        starts = consumer.beginning_offsets(
            [TopicPartition(run.topics.images, partition) for partition in committed]
        )
    finally:
        consumer.close()
    return int(sum(committed.values()) - sum(starts.values()))
