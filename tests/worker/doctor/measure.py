"""Each fault seeded, the whole program timed: `python -m tests.worker.doctor.measure`, a table.

As a user runs it: one process of `latentprint doctor` a fault, everything looked at, torch loaded
beside. The clock of this machine cannot be set for one process, so that fault is looked for within
this one.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.worker.doctor.bench import Bench, bench
from tests.worker.doctor.faults import FAULTS, Fault
from worker.doctor.examination import examine
from worker.doctor.findings import exit_code
from worker.settings_sources import load_settings


def in_a_process(fault: Fault, variables: dict[str, str]) -> tuple[float | None, float, int]:
    """(seconds until the fault was named, seconds in all, exit code)."""
    named_after_s = None
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "worker.program", "doctor"],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            is_finding = line.startswith(("WRONG ", "AWAY ", "note "))
            if is_finding and named_after_s is None and all(part in line for part in fault.said):
                named_after_s = time.monotonic() - began
    return named_after_s, time.monotonic() - began, process.returncode


def in_this_one(fault: Fault, variables: dict[str, str]) -> tuple[float | None, float, int]:
    """The same with a clock that is off."""
    settings = load_settings(environment=variables)
    began, named_after_s, found = time.monotonic(), None, []
    for finding in examine(settings, clock=lambda: time.time() + fault.clock_off_s):
        found.append(finding)
        if named_after_s is None and all(part in finding.text for part in fault.said):
            named_after_s = time.monotonic() - began
    return named_after_s, time.monotonic() - began, exit_code(found)


def row(name: str, fault: Fault, services: Bench) -> str:
    """One line of the table; what the fault changed is taken back."""
    with services.undo:
        variables = services.env | fault.seed(services)
        look = in_this_one if fault.clock_off_s else in_a_process
        named_after_s, whole_s, code = look(fault, variables)
    after = "not named" if named_after_s is None else f"{named_after_s:.1f} s"
    return f"| {name} | {after} | {whole_s:.1f} s | {code} |"


def main() -> None:
    """Print the table, a line as soon as it is measured."""
    print("| fault | named after | ended after | exit code |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as services:
        for name, fault in FAULTS.items():
            print(row(name, fault, services), flush=True)


if __name__ == "__main__":
    main()
