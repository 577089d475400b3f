"""One process at a time for a piece of work; the kernel frees the lock when the process ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def locked(file: Path) -> Iterator[bool]:
    """Whether the lock was free, and then hold it."""
    lock = locked_when_free(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def locked_when_free(file: Path) -> FileLock:
    """A lock that waits in `with` until it is free; its folder is made.

    Never the library's substitute for file systems without `flock`, which outlives a killed holder.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(file, fallback_to_soft=False)
