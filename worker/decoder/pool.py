"""DecoderPool: decode untrusted files in processes that can do nothing else.

A child (worker/decoder/child.py) decodes a few images of one sender, and none after one that it
refused; then a fresh one takes its place. One that crashes, runs out of memory or takes too long
fails no neighbour; its image is tried once more, and rejected (`sandbox_kill`) when a second child
fails too, or at once where the failure can only be its own. What a child may do is in
worker/decoder/confinement.py, what it may say in worker/decoder/wire.py.
"""

import logging
import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from worker.decoder import wire
from worker.decoder.child import EXIT_OUT_OF_MEMORY
from worker.decoder.decode import DecodedImage, DecodeLimits, check_size
from worker.decoder.pipes import (
    TICK_S,
    ChildEndedError,
    ChildOverranError,
    ChildTimedOutError,
    Deadline,
)
from worker.decoder.process import START_TIMEOUT_S, DecoderProcess, NotForkedError
from worker.errors import RejectError, RetryError, StopError

# Pauses between attempts to start decoders where the machine cannot; the last one repeats.
_START_PAUSES_S: Final = (0.2, 0.4, 0.8, 1.6, 3.0)
_START_TRIES: Final = 5
_NOT_STARTED_EXIT_CODE: Final = 75  # EX_TEMPFAIL: a supervisor starts the worker again
_UNFIT_TRIES: Final = 3  # beyond one for each decoder; all may have died idle at once

# What only the image itself can have brought about, whatever the machine is doing.
_OWN_FAULTS: Final = frozenset({-signal.SIGXCPU, -signal.SIGSYS})
_FAILURES: Final = (
    ChildEndedError,
    ChildOverranError,
    ChildTimedOutError,
    NotForkedError,
    wire.WireError,
)
_log = logging.getLogger(__name__)


