"""One process at a time: a file lock with a deadline, released by the system if its holder dies."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.services.errors import Busy

_POLL_S = 0.1


@contextmanager
def hold_lock(path: Path, what: str, deadline_s: float) -> Iterator[None]:
    """Hold the lock file `path`, which is created and stays, waiting for another holder to finish.

    Raises:
        Busy: another process still held it after `deadline_s` seconds.
        OSError: the file cannot be created.
    """
    began = time.monotonic()
    with path.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - began > deadline_s:
                    raise Busy(
                        f"Another process has been {what} for {deadline_s:g} s (lock {path}). "
                        f"Nothing was done here. Wait for it or end it, then try again."
                    ) from None
                time.sleep(_POLL_S)
        yield
