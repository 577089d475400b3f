"""One process at a time for a piece of work; the kernel frees the lock when the process ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(file: Path) -> Iterator[bool]:
    """Whether the lock was free, and then hold it."""
    with _held(file, fcntl.LOCK_EX | fcntl.LOCK_NB) as ours:
        yield ours


@contextmanager
def locked_when_free(file: Path) -> Iterator[bool]:
    """Wait until the lock is free and hold it; always true."""
    with _held(file, fcntl.LOCK_EX) as ours:
        yield ours


@contextmanager
def _held(file: Path, operation: int) -> Iterator[bool]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, operation)
        except BlockingIOError:
            yield False
            return
        yield True
