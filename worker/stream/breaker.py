"""Stops the worker when too much is rejected, instead of draining a topic into the dead letters."""

from collections import deque

from worker.errors import StopError


class Breaker:
    """Counts outcomes in the order in which they are committed.

    A few broken files pass; a long run of rejects, or a large share of a full window, is our own
    mistake (a bad release, a wrong topic, a producer that sends something else).
    """

    def __init__(self, *, max_consecutive: int, max_ratio: float, window: int) -> None:
        self._max_consecutive = max_consecutive
        self._max_ratio = max_ratio
        self._recent: deque[bool] = deque(maxlen=window)
        self._window = window
        self._consecutive = 0
        self._rejected = 0

    def count(self, *, rejected: bool, last_reason: str = "") -> None:
        """Note one outcome; raises StopError at either limit, before that outcome is committed."""
        if len(self._recent) == self._window:
            self._rejected -= self._recent[0]
        self._recent.append(rejected)
        self._rejected += rejected
        self._consecutive = self._consecutive + 1 if rejected else 0
        if self._consecutive > self._max_consecutive:
            self._stop(f"{self._consecutive} events in a row were rejected", last_reason)
        full = len(self._recent) == self._window
        if full and self._rejected > self._max_ratio * self._window:
            self._stop(
                f"{self._rejected} of the last {self._window} events were rejected", last_reason
            )

    def _stop(self, seen: str, last_reason: str) -> None:
        raise StopError(
            f"{seen}, the last one as {last_reason}; the limits are {self._max_consecutive} in a"
            f" row and {self._max_ratio:.0%} of {self._window}. The worker stops instead of moving"
            " the topic to the dead letters; the last events stay uncommitted. Look at the dead"
            " letters; if they are right, raise LATENTPRINT_DELIVERY__MAX_CONSECUTIVE_REJECTS or"
            " LATENTPRINT_DELIVERY__MAX_REJECT_RATIO and start again"
        )
