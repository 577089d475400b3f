"""Read from and write to a child with a deadline, so that no child can hold its parent."""

import contextlib
import math
import os
import select
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

TICK_S: Final = 0.2
MOST_PARTS: Final = 1024
"""Of one writev, by the kernel (IOV_MAX)."""

_SCHEDULED_TIME: Final = 2  # the kernel's CPUCLOCK_SCHED


class ChildEndedError(Exception):
    """The other end is closed: the child has ended, or is about to."""


class ChildTimedOutError(Exception):
    """The deadline passed with work left to do."""


class ChildOverranError(Exception):
    """The child used more processor time than it may."""


class Deadline:
    """So many seconds, counted in ticks of this process's own.

    A process that was stopped (SIGSTOP, a paused container or virtual machine) finds its deadlines
    where it left them instead of long past; the child that it waits for was stopped with it.
    `spends` is the child's processor time in seconds, which may grow by `cpu_s` at most.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        cpu_s: float = math.inf,
        spends: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.left_s = seconds
        self._clock = clock
        self._before = clock()
        self._spends = spends
        self._may_spend_s = spends() + cpu_s

    def tick(self) -> None:
        """Count what has passed since the last call, two ticks at most."""
        now = self._clock()
        self.left_s -= min(now - self._before, 2 * TICK_S)
        self._before = now

    @property
    def overrun(self) -> bool:
        """Whether the child has used all of its processor time."""
        return self._spends() > self._may_spend_s

    @property
    def next_wait_s(self) -> float:
        """How long to wait before the next `tick`."""
        return max(0.0, min(self.left_s, TICK_S))


def processor_time_s(pid: int) -> float:
    """The processor time of another process, all its threads, in seconds; 0 where none is told.

    Read from the kernel's clock of that process (as clock_getcpuclockid(3) names it), which the
    process itself can neither stop nor set back.
    """
    if sys.platform != "linux":
        return 0.0
    with contextlib.suppress(OSError):  # it is gone
        return time.clock_gettime((~pid << 3) | _SCHEDULED_TIME)
    return 0.0


def read_exactly(fd: int, size: int, deadline: Deadline) -> bytearray:
    """Read `size` bytes from the non-blocking `fd`; ChildEndedError and its kind."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        try:
            count = os.readv(fd, [view])
        except BlockingIOError:
            _wait(fd, select.POLLIN, deadline)
            continue
        except ConnectionResetError as error:  # it ended with some of our request unread
            raise ChildEndedError from error
        if not count:
            raise ChildEndedError
        view = view[count:]
    return buffer


def write_all(fd: int, parts: Sequence[bytes], deadline: Deadline) -> None:
    """Write all `parts` to the non-blocking `fd`; ChildEndedError and its kind."""
    views = [memoryview(part) for part in parts]
    while views:
        try:
            count = os.writev(fd, views[:MOST_PARTS])
        except BlockingIOError:
            _wait(fd, select.POLLOUT, deadline)
            continue
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ChildEndedError from error
        views = left_over(views, count)


def left_over(views: list[memoryview], count: int) -> list[memoryview]:
    """What of parts, each of bytes, is still to be written after the first `count` bytes."""
    for number, view in enumerate(views):
        if count < len(view):
            return [view[count:], *views[number + 1 :]]
        count -= len(view)
    return []


def is_closed(fd: int) -> bool:
    """Whether the other end of the socket `fd` is closed now."""
    poller = select.poll()
    poller.register(fd, 0)
    return bool(poller.poll(0))  # POLLHUP and POLLERR are always reported


def _wait(fd: int, event: int, deadline: Deadline) -> None:
    poller = select.poll()  # not select(): descriptors above 1023 are common in a worker
    poller.register(fd, event)
    while not poller.poll(deadline.next_wait_s * 1000):
        deadline.tick()
        if deadline.overrun:
            raise ChildOverranError
        if deadline.left_s <= 0:
            if poller.poll(0):  # it answered at the last moment, perhaps while we were paused
                return
            raise ChildTimedOutError
    deadline.tick()
