"""Goal G3: a worker that sleeps past its session and wakes inside a transaction is fenced."""

import os
import random
import signal
from itertools import count

from tests.scenarios.harness import Run, WorkerProcess, ordinary_events, running
from tests.scenarios.report import Report, outcome_facts
from tests.scenarios.sizes import SEED, size
from tests.waiting import wait_for

ZOMBIES = size(2, 20)
PLACES = ("after_begin", "after_first_send", "after_flush", "after_offsets", "after_commit")


def stopped(worker: WorkerProcess) -> bool:
    """Whether SIGSTOP holds the process."""
    with open(f"/proc/{worker.process.pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


def test_a_worker_that_wakes_after_its_session_is_fenced_and_goes_on(
    run: Run, report: Report
) -> None:
    """It sleeps until another has its partitions, and wakes with a transaction half sent."""
    schedule = random.Random(SEED)
    starts = count(0, 100)
    fenced = 0
    run.put(ordinary_events(100, start=next(starts)))
    with running(run.worker(1)) as healthy:
        for _ in range(ZOMBIES):
            place = f"{schedule.choice(PLACES)}:stop@{schedule.randint(1, 3)}"
            sleeper = run.worker(0, failpoint=place)
            sleeper.wait_logged('"event": "assigned"')
            before = healthy.count_logged('"event": "assigned"')

            def fed_until_it_sleeps(sleeper: WorkerProcess = sleeper) -> bool:
                run.put(ordinary_events(20, start=next(starts)))
                return stopped(sleeper)

            wait_for(fed_until_it_sleeps, f"{place} to be reached", 60.0)
            # Past its session the group gives its partitions to the other.
            wait_for(
                lambda seen=before: healthy.count_logged('"event": "assigned"') > seen,  # type: ignore[misc]
                "the sleeper's partitions to be taken over",
                60.0,
            )
            run.put(ordinary_events(100, start=next(starts)))
            os.kill(sleeper.process.pid, signal.SIGCONT)
            # It finds out at its next commit or heartbeat, rebuilds, and is a member again.
            wait_for(
                lambda one=sleeper: any(  # type: ignore[misc]
                    one.count_logged(f'"event": "{event}"') for event in ("rebuild", "lost")
                ),
                "the zombie to notice that it was fenced",
                60.0,
            )
            fenced += 1
            assert sleeper.drain() == 0
        run.wait_drained()
        found = run.check()
        assert healthy.drain() == 0
    assert fenced == ZOMBIES
    report.keep(
        "G3",
        f"{ZOMBIES} workers stopped inside a transaction past their session, then woken",
        outcome_facts(found) | {"fenced": fenced},
    )
