"""Goal G1: kill -9, again and again, at every place of a transaction."""

import random

from kafka import KafkaAdminClient

from tests.scenarios import oracle
from tests.scenarios.fleet import Fleet, kill_again_and_again
from tests.scenarios.harness import Run
from tests.scenarios.load import Load
from tests.scenarios.report import Report, outcome_facts, percentile
from tests.scenarios.sizes import SEED, size

EVENTS, KILLS, WORKERS = size(600, 10_000), size(8, 50), 3
PARTITIONS, PORTION = 12, 20
RESUME_S = 5.0


def test_kill_9_at_every_place_of_a_transaction_loses_and_doubles_nothing(
    run: Run, report: Report
) -> None:
    fleet = Fleet(run, WORKERS, random.Random(SEED))
    load = Load(run, PORTION, waiting=5 * PORTION)
    admin = KafkaAdminClient(bootstrap_servers=run.brokers)
    admin.create_partitions({run.topics.images: PARTITIONS})
    admin.close()
    with oracle.Watcher(run.brokers, run.topics.verdicts) as watcher:
        resumed = kill_again_and_again(fleet, KILLS, load.feed)
        load.add(max(0, EVENTS - load.put))
        run.wait_drained()
    found, shown = run.check(), watcher.check()
    assert len(found.verdicts) >= EVENTS
    assert percentile(resumed, 0.95) <= RESUME_S * size(4, 1)  # small runs share their machine
    assert fleet.drain() == [0] * WORKERS
    report.keep(
        "G1",
        f"{len(found.verdicts)} events, {PARTITIONS} partitions, {WORKERS} workers, {KILLS} kills"
        " by SIGKILL",
        outcome_facts(found)
        | {"kills": KILLS, "shown_to_a_concurrent_reader": shown}
        | {"resume_p95_s": percentile(resumed, 0.95), "schedule": fleet.schedule},
    )
