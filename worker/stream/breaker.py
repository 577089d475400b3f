"""Holds back a sender of too many rejects, and stops the worker where all of them are rejected.

A sender is the event's `source` with the first part of its `subject`. Uploads of strangers must
not end the service, so one sender's flood is answered by a quarantine: its further events become
dead letters without being decoded, until one that is let through after a pause is right. Rejects
of everybody's events are our own mistake (a bad release, a wrong topic), and the topic must not
drain into the dead letters. Decision 0018 says why it is drawn so.
"""

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from worker.errors import RejectError, StopError
from worker.metrics import Figures
from worker.settings.delivery import DeliverySettings
from worker.telemetry import Log

QUARANTINED = "quarantined"
MAX_SENDERS = 1000
"""Senders that are counted one by one, the latest ones; 500 references each are 4 MiB in all."""

TRIPS_WINDOW_S = 3600.0
"""Senders that trip within so long of each other are taken for one cause, which is ours."""

SHOWN = 100
"""So many characters of a sender's name are logged."""

Place = tuple[str, int, int]
"""Topic, partition and offset of an event as it was read."""


def sender_of(source: str, subject: str | None) -> str:
    """Who sent an event: its source, and the subject up to its first `/` where it has one."""
    first, slash, _ = (subject or "").lstrip("/").partition("/")
    return f"{source} {first}" if slash else source


def sender_of_headers(headers: tuple[tuple[str, bytes | None], ...]) -> str:
    """The sender of a record that is no event, as far as its headers tell; may be empty."""
    said: Mapping[str, bytes | None] = dict(headers)
    source, subject = said.get("ce_source") or b"", said.get("ce_subject") or b""
    return sender_of(
        source.decode("utf-8", "backslashreplace"), subject.decode("utf-8", "surrogateescape")
    )


@dataclass(slots=True)
class _Counted:
    """The latest answers, each with its sender and whether it was a reject, and what they give."""

    limits: DeliverySettings
    recent: deque[tuple[str, bool]] = field(default_factory=deque)
    in_a_row: int = 0
    rejected: int = 0

    def add(self, answer: tuple[str, bool]) -> None:
        if len(self.recent) == self.limits.reject_window:
            self.rejected -= self.recent.popleft()[1]
        self.recent.append(answer)
        rejected = answer[1]
        self.rejected += rejected
        self.in_a_row = self.in_a_row + 1 if rejected else 0

    def too_many(self) -> str | None:
        """What is above a limit, as a sentence's beginning."""
        if self.in_a_row > self.limits.max_consecutive_rejects:
            return f"{self.in_a_row} events in a row were rejected"
        window = self.limits.reject_window
        if len(self.recent) == window and self.rejected > self.limits.max_reject_ratio * window:
            return f"{self.rejected} of the last {window} events were rejected"
        return None

    def used(self) -> float:
        """The larger share of the two limits that is used up; above 1 is too many."""
        of_window = self.limits.max_reject_ratio * self.limits.reject_window
        return max(self.in_a_row / self.limits.max_consecutive_rejects, self.rejected / of_window)

    def forget(self, sender: str) -> None:
        """What a sender in quarantine sent says nothing of the others."""
        left = [answer for answer in self.recent if answer[0] != sender]
        self.recent.clear()
        self.in_a_row = self.rejected = 0
        for answer in left:
            self.add(answer)

    def mostly_of_one(self) -> bool:
        """Whether one sender gives more than half of the rejects of the window."""
        rejects = Counter(sender for sender, rejected in self.recent if rejected)
        return max(rejects.values(), default=0) * 2 > rejects.total()

    def right_of_others(self, sender: str) -> bool:
        """Whether an event of any other sender in the window was judged."""
        return any(not rejected and other != sender for other, rejected in self.recent)


@dataclass(slots=True)
class _Quarantine:
    until: float
    probe: Place | None = None
    """The event that was let through, whose answer is waited for."""


