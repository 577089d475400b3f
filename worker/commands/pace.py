"""Pace: files sent evenly at a rate, for load that looks like a platform's."""

import time
from collections.abc import Callable


class Pace:
    """Spaces files evenly at `rate` a second; without a rate it never waits."""

    def __init__(
        self,
        rate: float | None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._sleep = sleep
        self._started = monotonic()
        self._count = 0

    def wait(self) -> None:
        """Return when the next file is due. A late file is not followed by a burst of its size."""
        if self._rate is None:
            return
        due = self._started + self._count / self._rate
        now = self._monotonic()
        if now < due:
            self._sleep(due - now)
        elif now - due > 1.0:
            self._started += now - due
        self._count += 1
