"""Whether a process may be left alone, may be counted on, and has started; each with its reasons.

*Live* is whether the loop comes round, and nothing else: a process that waits for Kafka or Redis
is not mended by ending it. *Ready* is whether it judges as it should, now. *Started* is whether it
was ready to read once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from worker.metrics import Figures

STANDSTILL_S = 60.0
"""A loop that has not come round for so long hangs; the watchdog ends a poll after as long."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold, and what was seen of it."""

    name: str
    holds: bool
    seen: str

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {"check": self.name, "ok": self.holds, "seen": self.seen}


@dataclass(frozen=True, slots=True)
class State:
    """The answer to one question, with all that it rests on."""

    question: str
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)

    def document(self) -> dict[str, object]:
        """For JSON."""
        checks = [check.document() for check in self.checks]
        return {self.question: self.holds, "checks": checks}


Look = Callable[[], tuple[bool, str]]
"""Whether something holds now, and what was seen; must not wait, and may come from any thread."""


class Health:
    """What is known of one process; may be asked from any thread, from the first moment on."""

    def __init__(
        self, needed: Sequence[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`needed` are the checks of readiness; one that `know` has not told of yet fails."""
        self._clock = clock
        self._lock = threading.Lock()
        self._looks: dict[str, Look | None] = dict.fromkeys(needed)
        self._came_round: float | None = None
        self._started = False
        self._draining = False

    def know(self, name: str, look: Look) -> None:
        """From now on this check can be made."""
        with self._lock:
            self._looks[name] = look

    def came_round(self) -> None:
        """The loop made progress; called by it, at every round."""
        self._came_round = self._clock()

    def started(self) -> None:
        """The start is over, for good."""
        self._started = True

    def drains(self) -> None:
        """It was asked to end: not ready from now on."""
        self._draining = True

    @property
    def loop_age_s(self) -> float:
        """Seconds since the loop came round; 0 before its first round."""
        at = self._came_round
        return 0.0 if at is None else max(0.0, self._clock() - at)

    def live(self) -> State:
        """Whether the loop makes progress; a start that still goes on is alive."""
        if self._came_round is None:
            return State("live", (Check("loop", True, "has not begun: the start still goes on"),))
        age_s = self.loop_age_s
        seen = f"came round {age_s:.1f} s ago; it hangs after {STANDSTILL_S:g} s"
        return State("live", (Check("loop", age_s < STANDSTILL_S, seen),))

    def ready(self) -> State:
        """Whether all that is needed holds now, and nobody asked it to end."""
        with self._lock:
            looks = list(self._looks.items())
        checks = [_made(name, look) for name, look in looks]
        seen = "asked to end, commits what it has" if self._draining else "nobody asked it to end"
        return State("ready", (*checks, Check("stays", not self._draining, seen)))

    def startup(self) -> State:
        """Whether the start is over."""
        seen = "is over" if self._started else "still goes on"
        return State("started", (Check("start", self._started, seen),))

    def show(self, figures: Figures) -> None:
        """Set the figures that say the same."""
        state = self.ready()
        figures.set("ready", state.holds)
        for check in state.checks:
            figures.set("ready_check", check.holds, check=check.name)
        figures.set("loop_age_seconds", self.loop_age_s)


def _made(name: str, look: Look | None) -> Check:
    if look is None:
        return Check(name, False, "not known yet: the start still goes on")
    try:
        return Check(name, *look())
    except Exception as error:  # whatever it is, what cannot be looked at does not count as well
        return Check(name, False, f"could not be looked at ({type(error).__name__}: {error})")
