"""The fetch threads: images that events only refer to, each event with one budget of tries.

A thread makes one try and goes on to the next event: whoever waits for another try stands in a
queue by when it is due, and holds no thread. What is under way is bounded in bytes by a `Room`.
"""

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from worker.errors import RejectError
from worker.metrics import Figures
from worker.references.outages import PROBE_S, Outages, UnavailableError
from worker.references.room import Hold, Room
from worker.references.targets import SCHEMES, STAGE, Target
from worker.settings.group import MEBIBYTE
from worker.settings.references import ReferenceSettings
from worker.stream.answers import Answer
from worker.stream.entries import InFlight
from worker.stream.in_flight import Ownership
from worker.telemetry import Log

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 8.0
"""Between the tries of one event, doubled each time; up to half of it is taken off by chance, so
that events that failed together do not come back together."""

_ROOM_WAIT_S: Final = 0.2


class Fetcher(Protocol):
    """From a reference to the bytes of a file, in a process of its own."""

    @property
    def lanes(self) -> int:
        """How many fetches go on at once."""

    def target(self, reference: str) -> Target:
        """What it names. Raises RejectError where nothing allows it."""

    def fetch(self, reference: str) -> bytes:
        """Raises RejectError, or UnavailableError where another try may do; from any thread."""


@dataclass(slots=True, eq=False)
class _Wanted:
    """One event that waits for its image, and how often it was tried."""

    entry: InFlight[Answer]
    reference: str
    fetched: Callable[[bytes, str], None]
    rejected: Callable[[RejectError, int], None]
    first_at: float | None = None
    tries: int = 0


class FetchThreads:
    """As many threads as the fetcher has lanes; `put` may be called from any thread."""

    def __init__(
        self,
        *,
        fetcher: Fetcher,
        ownership: Ownership[Answer],
        settings: ReferenceSettings,
        max_image_bytes: int,
        figures: Figures,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._fetcher = fetcher
        self._ownership = ownership
        self._settings = settings
        self._max_image_bytes = max_image_bytes
        self._room = Room(settings.max_fetched_mib * MEBIBYTE)
        self._figures = figures
        self._fail = fail
        self._outages = Outages(settings.outage_s)
        self._log: Log = structlog.get_logger("worker")
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, _Wanted]] = []
        self._number = itertools.count()
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._guarded, name=f"fetch-{i}", daemon=True)
            for i in range(fetcher.lanes)
        ]

    def start(self) -> None:
        """Start all threads."""
        for thread in self._threads:
            thread.start()

    def close(self, timeout_s: float) -> None:
        """End the threads after the try that they are making; what comes of it is dropped."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        end = time.monotonic() + timeout_s
        for thread in filter(threading.Thread.is_alive, self._threads):
            thread.join(max(0.0, end - time.monotonic()))

    def put(
        self,
        entry: InFlight[Answer],
        reference: str,
        fetched: Callable[[bytes, str], None],
        rejected: Callable[[RejectError, int], None],
    ) -> None:
        """Have an image fetched: `fetched` gets its bytes and its place, or `rejected` why not.

        Neither is called for an event that was given up meanwhile.
        """
        self._later(_Wanted(entry, reference, fetched, rejected), 0.0)

    def _later(self, wanted: _Wanted, pause_s: float) -> None:
        with self._changed:
            due = time.monotonic() + pause_s
            heapq.heappush(self._due, (due, next(self._number), wanted))
            self._changed.notify()

    def _guarded(self) -> None:
        try:
            while (wanted := self._next()) is not None:
                self._advance(wanted)
        except BaseException as error:
            self._fail(error)

    def _next(self) -> _Wanted | None:
        """Wait for whoever is due next; None when the threads are to end."""
        with self._changed:
            while not self._stopped:
                left_s = self._due[0][0] - time.monotonic() if self._due else None
                if left_s is not None and left_s <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(left_s)
        return None

    def _advance(self, wanted: _Wanted) -> None:
        """Make one try, unless the event was given up or has to wait."""
        if not self._ownership.is_current(wanted.entry):
            return
        try:
            target = self._fetcher.target(wanted.reference)
        except RejectError as error:
            self._reject(wanted, error, _scheme(wanted.reference))
            return
        if not self._outages.may_ask(target.store, tried=wanted.tries > 0):
            self._later(wanted, PROBE_S)
            return
        hold = self._room.take(self._max_image_bytes, _ROOM_WAIT_S)
        if hold is None:
            self._later(wanted, 0.0)
            return
        try:
            self._try(wanted, target, hold)
        except BaseException:
            hold.release()
            raise

    def _try(self, wanted: _Wanted, target: Target, hold: Hold) -> None:
        began = time.monotonic()
        wanted.first_at = wanted.first_at or began
        wanted.tries += 1
        try:
            data = self._fetcher.fetch(wanted.reference)
        except RejectError as error:
            hold.release()
            if error.code != "fetch.refused":  # that is our own no, whatever the store does
                self._outages.answered(target.store)
            self._reject(wanted, error, target.scheme)
        except UnavailableError as error:
            hold.release()
            self._figures.add("fetches", scheme=target.scheme, result="unavailable")
            self._log.info("fetch_failed", store=target.store, error=str(error), tries=wanted.tries)
            self._again_or_reject(wanted, target, error, began, wanted.first_at)
        else:
            self._outages.answered(target.store)
            self._figures.add("fetches", scheme=target.scheme, result="fetched")
            seconds = time.monotonic() - wanted.first_at
            self._figures.observe("fetch_seconds", seconds, scheme=target.scheme)
            hold.shrink(len(data))
            if self._ownership.fetched(wanted.entry, len(data), hold.release):
                wanted.fetched(data, target.place)
            else:
                hold.release()

    def _again_or_reject(
        self,
        wanted: _Wanted,
        target: Target,
        error: UnavailableError,
        began: float,
        first_at: float,
    ) -> None:
        """Another try within the budget; beyond it, a wait for the store, or a dead letter."""
        settings = self._settings
        pause_s = pause_after(wanted.tries)
        spent_s = time.monotonic() + pause_s - first_at
        if wanted.tries < settings.tries and spent_s < settings.budget_s:
            self._later(wanted, pause_s)
        elif self._outages.is_to_blame(target.store, wanted.entry.sender, began, str(error)):
            why = f"{error}, at the last of {wanted.tries} tries; redrive it once it is there"
            wanted.rejected(RejectError("fetch.unavailable", why, stage=STAGE), wanted.tries)
        else:
            self._later(wanted, PROBE_S)

    def _reject(self, wanted: _Wanted, error: RejectError, scheme: str) -> None:
        self._figures.add("fetches", scheme=scheme, result=error.code.removeprefix("fetch."))
        wanted.rejected(error, max(1, wanted.tries))


def pause_after(tries: int) -> float:
    """Seconds until the next try; an event that waits for its store may have had thousands."""
    doubled = FIRST_PAUSE_S * 2.0 ** min(tries - 1, 30)
    return float(min(LONGEST_PAUSE_S, doubled) * (1 - random.random() / 2))  # spreads the load


def _scheme(reference: str) -> str:
    """The scheme as a label, which takes few values."""
    scheme = reference.partition(":")[0]
    return scheme if scheme in SCHEMES else "other"
