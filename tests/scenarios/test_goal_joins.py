"""Goal G4: workers join and leave all the time, one is killed while it hands partitions over."""

import random
import signal
import time
from functools import partial

from tests.scenarios.harness import READY, Run, WorkerProcess, ordinary_events, running
from tests.scenarios.load import Load
from tests.scenarios.report import Report, outcome_facts
from tests.scenarios.sizes import FULL, SEED, size
from tests.waiting import wait_for

CHANGES = size(4, 30)
PACE_S = size(0, 6)
SLOTS = 3
LEAST_THROUGHPUT = 0.5


def test_workers_that_come_and_go_lose_and_double_nothing(run: Run, report: Report) -> None:
    schedule = random.Random(SEED)
    changes: list[str] = []
    load, rates = Load(run, portion=300, waiting=900), []
    with running(run.worker(0)):
        members = {slot: run.worker(slot) for slot in range(1, SLOTS)} | {0: run.workers[0]}
        for member in members.values():
            member.wait_ready()
        at_rest = load.rate_during(size(2, 30), lambda: True)
        began = time.monotonic()
        for _ in range(CHANGES):
            absent = [slot for slot in range(1, SLOTS) if slot not in members]
            leaving = schedule.choice(sorted(members)[1:]) if len(members) > 1 else 0
            if absent and (leaving == 0 or schedule.random() < 0.5):
                slot = schedule.choice(absent)
                members[slot] = joining = run.worker(slot)
                done = partial(joining.has_logged, READY)
                changes.append(f"join {slot}")
            else:
                parting = members.pop(leaving)
                parting.process.send_signal(signal.SIGTERM)
                done = partial(has_ended, parting)
                changes.append(f"leave {leaving}")
            rates.append(load.rate_during(PACE_S, done))
        minutes = (time.monotonic() - began) / 60
        assert all(one.process.poll() in (None, 0) for one in run.workers)
        run.wait_drained()
        found = run.check()
        assert [member.drain() for member in members.values()] == [0] * len(members)
    throughput = sum(rates) / len(rates) / at_rest
    if FULL:  # small runs are all start-up
        assert throughput >= LEAST_THROUGHPUT
        assert load.least > 0, "the workers were idle, so that the load was measured, not they"
    report.keep(
        "G4",
        f"{CHANGES} joins and leaves in {minutes:.1f} minutes, under load, {SLOTS} slots",
        outcome_facts(found)
        | {
            "share_of_the_throughput_of_all_slots_at_rest": round(throughput, 2),
            "least_waiting": load.least,
            "changes": changes,
        },
    )


def has_ended(worker: WorkerProcess) -> bool:
    """Whether its process is gone."""
    return worker.process.poll() is not None


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
