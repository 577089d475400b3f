"""A worker that is killed at the worst moments loses nothing and doubles nothing."""

import signal

from tests.scenarios import oracle
from tests.scenarios.harness import Run, ordinary_events, running

EVENTS = 1000

WORST_MOMENTS = (
    "after_first_send:kill@2",  # records written, neither flushed nor offset
    "after_flush:kill@2",  # all records acknowledged, no offset
    "after_offsets:kill@2",  # offsets pending, not committed: the next producer must settle it
    "after_commit:kill@2",  # committed, but the worker never learned of it
    "after_offsets:kill@1",  # and again at once, before anything of its own was committed
)


def test_each_event_has_one_outcome_although_the_worker_is_killed_again_and_again(
    run: Run,
) -> None:
    """Five SIGKILLs inside transactions, 1,000 events: none lost, none doubled, order kept."""
    run.put(ordinary_events(EVENTS))
    for moment in WORST_MOMENTS:
        worker = run.worker(failpoint=moment)
        assert worker.wait_ended() == -signal.SIGKILL, worker.log.read_text()[-2000:]
    with running(run.worker()) as last:
        run.wait_drained()
        found = run.check()
        assert len(found.verdicts) == EVENTS
        assert len(found.alerts) == EVENTS // 10
        assert last.drain() == 0


def test_sigterm_under_load_drains_and_exits_0_and_the_next_worker_goes_on(run: Run) -> None:
    """What was begun is committed, what was not is left to the successor."""
    run.put(ordinary_events(400))
    first = run.worker()
    first.wait_logged('"event": "commit"')
    assert first.drain() == 0
    with running(run.worker()) as second:
        run.wait_drained()
        assert len(run.check().verdicts) == 400
        assert second.drain() == 0


def test_at_least_once_loses_nothing_when_killed(run: Run) -> None:
    """The cheaper mode may publish a verdict twice after a crash, under the same id."""
    run.put(ordinary_events(200))
    killed = run.worker(failpoint="after_flush:kill@2", DELIVERY__MODE="at_least_once")
    assert killed.wait_ended() == -signal.SIGKILL
    with running(run.worker(DELIVERY__MODE="at_least_once")) as worker:
        run.wait_drained()
        assert worker.drain() == 0
    found = oracle.find(run.brokers, run.topics)
    assert set(found.places()) == set(run.ledger.keys)
    again = len(found.verdicts) - len({verdict.verdict_id for _, verdict in found.verdicts})
    assert again == sum(times - 1 for times in found.places().values())
