"""The locks of services and of training: one holder, a deadline, and free when the holder dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.services.errors import Busy
from deploy.services.locks import hold_lock
from tests.waiting import wait_for
from training.data.lock import locked, locked_when_free

HOLDER = """
import sys, time
from pathlib import Path
from deploy.services.locks import hold_lock
with hold_lock(Path(sys.argv[1]), "testing", 5):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def held_by_another(file: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the lock until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            yield holder
        finally:
            holder.kill()


def test_a_lock_held_beyond_the_deadline_says_what_for_how_long_and_where(tmp_path: Path) -> None:
    file = tmp_path / "services.lock"
    with held_by_another(file):
        with pytest.raises(Busy) as caught, hold_lock(file, "starting services", 0.2):
            pass
        assert f"Another process has been starting services for 0.2 s (lock {file})" in str(
            caught.value
        )
        with locked(file) as ours:
            assert not ours


def test_a_killed_holder_frees_its_lock_and_a_waiting_one_gets_it(tmp_path: Path) -> None:
    """The file stays: removing it would let two in, one on the old file and one on the new."""
    file = tmp_path / "services.lock"
    with held_by_another(file) as holder:
        holder.send_signal(signal.SIGKILL)
        with hold_lock(file, "testing", 30):
            assert file.exists()
    with locked_when_free(file):
        assert file.exists()
    assert file.exists()


def test_an_error_under_a_lock_frees_it(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "lock"
    with pytest.raises(ZeroDivisionError), locked(file):
        _ = 1 / 0
    with pytest.raises(ZeroDivisionError), hold_lock(file, "testing", 0):
        _ = 1 / 0
    with locked(file) as ours:
        assert ours


def test_a_forked_child_does_not_keep_the_lock_of_its_parent(tmp_path: Path) -> None:
    """A data loader's child, say, may live longer than the work that was locked."""
    file, (reading, writing) = tmp_path / "lock", os.pipe()
    with locked(file):
        child = os.fork()
        if child == 0:  # lives until the parent closes its end
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
    try:
        with locked(file) as ours:
            assert ours
    finally:
        os.close(writing)
        os.close(reading)
        assert wait_for(lambda: os.waitpid(child, os.WNOHANG)[0] == child, "the child's end", 10)
