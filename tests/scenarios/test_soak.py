"""Goal G12: hours in small: at half load nothing grows, neither memory nor handles nor threads."""

import os
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from tests.scenarios.harness import Run, WorkerProcess, ordinary_events, running
from tests.scenarios.report import Report, outcome_facts
from tests.waiting import wait_for

MINUTES = float(os.environ.get("SOAK_MINUTES") or 0.4)
"""`make soak` sets 45."""

GROWTH_MIB = 1.0
"""Of memory, a minute."""

_PORTION = 30


@dataclass(frozen=True)
class Sample:
    """What the process holds at a moment; `minute` since the start."""

    minute: float
    memory_mib: float
    handles: int
    threads: int


def sample(worker: WorkerProcess, minute: float) -> Sample:
    """Read it from /proc."""
    folder = Path(f"/proc/{worker.process.pid}")
    fields = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    return Sample(
        minute,
        int(fields["VmRSS"].split()[0]) / 1024,
        len(list((folder / "fd").iterdir())),
        int(fields["Threads"]),
    )


def growth(samples: list[Sample]) -> float:
    """MiB a minute: the slope of a line through the second half, when everything is loaded."""
    later = samples[len(samples) // 2 :]
    return float(np.polyfit([s.minute for s in later], [s.memory_mib for s in later], 1)[0])


def test_nothing_grows_at_half_load(run: Run, report: Report) -> None:
    starts, samples = count(0, _PORTION), []
    with running(run.worker()) as worker:
        began = time.monotonic()
        due = began
        while (minute := (time.monotonic() - began) / 60) < MINUTES:
            run.put(ordinary_events(_PORTION, start=next(starts)))
            run.wait_drained()
            # As long idle as it was busy: half load.
            due = time.monotonic() + (time.monotonic() - due)
            wait_for(lambda until=due: time.monotonic() >= until, "the idle half", 60.0)  # type: ignore[misc]
            due = time.monotonic()
            samples.append(sample(worker, minute))
        found = run.check()
        assert worker.drain() == 0
    slope = growth(samples)
    half = samples[len(samples) // 2]
    if MINUTES >= 10:  # a shorter run is still filling its caches
        assert slope < GROWTH_MIB
    assert samples[-1].threads <= half.threads
    assert samples[-1].handles <= half.handles + 8  # connections come and go
    if MINUTES >= 45:
        report.keep(
            "G12",
            f"{MINUTES:g} minutes at half load, {len(found.verdicts)} events",
            outcome_facts(found)
            | {
                "growth_mib_a_minute": round(slope, 3),
                "memory_mib": round(samples[-1].memory_mib, 1),
                "handles": samples[-1].handles,
                "threads": samples[-1].threads,
            },
        )
