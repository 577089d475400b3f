"""`run --slots N`: a crashed slot is started again, a final exit ends all, SIGTERM drains all."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import wait_for
from worker.commands.supervisor import Supervisor

WAITS = """
import signal, sys, pathlib
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
pathlib.Path(sys.argv[1], f"started-{sys.argv[2]}").write_text(sys.argv[3])
signal.sigwait({signal.SIGTERM})
pathlib.Path(sys.argv[1], f"drained-{sys.argv[2]}").touch()
"""

CRASHES_ONCE = (
    """
import os, pathlib, sys
mark = pathlib.Path(sys.argv[1], "crashed")
if not mark.exists():
    mark.write_text(sys.argv[3])
    os._exit(75)
"""
    + WAITS
)


def supervised(
    script: str, directory: Path, slots: range, leaving: threading.Event | None = None
) -> tuple[threading.Event, list[int]]:
    """Start a supervisor in a thread; the list gets its exit code."""
    stop, codes = threading.Event(), list[int]()
    supervisor = Supervisor(
        lambda slot, first: [sys.executable, "-c", script, str(directory), str(slot), str(first)],
        slots,
    )
    threading.Thread(target=lambda: codes.append(supervisor.run(stop, leaving))).start()
    return stop, codes


def test_sigterm_reaches_every_slot_and_a_clean_drain_is_exit_0(tmp_path: Path) -> None:
    stop, codes = supervised(WAITS, tmp_path, range(3, 5))
    wait_for(lambda: len(list(tmp_path.glob("started-*"))) == 2, "both slots to start")
    stop.set()
    wait_for(lambda: codes, "the supervisor to end")
    assert codes == [0]
    assert {path.name for path in tmp_path.glob("drained-*")} == {"drained-3", "drained-4"}


def test_slots_that_leave_for_good_are_told_so(tmp_path: Path) -> None:
    script = WAITS.replace("SIGTERM", "SIGUSR1")
    leaving = threading.Event()
    stop, codes = supervised(script, tmp_path, range(2), leaving)
    wait_for(lambda: len(list(tmp_path.glob("started-*"))) == 2, "both slots to start")
    leaving.set()
    stop.set()
    wait_for(lambda: codes, "the supervisor to end")
    assert codes == [0]
    assert {path.name for path in tmp_path.glob("drained-*")} == {"drained-0", "drained-1"}


def test_a_slot_that_crashed_is_started_again(tmp_path: Path) -> None:
    stop, codes = supervised(CRASHES_ONCE, tmp_path, range(1))
    wait_for(lambda: (tmp_path / "started-0").exists(), "the second start")
    assert (tmp_path / "crashed").read_text() == "True", "told that it is the first start"
    assert (tmp_path / "started-0").read_text() == "False"
    stop.set()
    wait_for(lambda: codes, "the supervisor to end")
    assert codes == [0]


def test_a_slot_that_gives_up_for_good_ends_the_others_with_its_code(tmp_path: Path) -> None:
    script = "import sys\nif sys.argv[2] == '1': sys.exit(2)\n" + WAITS
    _, codes = supervised(script, tmp_path, range(2))
    wait_for(lambda: codes, "the supervisor to end")
    assert codes == [2]


class _HeldByTheHandler(threading.Event):
    """An event whose lock is taken: what `wait` would be in a signal that came in the middle."""

    def wait(self, timeout: float | None = None) -> bool:
        raise AssertionError("the main thread waits on the event that its signal handler sets")


def test_the_supervisor_never_waits_on_the_event_that_a_signal_handler_sets() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit(4)"]
    supervisor = Supervisor(lambda slot, first: command, [0])
    assert supervisor.run(_HeldByTheHandler()) == 4


def test_a_slot_whose_process_cannot_be_started_is_tried_again_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = subprocess.Popen
    failures = [OSError(11, "Resource temporarily unavailable")]

    def failing_once(command: list[str], **options: Any) -> Any:
        if command[-2] == "0" and failures:
            raise failures.pop()
        return started(command, **options)

    monkeypatch.setattr(subprocess, "Popen", failing_once)
    stop, codes = supervised(WAITS, tmp_path, range(2))
    wait_for(lambda: len(list(tmp_path.glob("started-*"))) == 2, "both slots to start")
    stop.set()
    wait_for(lambda: codes, "the supervisor to end")
    assert (codes, failures) == ([0], [])
