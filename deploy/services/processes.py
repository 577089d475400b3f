"""Start, watch and stop one server process, by its process id and never by name.

A process id alone is not an identity: after a crash or a reboot it may belong to somebody else.
So every signal is preceded by a comparison of the start time that was noted at the start.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.services.errors import StartFailed, StopFailed

_POLL_S = 0.04
_AFTER_KILL_S = 10.0
_TAIL_LINES = 15

# Runs beside a server and holds the reading end of a pipe whose other end only the parent holds.
# When the parent is gone, however it ended, the read returns and the server is killed, if it is
# still the one that was started. (PR_SET_PDEATHSIG would fire when the starting *thread* ends.)
_GUARD = """
read -r _
if [ -r "/proc/$1/stat" ]; then
  set -- "$1" "$2" $(sed 's/.*) //' "/proc/$1/stat")
  [ "${22}" = "$2" ] || exit 0
fi
kill -KILL "$1"
"""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process id with the moment its process started, in the system's own notation."""

    pid: int
    started: str


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of the living process `pid`; None when there is none (a zombie is dead)."""
    if pid <= 0:
        return None
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, UnicodeDecodeError):
            return None
        return None if fields[0] in "ZX" else ProcessIdentity(pid, f"{_boot_id()}:{fields[19]}")
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    if len(shown) != 2 or shown[0].startswith("Z"):
        return None
    return ProcessIdentity(pid, shown[1].strip())


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether exactly this process still runs."""
    return identify(identity.pid) == identity


def stop_process(identity: ProcessIdentity, *, name: str, grace_s: float) -> None:
    """SIGTERM, up to `grace_s` seconds, then SIGKILL. Does nothing when it no longer runs.

    Raises:
        StopFailed: it may not be signalled, or is still there 10 s after SIGKILL.
    """
    _signal(identity, signal.SIGTERM, name)
    if not _gone_within(identity, grace_s):
        kill_process(identity, name=name)


def kill_process(identity: ProcessIdentity, *, name: str) -> None:
    """SIGKILL, and wait until the process is gone.

    Raises:
        StopFailed: it may not be signalled, or is still there after 10 s.
    """
    _signal(identity, signal.SIGKILL, name)
    if not _gone_within(identity, _AFTER_KILL_S):
        raise StopFailed(
            f"{name}, process {identity.pid}, is still there {_AFTER_KILL_S:g} s after SIGKILL; "
            f"look at it with: ps -fp {identity.pid}"
        )


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
        if self.running():
            stop_process(self.identity, name=self.name, grace_s=grace_s)
        self._reap()

    def kill(self) -> None:
        """SIGKILL: what a crash looks like. Does nothing when it ended already."""
        if self.running():
            kill_process(self.identity, name=self.name)
        self._reap()

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

    def _reap(self) -> None:
        self._child.wait(timeout=_AFTER_KILL_S)
        self.outlive_this_process()


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
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "guard", str(identity.pid), identity.started.rpartition(":")[2]],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _signal(identity: ProcessIdentity, number: signal.Signals, name: str) -> None:
    if not is_alive(identity):
        return
    try:
        os.kill(identity.pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise StopFailed(
            f"{name}, process {identity.pid}, belongs to another user and may not be signalled; "
            f"stop it as that user: kill {identity.pid}"
        ) from error


def _gone_within(identity: ProcessIdentity, deadline_s: float) -> bool:
    began = time.monotonic()
    while is_alive(identity):
        if time.monotonic() - began > deadline_s:
            return False
        time.sleep(_POLL_S)
    return True


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
