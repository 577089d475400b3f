"""A load that never ends: some events always wait, so that no worker is idle."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.scenarios import oracle
from tests.scenarios.harness import Run, ordinary_events
from tests.waiting import wait_for


@dataclass
class Load:
    """Puts in `portion` events whenever fewer than `waiting` are not committed yet."""

    run: Run
    portion: int
    waiting: int
    put: int = 0
    least: float = math.inf
    """The fewest events that were found waiting, once there were any."""

    def committed(self) -> int:
        """Events that the group has behind it."""
        run = self.run
        return sum(oracle.committed(run.brokers, run.group, run.topics.images).values())

    def feed(self) -> None:
        """Put in a portion, if few are left."""
        waiting = self.put - self.committed()
        if self.put:
            self.least = min(self.least, waiting)
        if waiting < self.waiting:
            self.add(self.portion)

    def add(self, events: int) -> None:
        """Put in so many."""
        self.run.put(ordinary_events(events, start=self.put))
        self.put += events

    def rate_during(self, seconds: float, finished: Callable[[], bool]) -> float:
        """Committed events a second, fed all the while, for some seconds and until `finished`."""
        first, began = self.committed(), time.monotonic()

        def over() -> bool:
            self.feed()
            return time.monotonic() - began > seconds and finished()

        wait_for(over, "the load to have run its time", 60.0 + seconds)
        return (self.committed() - first) / (time.monotonic() - began)
