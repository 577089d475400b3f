"""FetcherPool: fetch what events refer to, in processes that have no secret of ours.

Each process (worker/references/child.py) has four lanes, so that a slow host holds one fetch and
not all. One that dies, or gives no answer, is replaced; its fetches are tried again.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from worker.decoder.pipes import (
    TICK_S,
    ChildEndedError,
    ChildTimedOutError,
    Deadline,
    read_exactly,
    write_all,
)
from worker.decoder.wire import REPLY_PREFIX_BYTES, WireError, header_size, parse_header
from worker.errors import StopError
from worker.references import wire
from worker.references.outages import UnavailableError
from worker.references.targets import Rules, Target, target_of
from worker.settings.references import ReferenceSettings
from worker.telemetry import Log

LANES: Final = 4
"""Of one process; its threads wait for the network nearly all the time."""

START_TIMEOUT_S: Final = 60.0
_MARGIN_S: Final = 5.0
_NOT_STARTED_EXIT_CODE: Final = 75  # EX_TEMPFAIL: a supervisor starts the worker again
_PROVIDERS: Final = ("AWS_", "AZURE_", "GOOGLE_", "IDENTITY_", "IMDS_", "MSI_")
_OTHERS: Final = ("HOME", "SSL_CERT_DIR", "SSL_CERT_FILE")

_BOOTSTRAP: Final = (
    "import json, sys; paths = json.loads(sys.argv[2]); sys.path[:0] = paths[:1]; "
    "sys.path += [p for p in paths if p not in sys.path]; "
    "from worker.references.child import main; sys.exit(main(sys.argv[1]))"
)

_FAILURES: Final = (ChildEndedError, ChildTimedOutError, WireError, OSError)


def environment_of(environment: Mapping[str, str]) -> dict[str, str]:
    """What a fetch process is given: the providers' variables, and where certificates lie.

    No proxy, no setting of ours, no secret of Kafka or Redis.
    """
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_PROVIDERS) or name in _OTHERS
    }


class _Lane:
    """One end of a way to a fetch process; used by one thread at a time."""

    def __init__(self, process: "_FetchProcess", channel: socket.socket) -> None:
        self.process = process
        self._channel = channel
        self._channel.setblocking(False)
        self._ready = False

    def wait_ready(self) -> dict[str, bool]:
        """Read the first message, once; later calls give nothing new."""
        if self._ready:
            return {}
        posture = wire.posture_of(self._header(Deadline(START_TIMEOUT_S)))
        self._ready = True
        return posture

    def ask(self, reference: str, store: str, *, seconds: float, max_bytes: int) -> bytes:
        """One reference to its bytes; raises what the process reports, and `_FAILURES`."""
        deadline = Deadline(seconds)
        channel = self._channel.fileno()
        write_all(channel, [wire.request(reference)], deadline)
        size = wire.body_size(self._header(deadline), max_bytes, store)
        return bytes(read_exactly(channel, size, deadline))

    def close(self) -> None:
        self._channel.close()

    def _header(self, deadline: Deadline) -> dict[str, object]:
        channel = self._channel.fileno()
        size = header_size(read_exactly(channel, REPLY_PREFIX_BYTES, deadline))
        return parse_header(read_exactly(channel, size, deadline))


class _FetchProcess:
    """A running fetch process and its lanes."""

    def __init__(self, settings: ReferenceSettings, max_bytes: int, env: dict[str, str]) -> None:
        """Start it, without waiting; OSError if that fails."""
        pairs = [socket.socketpair() for _ in range(LANES)]
        theirs = [their.fileno() for _, their in pairs]
        argument = json.dumps(
            {
                "settings": settings.model_dump(mode="json"),
                "max_bytes": max_bytes,
                "lanes": theirs,
            }
        )
        paths = [str(Path(__file__).resolve().parents[2]), *(p for p in sys.path if p)]
        try:
            self.popen = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOTSTRAP, argument, json.dumps(paths)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=env,
                pass_fds=theirs,
                start_new_session=True,  # Ctrl-C is for the worker, which then drains
            )
        except BaseException:
            for ours, _ in pairs:
                ours.close()
            raise
        finally:
            for _, their in pairs:
                their.close()
        self.lanes = [_Lane(self, ours) for ours, _ in pairs]

    def end(self) -> None:
        """Kill it; whoever waits for an answer gets ChildEndedError."""
        self.popen.kill()
        self.popen.wait()


class FetcherPool:
    """Fetches from any number of threads, as many at once as there are lanes.

    Where the settings list nothing, no process is started and every reference is refused.
    """

    def __init__(
        self,
        settings: ReferenceSettings,
        max_bytes: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings
        self._max_bytes = max_bytes
        self._environment = environment_of(os.environ if environment is None else environment)
        self._rules = Rules.of(settings)
        self._changed = threading.Condition()  # guards all that follows
        self._processes: list[_FetchProcess] = []
        self._idle: list[_Lane] = []
        self._starting = 0
        self._closed = False
        self._log: Log = structlog.get_logger("worker")

    @property
    def lanes(self) -> int:
        """How many fetches go on at once; one refuses as fast where nothing is fetched."""
        return self._settings.processes * LANES if self._settings.enabled else 1

    def start(self) -> dict[str, bool]:
        """Start all processes, wait until they serve, and return which measures hold in all.

        StopError with an exit code that a supervisor answers with a restart where they do not.
        """
        posture: dict[str, bool] = {}
        try:
            for _ in range(self._settings.processes if self._settings.enabled else 0):
                self._add_process()
            for lane in self._idle:
                for name, holds in lane.wait_ready().items():
                    posture[name] = posture.get(name, True) and holds
        except _FAILURES as error:
            self.close()
            raise StopError(
                f"no fetch process can be started ({type(error).__name__}: {error}); its words are"
                " above. Free memory, or raise the limits of processes and of open files",
                exit_code=_NOT_STARTED_EXIT_CODE,
            ) from error
        return posture

    def target(self, reference: str) -> Target:
        """What the reference names. Raises RejectError where nothing allows it."""
        return target_of(reference, self._rules)

    def fetch(self, reference: str) -> bytes:
        """The bytes that the reference names; blocks until there is a lane and it has answered.

        Raises RejectError with a code `fetch.*`, UnavailableError where there are none now.
        """
        store = self.target(reference).store
        lane = self._take(store)
        try:
            lane.wait_ready()
            body = lane.ask(
                reference,
                store,
                # Credentials and the object are one timeout each.
                seconds=2 * self._settings.timeout_s + _MARGIN_S,
                max_bytes=self._max_bytes,
            )
        except _FAILURES as error:
            self._replace(lane.process)
            lane.close()
            raise UnavailableError(
                f"the fetch process ended or gave no answer ({type(error).__name__})", store
            ) from error
        except BaseException:
            self._give_back(lane)
            raise
        self._give_back(lane)
        return body

    def pids(self) -> tuple[int, ...]:
        """The process ids of the fetch processes."""
        with self._changed:
            return tuple(process.popen.pid for process in self._processes)

    def close(self) -> None:
        """End all processes; callers inside `fetch` get UnavailableError. May be called twice."""
        with self._changed:
            self._closed = True
            processes, self._processes, self._idle = self._processes, [], []
            self._changed.notify_all()
        for process in processes:
            process.end()
            for lane in process.lanes:
                lane.close()

    def __enter__(self) -> Self:
        posture = self.start()
        missing = [name for name, holds in posture.items() if not holds]
        if missing:
            self._log.warning("fetcher_posture", missing=missing)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self, store: str) -> _Lane:
        """An idle lane; a process that is missing is started by whoever finds it missing."""
        patience = Deadline(2 * (2 * self._settings.timeout_s + _MARGIN_S) + START_TIMEOUT_S)
        while True:
            with self._changed:
                if self._closed:
                    raise UnavailableError("the fetch processes are closed", store)
                if self._idle:
                    return self._idle.pop()
                if len(self._processes) + self._starting >= self._settings.processes:
                    self._changed.wait(TICK_S)
                    patience.tick()
                    if patience.left_s <= 0:
                        raise UnavailableError("no fetch process became free", store)
                    continue
                self._starting += 1
            try:
                self._add_process()
            except OSError as error:
                raise UnavailableError(
                    f"no fetch process can be started ({error.strerror})", store
                ) from error
            finally:
                with self._changed:
                    self._starting -= 1

    def _add_process(self) -> None:
        process = _FetchProcess(self._settings, self._max_bytes, self._environment)
        with self._changed:
            closed = self._closed
            if not closed:
                self._processes.append(process)
                self._idle.extend(process.lanes)
                self._changed.notify_all()
        if closed:
            process.end()

    def _give_back(self, lane: _Lane) -> None:
        with self._changed:
            if lane.process in self._processes:
                self._idle.append(lane)
                self._changed.notify()
                return
        lane.close()

    def _replace(self, process: _FetchProcess) -> None:
        """End a process; the next caller that finds no lane starts another."""
        with self._changed:
            known = process in self._processes
            if known:
                self._processes.remove(process)
            ours = [lane for lane in self._idle if lane.process is process]
            self._idle = [lane for lane in self._idle if lane.process is not process]
            self._changed.notify_all()
        for lane in ours:
            lane.close()
        if known:
            self._log.warning("fetcher_replaced", pid=process.popen.pid)
            process.end()
