"""Goal G3: a worker that sleeps past its session and wakes inside a transaction is fenced."""

import os
import random
import signal
import time
from itertools import count

from tests.scenarios.fleet import ASSIGNED
from tests.scenarios.harness import Run, WorkerProcess, ordinary_events, running
from tests.scenarios.report import Report, outcome_facts
from tests.scenarios.sizes import SEED, size
from tests.waiting import wait_for

ZOMBIES = size(2, 20)
REBUILT_S = 5.0
PLACES = ("after_begin", "after_first_send", "after_flush", "after_offsets", "during_commit")


def stopped(worker: WorkerProcess) -> bool:
    """Whether SIGSTOP holds the process."""
    with open(f"/proc/{worker.process.pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


def fencings(worker: WorkerProcess) -> int:
    """How often it noticed that its transaction or its partitions were gone."""
    return sum(worker.count_logged(f'"event": "{event}"') for event in ("rebuild", "lost"))


def test_a_worker_that_wakes_after_its_session_is_fenced_and_goes_on(
    run: Run, report: Report
) -> None:
    """It sleeps until another has its partitions, and wakes with a transaction half sent."""
    schedule = random.Random(SEED)
    starts = count(0, 100)
    rebuilt: list[float] = []
    run.put(ordinary_events(100, start=next(starts)))
    with running(run.worker(1)) as healthy:
        for _ in range(ZOMBIES):
            place = f"{schedule.choice(PLACES)}:stop@{schedule.randint(1, 3)}"
            sleeper = run.worker(0, failpoint=place)
            sleeper.wait_logged(ASSIGNED)
            before = healthy.count_logged(ASSIGNED)

            def fed_until_it_sleeps(sleeper: WorkerProcess = sleeper) -> bool:
                run.put(ordinary_events(20, start=next(starts)))
                return stopped(sleeper)

            wait_for(fed_until_it_sleeps, f"{place} to be reached", 60.0)
            # Past its session the group gives its partitions to the other.
            wait_for(
                lambda seen=before: healthy.count_logged(ASSIGNED) > seen,  # type: ignore[misc]
                "the sleeper's partitions to be taken over",
                60.0,
            )
            run.put(ordinary_events(100, start=next(starts)))
            before, noticed = sleeper.count_logged(ASSIGNED), fencings(sleeper)
            woken = time.monotonic()
            os.kill(sleeper.process.pid, signal.SIGCONT)
            # It finds out at its next commit or heartbeat, rebuilds, and is a member again.
            wait_for(
                lambda one=sleeper, seen=noticed: fencings(one) > seen,  # type: ignore[misc]
                "the zombie to notice that it was fenced",
                60.0,
            )
            wait_for(
                lambda one=sleeper, seen=before: one.count_logged(ASSIGNED) > seen,  # type: ignore[misc]
                "the zombie to be a member again",
                60.0,
            )
            rebuilt.append(time.monotonic() - woken)
            assert sleeper.drain() == 0
        run.wait_drained()
        found = run.check()
        assert healthy.drain() == 0
    assert max(rebuilt) <= REBUILT_S * size(4, 1)  # small runs share their machine
    report.keep(
        "G3",
        f"{ZOMBIES} workers stopped inside a transaction past their session, then woken",
        outcome_facts(found) | {"fenced": len(rebuilt), "rebuilt_max_s": round(max(rebuilt), 1)},
    )
