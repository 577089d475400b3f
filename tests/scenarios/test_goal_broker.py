"""Goal G2: the broker dies and comes back under load, again and again; nobody has to help."""

import time
from itertools import count

from deploy.services.kafka import RunningKafka
from tests.scenarios.harness import COMMITTED, Run, ordinary_events, running
from tests.scenarios.report import Report, outcome_facts, percentile
from tests.scenarios.sizes import size

TIMES = size(1, 5)
"""How often it is killed, and how often it is ended in an orderly way."""

RESUME_S = 30.0


def test_a_broker_that_dies_again_and_again_needs_no_human(
    run: Run, kafka: RunningKafka, report: Report
) -> None:
    starts, resumed = count(0, 200), []
    with running(run.worker()) as worker:
        for fault in (kafka.kill, kafka.stop) * TIMES:
            before = worker.count_logged(COMMITTED)
            run.put(ordinary_events(200, start=next(starts)))
            worker.wait_commits(before)
            fault()
            kafka.restart()
            began, before = time.monotonic(), worker.count_logged(COMMITTED)
            run.put(ordinary_events(50, start=10_000 + next(starts)))
            worker.wait_commits(before, 120.0)
            resumed.append(time.monotonic() - began)
        run.wait_drained()
        found = run.check()
        assert worker.drain() == 0
    assert max(resumed) <= RESUME_S
    report.keep(
        "G2",
        f"the broker killed {TIMES} times and ended {TIMES} times under load",
        outcome_facts(found)
        | {
            "resume_p95_s": percentile(resumed, 0.95),
            "rebuilds": worker.count_logged('"event": "rebuild"'),
        },
    )
