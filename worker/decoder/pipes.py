"""Read from and write to a child with a deadline, so that no child can hold its parent."""

import os
import select
import time
from collections.abc import Callable, Sequence
from typing import Final

TICK_S: Final = 0.2


class ChildEndedError(Exception):
    """The other end is closed: the child has ended, or is about to."""


class ChildTimedOutError(Exception):
    """The deadline passed with work left to do."""


class Deadline:
    """So many seconds, counted in ticks of this process's own.

    A process that was stopped (SIGSTOP, a paused container or virtual machine) finds its deadlines
    where it left them instead of long past; the child that it waits for was stopped with it.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.left_s = seconds
        self._clock = clock
        self._before = clock()

    def tick(self) -> None:
        """Count what has passed since the last call, two ticks at most."""
        now = self._clock()
        self.left_s -= min(now - self._before, 2 * TICK_S)
        self._before = now

    @property
    def next_wait_s(self) -> float:
        """How long to wait before the next `tick`."""
        return max(0.0, min(self.left_s, TICK_S))


def read_exactly(fd: int, size: int, deadline: Deadline) -> bytearray:
    """Read `size` bytes from the non-blocking `fd`; ChildEndedError, ChildTimedOutError."""
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
    """Write all `parts` to the non-blocking `fd`; ChildEndedError, ChildTimedOutError."""
    views = [memoryview(part) for part in parts if part]
    while views:
        try:
            count = os.writev(fd, views)
        except BlockingIOError:
            _wait(fd, select.POLLOUT, deadline)
            continue
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ChildEndedError from error
        while views and count >= len(views[0]):
            count -= len(views.pop(0))
        if count:
            views[0] = views[0][count:]


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
        if deadline.left_s <= 0:
            if poller.poll(0):  # it answered at the last moment, perhaps while we were paused
                return
            raise ChildTimedOutError
    deadline.tick()
