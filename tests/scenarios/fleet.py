"""Several workers that are killed and started again by a schedule that a seed fixes."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.scenarios.harness import Run, WorkerProcess
from tests.waiting import wait_for

ASSIGNED = '"event": "assigned"'
"""In the log of a worker that has its partitions; the next place may kill it before it is ready."""

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
        return [slot for slot, one in self.members.items() if one.ended_at is not None]

    def drain(self) -> list[int]:
        """SIGTERM to one after the other; their exit codes."""
        return [member.drain() for member in self.members.values()]


def kill_again_and_again(fleet: Fleet, kills: int, feed: Callable[[], None]) -> list[float]:
    """Let workers die at the places of the schedule; the seconds until each slot worked again.

    Whoever dies is replaced at once, as by a supervisor: a group that is joined anew waits for its
    dead. `feed` puts in some more events, and is called all the while.
    """
    for slot in range(fleet.slots):
        fleet.start(slot, fleet.draw("kill"))
    died_at: dict[int, float] = {}
    seconds: list[float] = []
    deaths = 0

    def all_have_died_and_are_back() -> bool:
        nonlocal deaths
        for slot in fleet.ended():
            died = fleet.members[slot]
            assert died.wait_ended() == -signal.SIGKILL, died.log.read_text()[-2000:]
            deaths += 1
            assert died.ended_at is not None
            died_at.setdefault(slot, died.ended_at)
            # The last ones of all slots live on.
            fleet.start(slot, fleet.draw("kill") if deaths <= kills - fleet.slots else "")
        for slot in [one for one in died_at if ASSIGNED in fleet.members[one].log.read_text()]:
            seconds.append(time.monotonic() - died_at.pop(slot))
        feed()
        return deaths >= kills and not died_at

    wait_for(all_have_died_and_are_back, f"{kills} deaths, and every slot back", 30.0 * kills)
    return seconds
