"""DecoderPool: decode untrusted files in child processes that can do nothing else.

A child that crashes, runs out of memory or takes too long fails the one image it was given
(`sandbox_kill`) and is replaced; its neighbours never notice. What a child may do is in
worker/decoder/confinement.py, what it may say in worker/decoder/wire.py.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from worker.decoder import wire
from worker.decoder.child import EXIT_OUT_OF_MEMORY
from worker.decoder.decode import DecodedImage, DecodeLimits, check_size
from worker.decoder.pipes import ChildEndedError, ChildTimedOutError, read_exactly, write_all
from worker.errors import RejectError, RetryError, StopError

_START_TIMEOUT_S: Final = 60.0  # imports on a crowded machine; measured: 0.25 s on an idle one
_log = logging.getLogger(__name__)

# -I: no environment, no user site, no current folder. The parent's own path follows this package's
# folder, so that the child finds exactly what the parent found, installed or not.
_BOOTSTRAP: Final = (
    "import json, sys; paths = json.loads(sys.argv[2]); sys.path[:0] = paths[:1]; "
    "sys.path += [p for p in paths if p not in sys.path]; "
    "from worker.decoder.child import main; sys.exit(main(sys.argv[1]))"
)


class _Child:
    """One child process and the two pipes to it; used by one thread at a time."""

    def __init__(self, limits: DecodeLimits) -> None:
        """Start the process without waiting for it. OSError if it cannot be started."""
        argument = json.dumps({"parent": os.getpid(), "limits": asdict(limits)})
        paths = [str(Path(__file__).resolve().parents[2]), *(p for p in sys.path if p)]
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOTSTRAP, argument, json.dumps(paths)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={"OPENBLAS_NUM_THREADS": "1"},  # else numpy starts threads, and reserves memory
            close_fds=True,
            start_new_session=True,  # Ctrl-C is for the worker, which then drains
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._to, self._from = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._limits = limits
        self.images = 0
        self.posture: dict[str, bool] = {}

    def wait_ready(self) -> None:
        """Wait until the child has confined itself, and note its posture."""
        header = self._read_header(time.monotonic() + _START_TIMEOUT_S)
        ready = header.get("ready")
        if not isinstance(ready, dict) or not all(type(v) is bool for v in ready.values()):
            raise wire.WireError("a first message that is not its posture")
        self.posture = ready

    def decode(self, data: bytes, timeout_s: float) -> DecodedImage:
        """Send one file and read the answer; any exception but RejectError spoils the child."""
        deadline = time.monotonic() + timeout_s
        self.images += 1
        write_all(self._to, [wire.request_prefix(data), data], deadline)
        header = self._read_header(deadline)
        wire.raise_if_rejected(header)
        body = read_exactly(self._from, wire.body_size(header, self._limits), deadline)
        return wire.parse_image(header, body, data, self._limits)

    def _read_header(self, deadline: float) -> dict[str, object]:
        prefix = read_exactly(self._from, wire.REPLY_PREFIX_BYTES, deadline)
        size = wire.header_size(prefix)
        return wire.parse_header(read_exactly(self._from, size, deadline))

    def end(self) -> int:
        """Kill the process if it lives, close the pipes, and return its exit status."""
        self.process.kill()
        status = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        return status


class DecoderPool:
    """`size` confined children; each decodes one image at a time.

    `timeout_s` bounds one image by the wall clock (4 x limits.cpu_s if None, for a machine four
    times overcommitted). A child is replaced after `recycle_after` images, so that a slow leak in a
    decoding library stays small. Threads: `decode` may be called from any number; with more
    callers than children they wait for one another. One thread of its own starts the children,
    because the kernel ends a child (PR_SET_PDEATHSIG) when the thread that started it ends.
    """

    def __init__(
        self,
        limits: DecodeLimits,
        size: int,
        *,
        timeout_s: float | None = None,
        recycle_after: int = 10_000,
    ) -> None:
        if size < 1 or recycle_after < 1:
            raise ValueError(f"size is {size} and recycle_after {recycle_after}, both at least 1")
        self._limits = limits
        self._size = size
        self._timeout_s = 4 * limits.cpu_s if timeout_s is None else timeout_s
        self._recycle_after = recycle_after
        self._changed = threading.Condition()  # guards all that follows
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()
        self._wanted = 0
        self._failure: str | None = None
        self._closed = False
        self._starter: threading.Thread | None = None

    def start(self) -> None:
        """Start the children and wait until all are confined; StopError if one cannot start."""
        if self._starter is not None or self._closed:
            raise StopError("the decoder pool was started before; make a new one")
        self._wanted = self._size
        self._starter = threading.Thread(
            target=self._start_children, name="decoder-starter", daemon=True
        )
        self._starter.start()
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or self._failure or len(self._idle) == self._size
            )
            failure = self._failure
        if failure:
            self.close()
            raise StopError(failure)

    def decode(self, data: bytes) -> DecodedImage:
        """Decode one file in a child; blocks until a child is free and has answered.

        Raises RejectError as `decode` does, and with code "sandbox_kill" when the child died,
        overran its limits or answered nonsense. RetryError when the pool was closed
        meanwhile (the image is not to blame); StopError when no child can be started.
        """
        check_size(data, self._limits)
        child = self._take()
        try:
            image = child.decode(data, self._timeout_s)
        except RejectError:
            self._give_back(child)
            raise
        except (ChildEndedError, ChildTimedOutError, wire.WireError) as error:
            status = self._replace(child)
            if self._closed:
                raise RetryError("the decoder pool was closed while it decoded an image") from error
            raise RejectError("sandbox_kill", self._why(error, status), stage="decode") from error
        except BaseException:
            self._replace(child)  # its pipe may hold half an answer
            raise
        self._give_back(child)
        return image

    def posture(self) -> dict[str, bool]:
        """Say which measures confine the children: true where it holds in every one of them.

        Keys: dies_with_parent, no_new_privs, not_dumpable, memory, files, processes, seccomp; empty
        before start. `worker.decoder.confinement.confine` explains them.
        """
        with self._changed:
            postures = [child.posture for child in self._all if child.posture]
        return {key: all(p.get(key, False) for p in postures) for p in postures for key in p}

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the children that live now, for monitoring."""
        with self._changed:
            return tuple(sorted(c.process.pid for c in self._all if c.process.poll() is None))

    def close(self) -> None:
        """End all children; callers inside `decode` get RetryError. May be called twice."""
        with self._changed:
            self._closed = True
            for child in self._all:
                child.process.kill()
            self._changed.notify_all()
        if self._starter is not None:
            self._starter.join()
        with self._changed:
            idle, self._idle = self._idle, []
            self._all.difference_update(idle)
        for child in idle:
            child.end()
        with self._changed:
            self._changed.wait_for(lambda: not self._all)  # those in use end in their own callers

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self) -> _Child:
        """Wait for an idle child that lives; one that died idle is replaced, and fails no image."""
        with self._changed:
            if self._starter is None:
                raise StopError("the decoder pool was not started; call start() first")
            while True:
                if self._closed:
                    raise RetryError("the decoder pool is closed")
                if self._idle:
                    child = self._idle.pop()
                    if child.process.poll() is None:
                        return child
                    self._drop(child)
                elif self._failure is not None:
                    failure, self._failure = self._failure, None  # the starter tries again
                    self._changed.notify_all()
                    raise StopError(failure)
                else:
                    self._changed.wait()

    def _give_back(self, child: _Child) -> None:
        if child.images >= self._recycle_after:
            self._replace(child)
            return
        with self._changed:
            if not self._closed:
                self._idle.append(child)
                self._changed.notify_all()
                return
        self._replace(child)

    def _replace(self, child: _Child) -> int:
        with self._changed:
            return self._drop(child)

    def _drop(self, child: _Child) -> int:
        """End a child and ask for another; the lock is held. Returns the exit status."""
        status = child.end()
        self._all.discard(child)
        if not self._closed:
            self._wanted += 1
        self._changed.notify_all()
        return status

    def _start_children(self) -> None:
        """Keep as many children as are wanted, until the pool closes."""
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closed or (self._wanted and self._failure is None)
                )
                if self._closed:
                    return
                started: list[_Child] = []
                try:
                    for _ in range(self._wanted):
                        started.append(_Child(self._limits))
                        self._wanted -= 1
                except OSError as error:
                    self._failure = f"no decoder child can be started ({error}); free some memory"
                self._all.update(started)
            for child in started:
                self._admit(child)

    def _admit(self, child: _Child) -> None:
        try:
            child.wait_ready()
        except (ChildEndedError, ChildTimedOutError, wire.WireError) as error:
            with self._changed:
                status = self._drop(child)
                if not self._closed:
                    self._failure = (
                        f"a decoder child could not start, so no image can be decoded: "
                        f"{self._why(error, status)}; its own words are on stderr"
                    )
            return
        with self._changed:
            if self._closed:
                self._drop(child)
            else:
                self._idle.append(child)
                self._changed.notify_all()

    def _why(self, error: Exception, status: int) -> str:
        """Say in words how a child failed, from the exception and its exit status."""
        if isinstance(error, wire.WireError):
            _log.error("a decoder child broke the protocol", extra={"detail": str(error)})
            return f"the decoder child answered {error}; it may have been taken over"
        if isinstance(error, ChildTimedOutError):
            return f"the decoder child gave no answer within {self._timeout_s:g} s"
        if status == -signal.SIGPROF:
            return f"the decoder child used more than {self._limits.cpu_s:g} s of processor time"
        if status == EXIT_OUT_OF_MEMORY:
            return f"the decoder child needed more than {self._limits.memory_bytes} bytes"
        if status < 0:
            names = {known.value: known.name for known in signal.Signals}
            return f"the decoder child was ended by {names.get(-status, f'signal {-status}')}"
        return f"the decoder child ended with exit code {status}"