class DecoderPool:
    """`size` decoders; each decodes one image at a time, in confined children that live shortly.

    A child that was taken over by an image could answer wrongly for those after it; so it decodes
    `images_per_child` images of one sender at most.
    `timeout_s` bounds one image by the wall clock (4 x limits.cpu_s if None, for a machine four
    times overcommitted), in ticks, so that a pause of the whole machine does not count. Threads:
    `decode` may be called from any number; with more callers than decoders they wait for one
    another. One thread of its own starts the decoders, because the kernel ends a process
    (PR_SET_PDEATHSIG) when the thread that started it ends.
    """

    def __init__(
        self,
        limits: DecodeLimits,
        size: int,
        *,
        images_per_child: int = 16,
        timeout_s: float | None = None,
        on_kill: Callable[[str], None] = lambda cause: None,
    ) -> None:
        """`on_kill` is called with a word for the cause whenever a child ends over an image."""
        if size < 1 or images_per_child < 1:
            raise ValueError(f"size {size} and images_per_child {images_per_child}: at least 1")
        self._limits = limits
        self._size = size
        self._images_per_child = images_per_child
        self._on_kill = on_kill
        self._timeout_s = 4 * limits.cpu_s if timeout_s is None else timeout_s
        self._changed = threading.Condition()  # guards all that follows
        self._idle: list[DecoderProcess] = []
        self._all: set[DecoderProcess] = set()
        self._wanted = 0
        self._failure: str | None = None
        self._failed_starts = 0
        self._changes = 0
        self._closed = self._all_ended = False
        self._starter: threading.Thread | None = None

    def start(self) -> None:
        """Start the decoders and wait until all are confined.

        StopError if that fails several times over some seconds; its exit code lets a supervisor
        start the worker again, since what is missing is mostly memory or processes.
        """
        if self._starter is not None or self._closed:
            raise StopError("the decoder pool was started before; make a new one")
        self._wanted = self._size
        starter = threading.Thread(target=self._start_decoders, name="decoder-starter", daemon=True)
        try:
            starter.start()
        except RuntimeError as error:
            raise StopError(
                f"the thread that starts decoders cannot be started ({error}); raise the limit of"
                " processes (pids)",
                exit_code=_NOT_STARTED_EXIT_CODE,
            ) from error
        self._starter = starter
        with self._changed:
            while not (self._closed or len(self._idle) == self._size):
                if self._failed_starts >= _START_TRIES:
                    break
                self._changed.wait(TICK_S)
            failure = None if len(self._idle) == self._size else self._failure
        if failure:
            self.close()
            raise StopError(failure, exit_code=_NOT_STARTED_EXIT_CODE)

    def decode(self, data: bytes, sender: str = "") -> DecodedImage:
        """Decode one file in a child; blocks until there is one and it has answered.

        `sender` is whoever the file comes from: no child decodes for two.

        Raises RejectError as `decode` does, and with code "sandbox_kill" when the child died,
        overran its limits or answered nonsense, where that can only be the image's doing, else when
        a second child fails too. RetryError when no child can be had now or the pool was closed
        (the image is not to blame); StopError when the pool was not started.
        """
        check_size(data, self._limits)
        tried_before = False
        while True:
            decoder = self._take_ready(sender)
            try:
                image = decoder.decode(data, sender, self._timeout_s)
            except RejectError:
                self._give_back(decoder, renew=True)
                raise
            except _FAILURES as error:
                status = self._replace(decoder)
                if self._closed:
                    raise RetryError("the decoder pool was closed during a decode") from error
                self._on_kill(cause_of(error, status))
                reason = self._why(error, status)
                if tried_before or _is_own_fault(error, status):
                    raise RejectError("sandbox_kill", reason, stage="decode") from error
                _log.warning("a decode failed; once more in a fresh child", extra={"why": reason})
                tried_before = True
                continue
            except BaseException:
                self._replace(decoder)  # its socket may hold half an answer
                raise
            self._give_back(decoder, renew=decoder.images >= self._images_per_child)
            return image

    def posture(self) -> dict[str, bool]:
        """Say which measures confine the children: true where it holds in every one of them.

        Keys: dies_with_parent, no_new_privs, not_dumpable, no_capabilities, killed_first, landlock,
        namespaces, memory, processor_time, files, processes, seccomp; empty before start.
        `worker.decoder.confinement` explains them.
        """
        with self._changed:
            postures = [decoder.posture for decoder in self._all if decoder.posture]
        return {key: all(p.get(key, False) for p in postures) for p in postures for key in p}

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the children that wait for an image or decode one."""
        with self._changed:
            decoders = tuple(self._all)
        return tuple(sorted(pid for pid in (decoder.pid() for decoder in decoders) if pid))

    def close(self) -> None:
        """End all decoders; callers inside `decode` get RetryError. May be called twice."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._all.difference_update(idle)
            for decoder in self._all:
                decoder.kill()
            self._changed.notify_all()
        for decoder in idle:
            decoder.end()
        with self._changed:
            self._changed.wait_for(lambda: not self._all)  # those in use end in their own callers
            self._all_ended = True
            self._changed.notify_all()
        if self._starter is not None:
            self._starter.join()

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

    def _take_ready(self, sender: str) -> DecoderProcess:
        """Take a decoder whose child is confined and has decoded for nobody else.

        One that died idle is replaced, and fails nobody.

        RetryError when the pool is closed, or when none can be had.
        """
        why = ""
        for _ in range(self._size + _UNFIT_TRIES):
            decoder = self._take(sender)
            try:
                if decoder.images and decoder.sender != sender:
                    decoder.renew()
                decoder.wait_ready()
            except (OSError, *_FAILURES) as error:
                why = self._why(error, self._replace(decoder))
                _log.warning("a decoder had died before its image came", extra={"why": why})
            except BaseException:
                self._replace(decoder)
                raise
            else:
                return decoder
        raise RetryError(f"decoders end before they are given an image: {why}")

    def _take(self, sender: str) -> DecoderProcess:
        """Wait for an idle decoder, as long as there is hope: a live one, or one being started.

        The best of several has decoded for this sender; the next best for nobody.
        """
        patience_s = START_TIMEOUT_S + 2 * self._timeout_s
        with self._changed:
            if self._starter is None:
                raise StopError("the decoder pool was not started; call start() first")
            patience, seen = Deadline(patience_s), self._changes
            while True:
                if self._closed:
                    raise RetryError("the decoder pool is closed")
                if self._idle:
                    best = max(
                        self._idle,
                        key=lambda d: (d.images > 0 and d.sender == sender, not d.images),
                    )
                    self._idle.remove(best)
                    return best
                if self._failure is not None and not self._all:
                    raise RetryError(self._failure)
                if seen != self._changes:
                    patience, seen = Deadline(patience_s), self._changes
                if patience.left_s <= 0:
                    raise RetryError(f"no decoder became free for {patience_s:g} s")
                self._changed.wait(TICK_S)
                patience.tick()

    def _give_back(self, decoder: DecoderProcess, *, renew: bool) -> None:
        """Offer a decoder to the next caller; `renew` has a fresh child forked meanwhile."""
        try:
            if renew and not self._closed:
                decoder.renew()
        except (OSError, ChildEndedError) as error:
            _log.warning("a decoder could not go on", extra={"why": repr(error)})
        else:
            with self._changed:
                if not self._closed:
                    self._idle.append(decoder)
                    self._note_change()
                    return
        self._replace(decoder)

    def _replace(self, decoder: DecoderProcess) -> int | None:
        """End a decoder and ask for another. Returns the exit status of its child, if known."""
        status = decoder.end()
        with self._changed:
            self._all.discard(decoder)
            if not self._closed:
                self._wanted += 1
            self._note_change()
        return status

    def _note_change(self) -> None:
        self._changes += 1
        self._changed.notify_all()

    def _start_decoders(self) -> None:
        """Keep as many decoders as are wanted, until the pool closes; pause where one fails."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._wanted)
                if self._closed:
                    # With this thread the templates end, and their children would be orphans.
                    self._changed.wait_for(lambda: self._all_ended)
                    return
                failed_before, wanted = self._failed_starts, self._wanted
            self._start_some(wanted)
            with self._changed:
                if self._failed_starts > failed_before:
                    last = len(_START_PAUSES_S) - 1
                    pause_s = _START_PAUSES_S[min(failed_before, last)]
                    self._changed.wait_for(lambda: self._closed, pause_s)

    def _start_some(self, wanted: int) -> None:
        """Start so many decoders and admit those that get ready; whatever fails is noted."""
        started: list[DecoderProcess] = []
        failure = None
        try:
            for _ in range(wanted):
                started.append(DecoderProcess(self._limits, self._images_per_child))
        except Exception as error:  # whatever it is, those who wait for a decoder must hear of it
            failure = (
                f"no decoder child can be started ({error}); free memory, or raise the limits of"
                " processes (pids) and of open files"
            )
        with self._changed:
            self._all.update(started)
            self._wanted -= len(started)
            self._note_change()
        for decoder in started:
            failure = self._admit(decoder) or failure
        if failure is not None:
            with self._changed:
                if not self._closed:
                    self._failure = failure
                    self._failed_starts += 1
                    self._note_change()
            _log.error("decoders cannot be started", extra={"why": failure})

    def _admit(self, decoder: DecoderProcess) -> str | None:
        """Offer a decoder to the callers once it is ready; say why it is not, else None."""
        try:
            if not self._closed:
                decoder.wait_ready()
        except _FAILURES as error:
            status = self._replace(decoder)
            return (
                "a decoder child could not start, so no image can be decoded:"
                f" {self._why(error, status)}; its own words are on stderr"
            )
        with self._changed:
            if not self._closed:
                self._idle.append(decoder)
                self._failure, self._failed_starts = None, 0
                self._note_change()
                return None
        self._replace(decoder)
        return None

    def _why(self, error: Exception, status: int | None) -> str:
        """Say in words how a child failed, from the exception and its exit status."""
        if isinstance(error, NotForkedError | OSError):
            return f"no child could be forked ({error})"
        if isinstance(error, wire.WireError):
            _log.error("a decoder child broke the protocol", extra={"detail": str(error)})
            return f"the decoder child answered {error}; it may have been taken over"
        if isinstance(error, ChildTimedOutError):
            return f"the decoder child gave no answer within {self._timeout_s:g} s"
        if status is None:
            return "the decoder child ended together with its template"
        if status == -signal.SIGSYS:
            _log.error("a decoder child made a system call that no decoder makes")
            return "the decoder child made a system call that no decoder makes, and was ended"
        if isinstance(error, ChildOverranError) or status == -signal.SIGXCPU:
            return f"the decoder child used more than {self._limits.cpu_s:g} s of processor time"
        if status == EXIT_OUT_OF_MEMORY:
            return f"the decoder child needed more than {self._limits.memory_bytes} bytes"
        if status < 0:
            names = {known.value: known.name for known in signal.Signals}
            return f"the decoder child was ended by {names.get(-status, f'signal {-status}')}"
        return f"the decoder child ended with exit code {status}"


def cause_of(error: Exception, status: int | None) -> str:
    """Why a child ended, in one word, from the exception and its exit status."""
    if isinstance(error, NotForkedError | OSError):
        return "not_forked"
    if isinstance(error, wire.WireError):
        return "protocol"
    if isinstance(error, ChildTimedOutError):
        return "no_answer"
    if status == -signal.SIGSYS:
        return "forbidden_call"
    if status in (-signal.SIGPROF, -signal.SIGXCPU):
        return "processor_time"
    if status == EXIT_OUT_OF_MEMORY:
        return "memory"
    return "template_ended" if status is None else "crash"


def _is_own_fault(error: Exception, status: int | None) -> bool:
    """Whether the failure can only be the image's: a machine in need does none of these.

    Processor time and address space are counted for the child alone; nonsense and forbidden system
    calls are an intruder's. A deadline that passed, a crash, or a kill from outside (the kernel's,
    where memory runs out) may be the machine's.
    """
    if isinstance(error, wire.WireError | ChildOverranError):
        return True
    return isinstance(error, ChildEndedError) and (
        status in _OWN_FAULTS or status == EXIT_OUT_OF_MEMORY
    )
