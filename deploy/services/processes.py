"""Start, watch and stop one server process, by its process id and never by name.

A process id alone is not an identity: after a crash or a reboot it may belong to somebody else. So
every signal to a process found by its id is preceded by a comparison of the time it began. A child
of this process needs none: its id is not given away before it was waited for.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.services.errors import StartFailed, StopFailed

_POLL_S = 0.04
_AFTER_KILL_S = 10.0
_TAIL_LINES = 15
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process id with the moment its process began, as a text to be compared and kept."""

    pid: int
    started: str


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of the living process `pid`; None when there is none (a zombie is dead)."""
    try:
        process = psutil.Process(pid)
        return None if _ended(process) else ProcessIdentity(pid, _began(process))
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return None


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether exactly this process still runs."""
    return identify(identity.pid) == identity


def stop_process(identity: ProcessIdentity, *, name: str, grace_s: float) -> None:
    """SIGTERM, up to `grace_s` seconds, then SIGKILL. Does nothing when it no longer runs.

    Raises:
        StopFailed: it may not be signalled, or is still there 10 s after SIGKILL.
    """
    try:
        process = psutil.Process(identity.pid)  # signals nobody who got this id later
        if not is_alive(identity):
            return
        process.terminate()
        if not _gone_within(process, grace_s):
            process.kill()
            if not _gone_within(process, _AFTER_KILL_S):
                raise _still_there(name, identity.pid)
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return
    except psutil.AccessDenied as error:
        raise StopFailed(
            f"{name}, process {identity.pid}, belongs to another user and may not be signalled; "
            f"stop it as that user: kill {identity.pid}"
        ) from error


class ServerProcess:
    """One running server, its identity and its log. Make one with `launch`."""

    def __init__(
        self,
        name: str,
        child: subprocess.Popen[bytes],
        identity: ProcessIdentity,
        guard: subprocess.Popen[bytes],
        log: Path,
        log_offset: int,
    ) -> None:
        self.name = name
        self.identity = identity
        self.log = log
        self._child = child
        self._guard: subprocess.Popen[bytes] | None = guard
        self._log_offset = log_offset

    @property
    def pid(self) -> int:
        """The server's process id; still the old one after it ended."""
        return self.identity.pid

    def running(self) -> bool:
        """Whether the server still runs."""
        return self._child.poll() is None

    def stop(self, *, grace_s: float) -> None:
        """SIGTERM, up to `grace_s` seconds, then SIGKILL. Does nothing when it ended already."""
        self._child.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout=grace_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL: what a crash looks like. Does nothing when it ended already.

        Raises:
            StopFailed: it is still there after 10 s.
        """
        self._child.kill()
        try:
            self._child.wait(timeout=_AFTER_KILL_S)
        except subprocess.TimeoutExpired:
            raise _still_there(self.name, self.pid) from None
        self.outlive_this_process()

    def wait(self, deadline_s: float) -> int:
        """Wait for the process to end by itself and return its exit code.

        Raises:
            StartFailed: it still runs after `deadline_s` seconds.
        """
        try:
            return self._child.wait(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            raise StartFailed(
                f"{self.name} did not end within {deadline_s:g} s. {self.log_tail()}"
            ) from None

    def outlive_this_process(self) -> None:
        """Let the server run on when this process ends; from here on somebody else must stop it."""
        if self._guard is not None:
            self._guard.kill()  # before its pipe closes: the guard must not act any more
            self._guard.wait(timeout=_AFTER_KILL_S)
            assert self._guard.stdin is not None
            self._guard.stdin.close()
            self._guard = None

    def log_of_this_start(self) -> str:
        """What the server wrote since it was launched (the file keeps earlier starts too)."""
        try:
            with self.log.open("rb") as file:
                file.seek(self._log_offset)
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def wait_until_ready(self, ready: Callable[[], bool], what: str, deadline_s: float) -> None:
        """Poll `ready` until it is true.

        Raises:
            StartFailed: the server ended, or `deadline_s` seconds passed; with its last log lines.
        """
        began = time.monotonic()
        while self.running():
            if ready():
                return
            if time.monotonic() - began > deadline_s:
                raise StartFailed(
                    f"{self.name} did not come up: waited {deadline_s:g} s for {what}. "
                    f"{self.log_tail()}"
                )
            time.sleep(_POLL_S)
        raise StartFailed(
            f"{self.name} ended with code {self._child.returncode} while waiting for {what}. "
            f"{self.log_tail()}"
        )

    def log_tail(self) -> str:
        """The last lines of the log, as the end of an error message."""
        lines = self.log_of_this_start().splitlines()[-_TAIL_LINES:]
        if not lines:
            return f"Its log {self.log} is empty."
        return f"Its log {self.log} ends:\n" + "\n".join(f"  {line}" for line in lines)


def launch(name: str, command: Sequence[str], *, log: Path, cwd: Path) -> ServerProcess:
    """Start `command` in a session of its own, output appended to `log`.

    Its own session keeps a Ctrl-C at the terminal away from it, so that whoever uses the server can
    finish first. A guard kills it once this process is gone, even by SIGKILL; see
    `outlive_this_process`.

    Raises:
        StartFailed: the program cannot be executed.
    """
    with log.open("ab") as output:
        offset = output.tell()
        try:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise StartFailed(
                f"{name} cannot be started: {command[0]}: {error.strerror}. "
                f"Check that the file exists and is a program for this machine."
            ) from error
    # One that ended already has no start time left to read; `wait_until_ready` will notice.
    identity = identify(child.pid) or ProcessIdentity(child.pid, "ended at once")
    return ServerProcess(name, child, identity, _guard(identity), log, offset)


def _guard(identity: ProcessIdentity) -> subprocess.Popen[bytes]:
    """Start this module beside a server; it holds the reading end of a pipe from this process.

    When this process is gone, however it ended, the read returns and the server is killed, if it is
    still the one that was started. (PR_SET_PDEATHSIG would fire when the starting *thread* ends.)
    """
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.services.processes", str(identity.pid), identity.started],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],  # where `-m` finds this package
        start_new_session=True,
    )


def _began(process: psutil.Process) -> str:
    """Which boot, and how many clock ticks after it; where boots have no name, the time of day.

    The time of day alone would not do: psutil counts it from the time of the boot, which moves
    when the clock is set, and a running server would then pass for a stranger and be forgotten.
    """
    booted_s = psutil.boot_time()
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:
        return f"{process.create_time():.2f}"
    return f"{boot}:{round((process.create_time() - booted_s) * os.sysconf('SC_CLK_TCK'))}"


def _ended(process: psutil.Process) -> bool:
    return process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


def _gone_within(process: psutil.Process, deadline_s: float) -> bool:
    """Raises psutil.NoSuchProcess where nothing is left; a zombie, which nobody reaps, is gone."""
    began = time.monotonic()
    while process.is_running() and not _ended(process):
        if time.monotonic() - began > deadline_s:
            return False
        time.sleep(_POLL_S)
    return True


def _still_there(name: str, pid: int) -> StopFailed:
    return StopFailed(
        f"{name}, process {pid}, is still there {_AFTER_KILL_S:g} s after SIGKILL; "
        f"look at it with: ps -fp {pid}"
    )


if __name__ == "__main__":
    sys.stdin.read()
    guarded = ProcessIdentity(int(sys.argv[1]), sys.argv[2])
    if is_alive(guarded):
        psutil.Process(guarded.pid).kill()
