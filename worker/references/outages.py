"""When a store counts as away: then its events wait, and none of them is blamed.

A broken object and a store that is down look alike from one event. Told apart they are by the
others: where the store answered anybody since this event's last try began, the event is at fault
and becomes a dead letter. Where it answered nobody, the event waits. After `outage_s` of that the
process ends with exit code 3, which a supervisor restarts, and nothing is lost, provided that
several senders are hit. One sender alone could bring it about with addresses that never answer, so
that its events become dead letters, which the breaker counts. Decision 0025 says why.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from worker.errors import RetryError, StopError
from worker.telemetry import Log

SEVERAL: Final = 3
"""Senders that are taken for everybody, as many as the breaker takes (decision 0018)."""

PROBE_S: Final = 2.0
"""How often one of the events that wait for a store asks it again."""

_MOST_SENDERS: Final = 100


class UnavailableError(RetryError):
    """The store gave no answer now, and may give one later; `store` is what is asked as a whole."""

    def __init__(self, message: str, store: str) -> None:
        super().__init__(message)
        self.store = store


@dataclass(slots=True)
class _Away:
    since: float
    probed_at: float
    senders: set[str] = field(default_factory=set)


class Outages:
    """Which stores answer; may be used from any thread."""

    def __init__(self, outage_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._outage_s = outage_s
        self._clock = clock
        self._lock = threading.Lock()
        self._answered_at: dict[str, float] = {}
        self._away: dict[str, _Away] = {}
        self._log: Log = structlog.get_logger("worker")

    def answered(self, store: str) -> None:
        """The store gave an answer, an image or a no."""
        with self._lock:
            self._answered_at[store] = self._clock()
            away = self._away.pop(store, None)
        if away is not None:
            self._log.warning("store_back", store=store, away_s=round(self._clock() - away.since))

    def may_ask(self, store: str, tried: bool) -> bool:
        """Whether an event may ask the store now; those that `tried` before wait while it is away.

        One of them may every `PROBE_S`. An event's first try is always let through: should the
        store answer it, nobody waits any more.
        """
        with self._lock:
            away = self._away.get(store)
            if away is None or not tried:
                return True
            now = self._clock()
            due = now - away.probed_at >= PROBE_S
            if due:
                away.probed_at = now
            return due

    def is_to_blame(self, store: str, sender: str, since: float, why: str) -> bool:
        """Whether an event whose tries are used up is at fault itself, and not its store.

        `since` is when its last try began, by the clock. Raises StopError (exit code 3) where the
        store has answered nobody for too long.
        """
        with self._lock:
            if self._answered_at.get(store, -1.0) >= since:
                return True
            now = self._clock()
            first = store not in self._away
            away = self._away.setdefault(store, _Away(now, now))
            if len(away.senders) < _MOST_SENDERS:
                away.senders.add(sender)
            away_s, senders = now - away.since, len(away.senders)
        if first:
            self._log.error(
                "store_away",
                store=store,
                error=why,
                do="its events wait and are tried again; mend the store, its credentials or the way"
                " there",
            )
        if away_s < self._outage_s:
            return False
        if senders < SEVERAL:
            return True
        raise StopError(
            f"{store} has answered nobody for {away_s:.0f} s ({why}); events of {senders} senders"
            " wait for it. Nothing was lost: they are read again after a restart",
            exit_code=3,
        )
