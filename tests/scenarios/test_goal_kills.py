"""Goal G1: kill -9, again and again, at every place of a transaction."""

import random

from tests.scenarios import oracle
from tests.scenarios.fleet import Fleet, kill_again_and_again
from tests.scenarios.harness import Run, ordinary_events
from tests.scenarios.report import Report, outcome_facts, percentile
from tests.scenarios.sizes import SEED, size

EVENTS, KILLS, WORKERS = size(600, 10_000), size(8, 50), 3
PORTION = 20
RESUME_S = 5.0


def test_kill_9_at_every_place_of_a_transaction_loses_and_doubles_nothing(
    run: Run, report: Report
) -> None:
    fleet = Fleet(run, WORKERS, random.Random(SEED))
    put = 0

    def feed() -> None:
        nonlocal put
        run.put(ordinary_events(PORTION, start=put))
        put += PORTION

    with oracle.Watcher(run.brokers, run.topics.verdicts) as watcher:
        resumed = list(kill_again_and_again(fleet, KILLS, feed))
        run.put(ordinary_events(max(0, EVENTS - put), start=put))
        run.wait_drained()
    found, shown = run.check(), watcher.check()
    assert len(found.verdicts) >= EVENTS
    assert percentile(resumed, 0.95) <= RESUME_S * size(4, 1)  # small runs share their machine
    assert fleet.drain() == [0] * WORKERS
    report.keep(
        "G1",
        f"{len(found.verdicts)} events, {WORKERS} workers, {KILLS} kills by SIGKILL",
        outcome_facts(found)
        | {"kills": KILLS, "shown_to_a_concurrent_reader": shown}
        | {"resume_p95_s": percentile(resumed, 0.95), "schedule": fleet.schedule},
    )
