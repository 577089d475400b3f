"""Several workers that are killed and started again by a schedule that a seed fixes."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.scenarios.harness import Run, WorkerProcess
from tests.waiting import wait_for

IN_A_TRANSACTION = (
    "before_begin",
    "after_fetch",
    "after_begin",
    "after_first_send",
    "after_flush",
    "after_offsets",
    "during_commit",
    "after_commit",
)
"""Places that a worker under load comes by again and again."""


@dataclass
class Fleet:
    """One worker a slot; each may be armed with a failpoint of the schedule when it is started."""

    run: Run
    slots: int
    random: random.Random
    members: dict[int, WorkerProcess] = field(default_factory=dict)
    schedule: list[str] = field(default_factory=list)

    def start(self, slot: int, failpoint: str = "") -> WorkerProcess:
        """Start the worker of a slot; the one before it must have ended."""
        member = self.run.worker(slot, failpoint=failpoint)
        self.members[slot] = member
        return member

    def draw(self, action: str) -> str:
        """A failpoint of the schedule: where, and at which passing."""
        failpoint = f"{self.random.choice(IN_A_TRANSACTION)}:{action}@{self.random.randint(1, 3)}"
        self.schedule.append(failpoint)
        return failpoint

    def ended(self) -> list[int]:
        """The slots whose worker has ended."""
        return [slot for slot, one in self.members.items() if one.process.poll() is not None]

    def drain(self) -> list[int]:
        """SIGTERM to one after the other; their exit codes."""
        return [member.drain() for member in self.members.values()]


def kill_again_and_again(fleet: Fleet, kills: int, feed: Callable[[], None]) -> Iterator[float]:
    """Let workers die at the places of the schedule; yields the seconds until each is replaced.

    `feed` puts in some more events; it is called until a worker has come by its place.
    """
    for slot in range(fleet.slots):
        fleet.start(slot, fleet.draw("kill"))

    def fed_until_one_ends() -> list[int]:
        ended = fleet.ended()
        if not ended:
            feed()
        return ended

    for done in range(1, kills + 1):
        slot = fleet.random.choice(
            wait_for(fed_until_one_ends, "a worker to reach its failpoint", 120.0)
        )
        died = fleet.members[slot]
        assert died.wait_ended() == -signal.SIGKILL, died.log.read_text()[-2000:]
        began = time.monotonic()
        # The last ones of all slots live on.
        successor = fleet.start(slot, fleet.draw("kill") if done <= kills - fleet.slots else "")
        successor.wait_logged('"event": "assigned"')  # it may be killed before it is ready
        yield time.monotonic() - began
