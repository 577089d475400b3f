"""Goal G11: a long backlog and a slow judge; what is in flight is bounded, and so is memory."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.scenarios.harness import COMMITTED, Run, WorkerProcess, ordinary_events, running
from tests.scenarios.report import Report
from tests.scenarios.sizes import size
from tests.scenarios.worker_process import JUDGE_DELAY
from tests.waiting import wait_for

BACKLOG, LARGE = size(3_000, 100_000), size(600, 8_000)
"""Events waiting; so many of them with images that reach the limit of bytes first."""

COMMITS = size(10, 200)
GROWTH_MIB = 100.0


def resident_mib(worker: WorkerProcess) -> float:
    """The resident memory of the worker's process, MiB."""
    for line in Path(f"/proc/{worker.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the worker has ended")


def noise() -> bytes:
    """A PNG of 256 x 256 pixels that cannot be compressed."""
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_memory_stays_flat_over_a_backlog_with_a_slow_judge(
    run: Run, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(JUDGE_DELAY, "0.2")
    with running(run.worker()) as worker:
        first = most = resident_mib(worker)
        image = noise()
        run.put(replace(event, value=image) for event in ordinary_events(LARGE))
        run.put(ordinary_events(BACKLOG - LARGE))

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
        f"{BACKLOG} events waiting, {LARGE} of them of {len(image) // 1024} KiB, a judge of 0.2 s"
        f" a batch, default limits, watched over {COMMITS} commits",
        {
            "ready_mib": round(first, 1),
            "most_mib": round(most, 1),
            "growth_mib": round(most - first, 1),
            "evictions": evictions,
        },
    )
