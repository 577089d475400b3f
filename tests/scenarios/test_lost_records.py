"""What Kafka deletes before it is judged, and a topic that is deleted and made again."""

from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition

from tests.scenarios import oracle
from tests.scenarios.harness import DARK, Event, Run, ordinary_events, running
from tests.topic_names import IMAGE_PARTITIONS
from tests.waiting import wait_for

EVENTS = 12


def admin_of(run: Run) -> KafkaAdminClient:
    return KafkaAdminClient(bootstrap_servers=run.brokers)


def test_records_deleted_while_no_worker_ran_are_named_and_passed_over_only_when_told(
    run: Run,
) -> None:
    run.put(Event(DARK, key=b"one partition") for _ in range(4))
    with running(run.worker()) as worker:
        run.wait_drained()
        assert worker.drain() == 0
    run.put(Event(DARK, key=b"one partition") for _ in range(10))
    [number] = {partition for partition, _ in run.ledger.keys}
    admin = admin_of(run)
    try:
        admin.delete_records({TopicPartition(run.topics.images, number): 9})
    finally:
        admin.close()
    stopped = run.worker()
    assert stopped.wait_ended() == 1
    assert f"{run.topics.images}-{number} begins at offset 9" in stopped.log.read_text()
    assert "5 records were deleted before they were judged" in stopped.log.read_text()
    with running(run.worker(DELIVERY__ON_LOST_RECORDS="continue")) as worker:
        run.wait_drained()
        assert worker.drain() == 0
    assert '"records_lost": 5' in worker.log.read_text()
    places = oracle.find(run.brokers, run.topics).places()
    assert places == {(number, offset): 1 for offset in (0, 1, 2, 3, 9, 10, 11, 12, 13)}


def test_a_topic_made_again_under_a_running_worker_gives_no_two_events_one_id(run: Run) -> None:
    run.put(ordinary_events(EVENTS))
    with running(run.worker()) as worker:
        run.wait_drained()
        admin = admin_of(run)
        try:
            admin.delete_topics([run.topics.images])
            wait_for(lambda: run.topics.images not in admin.list_topics(), "the topic to be gone")
            admin.create_topics(
                {run.topics.images: {"num_partitions": IMAGE_PARTITIONS, "replication_factor": 1}},
                wait_for_metadata=True,
            )
        finally:
            admin.close()
        run.ledger.keys.clear()
        run.put(ordinary_events(EVENTS))

        def verdicts() -> int:
            return len(oracle.find(run.brokers, run.topics).verdicts)

        wait_for(lambda: verdicts() >= 2 * EVENTS, "both topics' events to be judged", 90.0)
        run.wait_drained()
        assert worker.drain() == 0
    found = [verdict for _, verdict in oracle.find(run.brokers, run.topics).verdicts]
    assert len(found) == 2 * EVENTS
    assert len({verdict.verdict_id for verdict in found}) == 2 * EVENTS
    assert len({verdict.event_id for verdict in found}) == 2 * EVENTS
    assert len({verdict.topic_id for verdict in found}) == 2
