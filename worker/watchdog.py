"""Ends the process when a call that has no timeout of its own does not come back.

kafka-python's commit, abort and send-offsets wait for ever, and so does a hung inference. A thread
cannot be killed, so the process ends with its own exit code, the supervisor starts another, and
the successor's `init_transactions` fences what was left behind.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

WATCHDOG_EXIT_CODE = 75
"""EX_TEMPFAIL of sysexits.h: a new process may well succeed."""

_TICK_S = 0.2
_SAY_S = 5.0
"""A reader of stderr that hangs must not keep the process alive for longer."""


def _end_process(what: str, deadline_s: float) -> None:
    """Say what hung and where every thread stands, then end, even where stderr takes nothing."""
    last_resort = threading.Timer(_SAY_S, os._exit, [WATCHDOG_EXIT_CODE])
    last_resort.daemon = True
    last_resort.start()
    sys.stderr.write(
        f"watchdog: {what} did not return within {deadline_s:g} s; the process ends with exit code"
        f" {WATCHDOG_EXIT_CODE} and a new one takes over; the threads stand as"
        " follows, the innermost call first\n"
    )
    sys.stderr.flush()
    faulthandler.dump_traceback(all_threads=True)
    os._exit(WATCHDOG_EXIT_CODE)


@dataclass(slots=True)
class _Guarded:
    what: str
    deadline_s: float
    left_s: float


class Watchdog:
    """Watches the guarded calls of all threads.

    Deadlines are counted in its own ticks, so a process that was stopped (SIGSTOP, a suspended
    laptop) finds its deadlines where it left them instead of long past.
    """

    def __init__(self, on_expiry: Callable[[str, float], None] = _end_process) -> None:
        self._on_expiry = on_expiry
        self._guarded: dict[int, _Guarded] = {}
        self._lock = threading.Lock()
        self._ids = count()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    @contextmanager
    def guard(self, what: str, deadline_s: float) -> Iterator[None]:
        """The process ends unless the block is left within `deadline_s`."""
        key = next(self._ids)
        with self._lock:
            self._guarded[key] = _Guarded(what, deadline_s, deadline_s)
        try:
            yield
        finally:
            with self._lock:
                del self._guarded[key]

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._stop.wait(_TICK_S):
            now = time.monotonic()
            passed = min(now - before, 2 * _TICK_S)
            before = now
            expired = []
            with self._lock:
                for entry in self._guarded.values():
                    entry.left_s -= passed
                    if entry.left_s <= 0:
                        expired.append(entry)
            for entry in expired:
                self._on_expiry(entry.what, entry.deadline_s)
