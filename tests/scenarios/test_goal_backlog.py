"""Goal G11: a long backlog and a slow judge; what is in flight is bounded, and so is memory."""

from pathlib import Path

import pytest

from tests.scenarios.harness import COMMITTED, Run, WorkerProcess, ordinary_events, running
from tests.scenarios.report import Report
from tests.scenarios.sizes import size
from tests.scenarios.worker_process import JUDGE_DELAY
from tests.waiting import wait_for

BACKLOG = size(3_000, 100_000)
COMMITS = size(10, 200)
GROWTH_MIB = 100.0


def resident_mib(worker: WorkerProcess) -> float:
    """The resident memory of the worker's process, MiB."""
    for line in Path(f"/proc/{worker.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the worker has ended")


def test_memory_stays_flat_over_a_backlog_with_a_slow_judge(
    run: Run, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.put(ordinary_events(BACKLOG))
    monkeypatch.setenv(JUDGE_DELAY, "0.2")
    with running(run.worker(DELIVERY__MAX_IN_FLIGHT_RECORDS="256")) as worker:
        wait_for(lambda: worker.count_logged(COMMITTED) >= 3, "the first commits", 120.0)
        first = most = resident_mib(worker)

        def many_commits() -> bool:
            nonlocal most
            most = max(most, resident_mib(worker))
            return worker.count_logged(COMMITTED) >= COMMITS

        wait_for(many_commits, f"{COMMITS} commits", 900.0)
        evictions = worker.count_logged('"event": "lost"')
    assert most - first <= GROWTH_MIB
    assert evictions == 0, "the slow judge cost the worker its place in the group"
    report.keep(
        "G11",
        f"{BACKLOG} events waiting, a judge of 0.2 s a batch, watched over {COMMITS} commits",
        {
            "first_mib": round(first, 1),
            "most_mib": round(most, 1),
            "growth_mib": round(most - first, 1),
            "evictions": evictions,
        },
    )
