"""Read from and write to a child's pipe with a deadline, so that no child can hold its parent."""

import os
import select
import time
from collections.abc import Sequence


class ChildEndedError(Exception):
    """The other end of the pipe is closed: the child has ended, or is about to."""


class ChildTimedOutError(Exception):
    """The deadline passed with work left to do."""


def read_exactly(fd: int, size: int, deadline: float) -> bytearray:
    """Read `size` bytes from the non-blocking `fd` before `deadline` (time.monotonic())."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        try:
            count = os.readv(fd, [view])
        except BlockingIOError:
            _wait(fd, select.POLLIN, deadline)
            continue
        if not count:
            raise ChildEndedError
        view = view[count:]
    return buffer


def write_all(fd: int, parts: Sequence[bytes], deadline: float) -> None:
    """Write all `parts` to the non-blocking `fd` before `deadline` (time.monotonic())."""
    views = [memoryview(part) for part in parts if part]
    while views:
        try:
            count = os.writev(fd, views)
        except BlockingIOError:
            _wait(fd, select.POLLOUT, deadline)
            continue
        except BrokenPipeError as error:
            raise ChildEndedError from error
        while views and count >= len(views[0]):
            count -= len(views.pop(0))
        if count:
            views[0] = views[0][count:]


def _wait(fd: int, event: int, deadline: float) -> None:
    left_s = deadline - time.monotonic()
    poller = select.poll()  # not select(): descriptors above 1023 are common in a worker
    poller.register(fd, event)
    if left_s <= 0 or not poller.poll(left_s * 1000):
        raise ChildTimedOutError
