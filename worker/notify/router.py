"""Each alert to whom it concerns, and back: an event is finished once every receiver is settled.

An offset is committed only when all before it are finished, so that nothing is passed over: every
receiver has the alert, or a digest that counts it, or there is a dead letter for that receiver.
"""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog

from worker.events.cloudevents import RawRecord
from worker.metrics import Figures
from worker.notify.courier import Courier, Job
from worker.notify.floods import Closed, Floods, digest_of
from worker.notify.letters import Letter, unreadable
from worker.notify.messages import Message, alert_message, digest_message, read_alert
from worker.notify.receivers import Plan
from worker.notify.severity import Severity, severity_of
from worker.stream.entries import InFlight
from worker.stream.in_flight import Ownership

Settled = tuple[Letter, ...]
"""What an alert came to: a dead letter for each receiver that did not get it."""

Entry = InFlight[Settled]


class Router:
    """Used by the main thread; couriers answer from theirs."""

    def __init__(
        self,
        plan: Plan,
        couriers: Sequence[Courier],
        ownership: Ownership[Settled],
        figures: Figures,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._plan = plan
        self._couriers = couriers
        self._ownership = ownership
        self._figures = figures
        self._clock = clock
        self._floods: Floods[Entry] = Floods(plan.flood, clock)
        self._log = structlog.get_logger("worker")

    def take(self, entry: Entry, record: RawRecord) -> None:
        """Send one alert on its way, or keep it for the digest of its window."""
        try:
            alert, document = read_alert(record)
            severity = severity_of(alert, self._plan.rules, self._plan.default_severity)
            message = alert_message(record, alert, document, severity)
        except (ValueError, RecursionError) as error:
            letter = unreadable(record, str(error))
            self._log.error("dead_letter", kind="alert", reason=letter.reason, place=entry.place)
            self._ownership.finish([(entry, (letter,), entry.size)])
            return
        if not self._told(severity):
            self._ownership.finish([(entry, (), 0)])
            return
        self.close_windows()
        if self._floods.take(alert, severity, entry):
            self._send(message, [entry])

    def close_windows(self, *, every: bool = False) -> None:
        """Send the digests of windows that are over; of all with `every`, as at the end."""
        for closed in self._floods.due(every=every):
            self._send_digest(closed)

    def relieve(self) -> None:
        """Send what waits for digests before its time: nothing more can be read for it."""
        for closed in self._floods.early():
            self._send_digest(closed)

    @property
    def held(self) -> int:
        """Alerts that wait for their digest."""
        return self._floods.held

    def _told(self, severity: Severity) -> list[Courier]:
        return [c for c in self._couriers if severity in c.receiver.severities]

    def _send_digest(self, closed: Closed[Entry]) -> None:
        # What was given up meanwhile, in a rebalance say, is read and counted by whoever has it.
        told = tuple(one for one in closed.told if self._ownership.is_current(one.held))
        if not told:
            return
        data = digest_of(closed.key, closed.start_s, told, self._plan.flood)
        self._figures.add("notify_digests")
        self._log.warning(
            "flood", model=closed.key.model_id, severity=closed.key.severity, alerts=len(told)
        )
        now = datetime.fromtimestamp(self._clock(), UTC)
        self._send(digest_message(data, now), [one.held for one in told])

    def _send(self, message: Message, entries: Sequence[Entry]) -> None:
        couriers = self._told(message.severity)
        tally = _Tally(self._ownership, entries, len(couriers))
        job = Job(message, tally.settle, tally.wanted, time.monotonic())
        for courier in couriers:
            courier.offer(job)


class _Tally:
    """Counts the receivers of one message that are settled; the last one finishes its events."""

    def __init__(
        self, ownership: Ownership[Settled], entries: Sequence[Entry], receivers: int
    ) -> None:
        self._ownership = ownership
        self._entries = entries
        self._left = receivers
        self._letters: list[Letter] = []
        self._lock = threading.Lock()

    def wanted(self) -> bool:
        """Whether any event of the message is still ours; others tell it otherwise."""
        return any(self._ownership.is_current(entry) for entry in self._entries)

    def settle(self, letter: Letter | None) -> None:
        """One receiver has it, or has a dead letter."""
        with self._lock:
            if letter is not None:
                self._letters.append(letter)
            self._left -= 1
            if self._left:
                return
        letters = tuple(self._letters)
        size = sum(len(one.value or b"") for one in letters)
        # Partitions are committed apart: the letters go with the first event of each, so that no
        # event of the message is passed over without them.
        partitions: set[object] = set()
        results: list[tuple[Entry, Settled, int]] = []
        for entry in self._entries:
            first = entry.tag.partition not in partitions
            partitions.add(entry.tag.partition)
            results.append((entry, letters if first else (), size if first else 0))
        self._ownership.finish(results)
