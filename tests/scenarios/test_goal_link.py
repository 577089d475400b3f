"""Goal G7: the network between worker and broker goes away, for seconds and for minutes."""

import time
from itertools import count

from tests.scenarios.harness import COMMITTED, Run, ordinary_events, running
from tests.scenarios.proxy import Proxy
from tests.scenarios.report import Report, outcome_facts
from tests.scenarios.sizes import FULL
from tests.waiting import wait_for

OUTAGES_S = (5, 30, 120, 5, 30, 5, 30, 5, 5, 5) if FULL else (5,)


def test_a_link_that_goes_down_and_up_again_needs_no_restart(
    proxied: tuple[Run, Proxy], report: Report
) -> None:
    run, proxy = proxied
    starts, resumed = count(0, 150), []
    with running(run.worker()) as worker:
        for outage_s in OUTAGES_S:
            before = worker.count_logged(COMMITTED)
            run.put(ordinary_events(150, start=next(starts)))
            worker.wait_commits(before)
            began = time.monotonic()
            proxy.link_down()
            run.put(ordinary_events(150, start=next(starts)))
            wait_for(
                lambda since=began, s=outage_s: time.monotonic() - since > s,  # type: ignore[misc]
                f"an outage of {outage_s} s to pass",
                outage_s + 5.0,
            )
            before = worker.count_logged(COMMITTED)
            proxy.link_up()
            began = time.monotonic()
            worker.wait_commits(before, 120.0)
            resumed.append(time.monotonic() - began)
        run.wait_drained()
        found = run.check()
        assert worker.drain() == 0, "the same process from the first outage to the last"
    report.keep(
        "G7",
        f"the link down {len(OUTAGES_S)} times, {min(OUTAGES_S)} to {max(OUTAGES_S)} s",
        outcome_facts(found) | {"resume_max_s": round(max(resumed), 1), "restarts": 0},
    )
