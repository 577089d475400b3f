"""Goal G10: SIGTERM under load drains, exits 0 within 20 s, and leaves the rest to the next."""

import time
from itertools import count

import pytest

from tests.scenarios.harness import COMMITTED, Run, ordinary_events, running
from tests.scenarios.report import Report, outcome_facts, percentile
from tests.scenarios.sizes import size
from tests.scenarios.worker_process import JUDGE_DELAY

DRAINS = size(3, 20)


def test_a_batch_that_takes_longer_than_the_drain_does_not_hold_the_end_up(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up, with a session as long as it is by default; the next worker judges it."""
    run.put(ordinary_events(100))
    monkeypatch.setenv(JUDGE_DELAY, "60")
    slow = run.worker(KAFKA__SESSION_TIMEOUT_S="45", DELIVERY__DRAIN_DEADLINE_S="2")
    slow.wait_logged('"event": "judging"')
    began = time.monotonic()
    assert slow.drain() == 0
    assert time.monotonic() - began < 12.0
    assert slow.count_logged('"left": 0') == 0, "nothing was in flight, so that nothing was shown"
    monkeypatch.delenv(JUDGE_DELAY)
    with running(run.worker(KAFKA__SESSION_TIMEOUT_S="45")) as successor:
        run.wait_drained()
        assert len(run.check().verdicts) == 100
        assert successor.drain() == 0


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
