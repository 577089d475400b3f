"""Goal G10: SIGTERM under load drains, exits 0 within 20 s, and leaves the rest to the next."""

import time
from itertools import count

from tests.scenarios.harness import COMMITTED, Run, ordinary_events, running
from tests.scenarios.report import Report, outcome_facts, percentile
from tests.scenarios.sizes import size

DRAINS = size(3, 20)


def test_sigterm_under_load_again_and_again(run: Run, report: Report) -> None:
    starts, seconds = count(0, 200), []
    for _ in range(DRAINS):
        run.put(ordinary_events(200, start=next(starts)))
        worker = run.worker()
        worker.wait_logged(COMMITTED)
        began = time.monotonic()
        assert worker.drain() == 0
        seconds.append(time.monotonic() - began)
        assert worker.count_logged('"event": "rebuild"') <= 1
    with running(run.worker()) as last:
        run.wait_drained()
        found = run.check()
        assert last.drain() == 0
    assert max(seconds) <= 20.0
    report.keep(
        "G10",
        f"{DRAINS} times SIGTERM under load",
        outcome_facts(found)
        | {"drain_p95_s": percentile(seconds, 0.95), "drain_max_s": round(max(seconds), 2)},
    )
