"""One decoder as its parent sees it: a template process, and the child that it forked last.

What the two do is in worker/decoder/child.py. Used by one thread at a time, but for `pid` and
`kill`.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Final

from worker.decoder import wire
from worker.decoder.child import END, NEXT, OUTCOME
from worker.decoder.decode import DecodedImage, DecodeLimits
from worker.decoder.pipes import (
    ChildEndedError,
    ChildTimedOutError,
    Deadline,
    is_closed,
    processor_time_s,
    read_exactly,
    write_all,
)

START_TIMEOUT_S: Final = 60.0  # imports on a crowded machine; measured: 0.25 s on an idle one
_ANSWER_S: Final = 5.0  # ending a child takes a millisecond

# -I: no environment, no user site, no current folder. The parent's own path follows this package's
# folder, so that the child finds exactly what the parent found, installed or not.
_BOOTSTRAP: Final = (
    "import json, sys; paths = json.loads(sys.argv[2]); sys.path[:0] = paths[:1]; "
    "sys.path += [p for p in paths if p not in sys.path]; "
    "from worker.decoder.child import main; sys.exit(main(sys.argv[1]))"
)

# One thread for numpy. Memory that an image leaves is kept for the child's next one: a first touch
# of a page costs more than the decode of it (measured: 6.9 ms an image without, 2.8 ms with).
_ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(64 * 1024 * 1024),
}


class NotForkedError(Exception):
    """The template could not fork a child: the machine is short of processes or of memory."""


class DecoderProcess:
    """A template, and one child at a time, which decodes a few images of one sender."""

    def __init__(self, limits: DecodeLimits, images_per_child: int) -> None:
        """Start the template and order its first child, without waiting; OSError if that fails."""
        argument = json.dumps(
            {"parent": os.getpid(), "limits": wire.limits_to(limits), "images": images_per_child}
        )
        paths = [str(Path(__file__).resolve().parents[2]), *(p for p in sys.path if p)]
        command = [sys.executable, "-I", "-c", _BOOTSTRAP, argument, json.dumps(paths)]
        self._control, orders = socket.socketpair()
        with orders:
            try:
                self.template: subprocess.Popen[bytes] = subprocess.Popen(
                    command,
                    stdin=orders.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=_ENVIRONMENT,
                    close_fds=True,
                    start_new_session=True,  # Ctrl-C is for the worker, which then drains
                )
            except BaseException:
                self._control.close()
                raise
        self._control.setblocking(False)
        self._limits = limits
        self._channel: socket.socket | None = None
        self._lock = threading.Lock()  # guards the answers to orders: what follows
        self._unanswered = False
        self._pid = 0
        self._ready = False
        self.sender: str | None = None
        self.images = 0
        self.posture: dict[str, bool] = {}
        try:
            self.renew()
        except (OSError, ChildEndedError) as error:
            self.end()
            raise OSError(f"{type(error).__name__}: {error}") from error

    def renew(self) -> None:
        """Have the present child ended and the next one forked, without waiting for it.

        OSError if there is no descriptor left, ChildEndedError if the template has ended.
        """
        with self._lock:
            self._close_channel()
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            # Room for a whole answer, so that it is not handed over in small pieces with a wait
            # for each; where the machine allows less, it gives what it allows.
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.reading.most_bytes)
            self._channel, self._ready, self.images = ours, False, 0
            with theirs:
                try:
                    socket.send_fds(self._control, [NEXT], [theirs.fileno()])
                except (BrokenPipeError, ConnectionResetError) as error:
                    raise ChildEndedError from error
            self._unanswered = True

    def wait_ready(self) -> None:
        """Wait until the child has confined itself, and note its posture.

        Raises ChildEndedError, ChildTimedOutError, NotForkedError or WireError; no image is to
        blame, since none was sent.
        """
        deadline = Deadline(START_TIMEOUT_S)
        with self._lock:
            self._settle(deadline)
        if not self._ready:
            said = self._read_header(deadline).get("ready")
            if not isinstance(said, dict) or not all(type(v) is bool for v in said.values()):
                raise wire.WireError("a first message that is not its posture")
            self.posture = {key: v and self.posture.get(key, True) for key, v in said.items()}
            self._ready = True
        if self._channel is None or is_closed(self._channel.fileno()):
            raise ChildEndedError

    def decode(self, data: bytes, sender: str, timeout_s: float) -> DecodedImage:
        """Send one file to the child that is ready, and read the answer.

        After any exception `renew` or `end` must follow, for its socket may hold half an answer.
        """
        assert self._channel is not None
        channel = self._channel.fileno()
        deadline = Deadline(
            timeout_s, cpu_s=self._limits.cpu_s, spends=partial(processor_time_s, self._pid)
        )
        self.sender = sender
        self.images += 1
        write_all(channel, [wire.request_prefix(data), data], deadline)
        header = self._read_header(deadline)
        wire.raise_if_rejected(header)
        body = read_exactly(channel, wire.body_size(header, self._limits), deadline)
        return wire.parse_image(header, body, data, self._limits)

    def pid(self) -> int:
        """Return the child's process id, or 0 where there is none."""
        with self._lock:
            with contextlib.suppress(ChildEndedError, ChildTimedOutError, NotForkedError):
                self._settle(Deadline(_ANSWER_S))
            gone = self._channel is None or is_closed(self._channel.fileno())
            return 0 if gone else self._pid

    def kill(self) -> None:
        """End template and child; whoever waits for an answer gets ChildEndedError."""
        self.template.kill()

    def end(self) -> int | None:
        """End the child and then the template.

        Return the exit status of the child, or of the template that ended before; None if unknown.
        """
        status: int | None = None
        with self._lock:
            try:
                self._settle(Deadline(_ANSWER_S))
                self._control.send(END)
                answer = read_exactly(self._control.fileno(), OUTCOME.size, Deadline(_ANSWER_S))
                status = OUTCOME.unpack(answer)[0]
            except (OSError, ChildEndedError):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    status = self.template.wait(_ANSWER_S)
            except (ChildTimedOutError, NotForkedError):
                pass
            self.template.kill()  # a child that is left dies with it
            self.template.wait()
            self._control.close()
            self._close_channel()
        return status

    def _settle(self, deadline: Deadline) -> None:
        """Read the answer to the last order, if it was not read yet; the lock is held."""
        if not self._unanswered:
            return
        answer = read_exactly(self._control.fileno(), OUTCOME.size, deadline)
        self._unanswered = False
        _, self._pid, error = OUTCOME.unpack(answer)
        if error:
            raise NotForkedError(os.strerror(error))

    def _read_header(self, deadline: Deadline) -> dict[str, object]:
        assert self._channel is not None
        channel = self._channel.fileno()
        size = wire.header_size(read_exactly(channel, wire.REPLY_PREFIX_BYTES, deadline))
        return wire.parse_header(read_exactly(channel, size, deadline))

    def _close_channel(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