class Breaker:
    """Counts answers in the order in which they are committed; may be used from any thread.

    It forgets at a restart, and each process counts what it reads.
    """

    def __init__(
        self,
        delivery: DeliverySettings,
        figures: Figures,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = delivery
        self._figures = figures
        self._clock = clock
        self._lock = threading.Lock()
        self._stream = _Counted(delivery)
        self._senders: OrderedDict[str, _Counted] = OrderedDict()
        self._quarantined: dict[str, _Quarantine] = {}
        self._tripped_at: dict[str, float] = {}
        self._log: Log = structlog.get_logger("worker")
        figures.before_reading(self._show)

    def check(self, sender: str, place: Place) -> None:
        """Before an event is decoded: RejectError where its sender is in quarantine.

        Once in every `delivery.quarantine_s` one event is let through.
        """
        with self._lock:
            held = self._quarantined.get(sender)
            if held is None or held.probe == place:
                return
            now = self._clock()
            if now >= held.until:
                held.until, held.probe = now + self._limits.quarantine_s, place
                return
        raise RejectError(
            "quarantined",
            f"too many events of this sender ({sender[:SHOWN]}) were rejected, so this one was not"
            " looked at; have it judged by `latentprint dlq redrive --code quarantined` when the"
            " sender is mended",
            stage="event",
        )

    def count(self, sender: str, place: Place, *, code: str | None, reason: str = "") -> None:
        """Note one answer, before it is committed; `code` is the reject's, None for a verdict.

        Puts the sender into quarantine above a limit; raises StopError where that would not help.
        """
        with self._lock:
            if code == QUARANTINED:
                return
            if sender in self._quarantined:
                self._count_quarantined(sender, place, rejected=code is not None)
                return
            self._stream.add((sender, code is not None))
            own = self._senders.setdefault(sender, _Counted(self._limits))
            self._senders.move_to_end(sender)
            if len(self._senders) > MAX_SENDERS:
                self._senders.popitem(last=False)
            own.add(("", False) if code is None else ("", True))  # constants, held but once
            if code is None:
                return
            last = f"{code} ({reason})"
            seen = own.too_many()
            if seen is not None:
                self._trip(sender, seen, last)
            elif (seen := self._stream.too_many()) and not self._stream.mostly_of_one():
                self._stop(f"{seen}, of several senders", last)

    def _show(self) -> None:
        with self._lock:
            self._figures.set("breaker_used_ratio", self._stream.used())

    def _count_quarantined(self, sender: str, place: Place, *, rejected: bool) -> None:
        """Only the event that was let through says anything; others were on their way before."""
        held = self._quarantined[sender]
        if held.probe != place:
            return
        held.probe = None
        if not rejected:
            del self._quarantined[sender]
            self._figures.set("senders_quarantined", len(self._quarantined))
            self._log.warning("quarantine_lifted", sender=sender[:SHOWN])

    def _trip(self, sender: str, seen: str, last: str) -> None:
        now, limits = self._clock(), self._limits
        if limits.quarantine_s == 0:
            self._stop(f"{seen}, all of {sender[:SHOWN]!r}", last)
        if not self._stream.right_of_others(sender):
            self._stop(f"{seen}, and no event of another sender was judged lately", last)
        self._tripped_at[sender] = now
        recent = {s: at for s, at in self._tripped_at.items() if now - at < TRIPS_WINDOW_S}
        self._tripped_at = recent
        if len(recent) >= limits.max_quarantined:
            self._stop(f"{seen}; {len(recent)} senders did so within an hour", last)
        self._quarantined[sender] = _Quarantine(now + limits.quarantine_s)
        del self._senders[sender]
        self._stream.forget(sender)
        self._figures.add("quarantines")
        self._figures.set("senders_quarantined", len(self._quarantined))
        self._log.error(
            "quarantine",
            sender=sender[:SHOWN],
            seen=seen,
            last=last,
            next_try_s=limits.quarantine_s,
            do="look at this sender's dead letters; redrive those with code quarantined",
        )

    def _stop(self, seen: str, last: str) -> None:
        limits = self._limits
        raise StopError(
            f"{seen}, the last one as {last}; the limits are {limits.max_consecutive_rejects} in a"
            f" row and {limits.max_reject_ratio:.0%} of {limits.reject_window}. The worker stops"
            " instead of moving the topic to the dead letters; the last events stay uncommitted."
            " Look at the dead letters; if they are right, raise"
            " LATENTPRINT_DELIVERY__MAX_CONSECUTIVE_REJECTS or"
            " LATENTPRINT_DELIVERY__MAX_REJECT_RATIO and start again"
        )
