"""Goal G4: workers join and leave all the time, one is killed while it hands partitions over."""

import random
import signal
from itertools import count

from tests.scenarios.harness import Run, ordinary_events, running
from tests.scenarios.report import Report, outcome_facts
from tests.scenarios.sizes import SEED, size
from tests.waiting import wait_for

CHANGES = size(4, 30)
SLOTS = 3


def test_workers_that_come_and_go_lose_and_double_nothing(run: Run, report: Report) -> None:
    schedule, starts = random.Random(SEED), count(0, 60)
    changes: list[str] = []
    with running(run.worker(0)):
        members = {0: run.workers[-1]}
        for _ in range(CHANGES):
            run.put(ordinary_events(60, start=next(starts)))
            absent = [slot for slot in range(1, SLOTS) if slot not in members]
            leaving = schedule.choice(sorted(members)[1:]) if len(members) > 1 else 0
            if absent and (leaving == 0 or schedule.random() < 0.5):
                slot = schedule.choice(absent)
                members[slot] = run.worker(slot)
                members[slot].wait_ready()
                changes.append(f"join {slot}")
            else:
                assert members.pop(leaving).drain() == 0
                changes.append(f"leave {leaving}")
        run.wait_drained()
        found = run.check()
        assert [member.drain() for member in members.values()] == [0] * len(members)
    report.keep(
        "G4",
        f"{CHANGES} joins and leaves under load, {SLOTS} slots",
        outcome_facts(found) | {"changes": changes},
    )


def test_a_worker_that_is_killed_while_it_hands_over_loses_nothing(run: Run) -> None:
    run.put(ordinary_events(200))
    first = run.worker(0, failpoint="in_revoke:kill@1")
    first.wait_ready()
    run.put(ordinary_events(200, start=200))
    with running(run.worker(1)) as second:
        wait_for(lambda: first.process.poll() is not None, "the hand-over to be reached", 60.0)
        assert first.wait_ended() == -signal.SIGKILL
        run.put(ordinary_events(100, start=400))
        run.wait_drained()
        assert len(run.check().verdicts) == 500
        assert second.drain() == 0


def test_no_partition_is_orphaned_when_the_killed_one_is_back_before_its_session_ends(
    run: Run,
) -> None:
    """What it was giving up belongs to nobody then, and a static member's return moves nothing."""
    long_session = "45"
    run.put(ordinary_events(200))
    first = run.worker(0, failpoint="in_revoke:kill@1", KAFKA__SESSION_TIMEOUT_S=long_session)
    first.wait_ready()
    with running(run.worker(1, KAFKA__SESSION_TIMEOUT_S=long_session)) as second:
        assert first.wait_ended() == -signal.SIGKILL
        with running(run.worker(0, KAFKA__SESSION_TIMEOUT_S=long_session)) as back:
            run.put(ordinary_events(200, start=200))
            run.wait_drained(30.0)
            assert len(run.check().verdicts) == 400
            assert back.drain() == 0
        assert second.drain() == 0
