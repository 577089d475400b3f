"""One process at a time: a file lock with a deadline, released by the system if its holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from deploy.services.errors import Busy


@contextmanager
def hold_lock(path: Path, what: str, deadline_s: float) -> Iterator[None]:
    """Hold the lock file `path`, which is created and stays, waiting for another holder to finish.

    Raises:
        Busy: another process still held it after `deadline_s` seconds.
        OSError: the file cannot be created, or its file system has no such locks.
    """
    # The library's way out without them is a file that outlives a killed holder.
    lock = FileLock(path, timeout=deadline_s, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise Busy(
            f"Another process has been {what} for {deadline_s:g} s (lock {path}). "
            f"Nothing was done here. Wait for it or end it, then try again."
        ) from None
    try:
        yield
    finally:
        lock.release()
