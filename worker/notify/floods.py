"""The quota: above so many alerts of one generator and severity in a window, one digest is told.

Windows follow the clock on the wall and begin at its multiples, so that a backlog of hours, which
is read in seconds, is told in few messages too. The clock is passed in.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

from worker.events.records import Alert
from worker.notify.bodies import DigestData
from worker.notify.receivers import Flood
from worker.notify.severity import Severity

Held = TypeVar("Held")

MOST_SOURCES = 1000
"""Distinct sources that are counted by name in one digest; senders choose them."""

TOP_SOURCES = 10
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Key:
    """What is counted together; alerts that name no generator share None."""

    model_id: str | None
    severity: Severity


@dataclass(frozen=True, slots=True)
class Told(Generic[Held]):
    """One alert of a digest, and what its reader holds of it."""

    alert_id: UUID
    source: str
    held: Held


@dataclass(frozen=True, slots=True)
class Closed(Generic[Held]):
    """A window that is over, with what was beyond its quota."""

    key: Key
    start_s: int
    told: tuple[Told[Held], ...]


@dataclass(slots=True)
class _Window(Generic[Held]):
    start_s: int
    alone: int = 0
    beyond: list[Told[Held]] = field(default_factory=list)


class Floods(Generic[Held]):
    """The windows that are open; used by one thread."""

    def __init__(self, flood: Flood, clock: Callable[[], float]) -> None:
        self._flood = flood
        self._clock = clock
        self._windows: dict[Key, _Window[Held]] = {}

    def take(self, alert: Alert, severity: Severity, held: Held) -> bool:
        """Whether the alert is told by itself; otherwise it is kept for the window's digest.

        Call `due` before: an alert belongs to the window that is open now.
        """
        key = Key(alert.model_id, severity)
        window = self._windows.setdefault(key, _Window(self._start()))
        if window.alone < self._flood.alerts:
            window.alone += 1
            return True
        window.beyond.append(Told(alert.alert_id, alert.source, held))
        return False

    def due(self, *, every: bool = False) -> list[Closed[Held]]:
        """Close the windows that are over, or all, and give those with something to tell."""
        now = self._start()
        over = [key for key, w in self._windows.items() if every or w.start_s != now]
        closed = [(key, self._windows.pop(key)) for key in over]
        return [Closed(key, w.start_s, tuple(w.beyond)) for key, w in closed if w.beyond]

    def early(self) -> list[Closed[Held]]:
        """What waits for its digest now, while the windows and their quotas go on."""
        closed = [Closed(k, w.start_s, tuple(w.beyond)) for k, w in self._windows.items()]
        for window in self._windows.values():
            window.beyond = []
        return [one for one in closed if one.told]

    @property
    def held(self) -> int:
        """Alerts that wait for the end of their window."""
        return sum(len(window.beyond) for window in self._windows.values())

    def _start(self) -> int:
        return int(self._clock() // self._flood.window_s) * self._flood.window_s


def digest_of(key: Key, start_s: int, told: tuple[Told[Held], ...], flood: Flood) -> DigestData:
    """What a digest says of the alerts in it, in the order in which they were read."""
    counts: Counter[str] = Counter()
    for one in told:
        named = one.source if one.source in counts or len(counts) < MOST_SOURCES else OTHERS
        counts[named] += 1
    top = dict(counts.most_common(TOP_SOURCES))
    if (rest := len(told) - sum(top.values())) > 0:
        top[OTHERS] = top.get(OTHERS, 0) + rest
    step = max(1, len(told) // flood.sample) if flood.sample else len(told) + 1
    sample = told[::step][: flood.sample]
    return DigestData(
        severity=key.severity,
        model_id=key.model_id,
        count=len(told),
        window_start=datetime.fromtimestamp(start_s, UTC),
        window_s=flood.window_s,
        first_alert_id=told[0].alert_id,
        last_alert_id=told[-1].alert_id,
        sample_alert_ids=tuple(one.alert_id for one in sample),
        sources=top,
    )
