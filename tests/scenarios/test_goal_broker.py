"""Goal G2: the broker dies and comes back under load, again and again; nobody has to help.

It is killed inside a transaction whose end it has not been told yet. A broker that is killed after
it has promised a commit, and before the markers of that are written, may break its promise: while
it starts again it takes partitions without a leader for deleted ones (docs/upstream). No client
can help that; replicas do.
"""

import time
from itertools import count

from deploy.services.kafka import RunningKafka
from tests.scenarios.harness import COMMITTED, Run, ordinary_events, running
from tests.scenarios.proxy import END_TXN, Proxy, Rule
from tests.scenarios.report import Report, outcome_facts, percentile
from tests.scenarios.sizes import size
from tests.waiting import wait_for

TIMES = size(1, 5)
"""How often it is killed, and how often it is ended in an orderly way."""

RESUME_S = 30.0
HELD_S = 15.0


def test_a_broker_that_dies_again_and_again_needs_no_human(
    proxied: tuple[Run, Proxy], proxied_broker: RunningKafka, report: Report
) -> None:
    run, proxy = proxied
    starts, resumed = count(0, 200), []
    with running(run.worker()) as worker:
        for fault in (proxied_broker.kill, proxied_broker.stop) * TIMES:
            before = worker.count_logged(COMMITTED)
            run.put(ordinary_events(200, start=next(starts)))
            worker.wait_commits(before)
            proxy.rule = Rule(END_TXN, lambda number: "delay", delay_s=HELD_S)
            run.put(ordinary_events(200, start=next(starts)))
            held = proxy.rule
            wait_for(lambda held=held: held.seen > 0, "the end of a transaction", 60.0)  # type: ignore[misc]
            fault()
            proxy.rule = None
            proxied_broker.restart()
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
        f"the broker killed {TIMES} times and ended {TIMES} times inside a transaction",
        outcome_facts(found)
        | {
            "resume_p95_s": percentile(resumed, 0.95),
            "rebuilds": worker.count_logged('"event": "rebuild"'),
        },
    )
