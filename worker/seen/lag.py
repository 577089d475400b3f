"""How far a worker is behind, by partition, from what it knows anyway: nobody is asked.

What is behind is what lies in a partition and is not committed: records that were not read yet, as
of the last fetch, and those in flight. A paused partition is not fetched, so that its end is an old
one; it is paused because much is in flight.
"""

import time
from collections.abc import Callable, Mapping

from worker.metrics import Figures

Partition = tuple[str, int]
"""Topic and number."""


NOTE_S = 1.0


class Lag:
    """Told by the thread that polls; shown from any thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds of the epoch, as records' times are."""
        self._clock = clock
        self._noted_at = -NOTE_S
        self._unread: Mapping[Partition, int] = {}
        self._not_before: dict[Partition, float] = {}

    def read_up_to(self, partition: Partition, sent_ms: int | None) -> None:
        """What is still unread was sent no earlier than the record that was read last."""
        if sent_ms is not None and sent_ms > 0:
            known = self._not_before.get(partition, 0.0)
            self._not_before[partition] = max(known, sent_ms / 1000)

    def note(self, ends: Callable[[], Mapping[Partition, tuple[int, int]]]) -> None:
        """Take each assigned partition's position and end, where the last look is a second old.

        What `ends` does not name was given up.
        """
        now = self._clock()
        if 0 <= now - self._noted_at < NOTE_S:
            return
        self._noted_at = now
        unread = {}
        for partition, (position, end) in ends().items():
            unread[partition] = max(0, end - position)
            if not unread[partition] or partition not in self._not_before:
                self._not_before[partition] = now  # what comes later was sent later
        self._not_before = {p: at for p, at in self._not_before.items() if p in unread}
        self._unread = unread

    def show(self, figures: Figures, waiting: Mapping[Partition, tuple[int, int | None]]) -> None:
        """Set the figures; `waiting` has how many are in flight, and when the oldest was sent (ms).

        Where nothing is in flight nobody has seen the oldest record; the age told is then the
        highest that it can have.
        """
        now = self._clock()
        records: dict[tuple[str, ...], float] = {}
        seconds: dict[tuple[str, ...], float] = {}
        for partition, unread in list(self._unread.items()):
            in_flight, oldest_ms = waiting.get(partition, (0, None))
            labels = (partition[0], str(partition[1]))
            records[labels] = unread + in_flight
            seconds[labels] = 0.0
            if in_flight and oldest_ms is not None and oldest_ms > 0:
                seconds[labels] = max(0.0, now - oldest_ms / 1000)
            elif unread or in_flight:
                seconds[labels] = max(0.0, now - self._not_before.get(partition, now))
        figures.set_all("lag_records", records)
        figures.set_all("lag_seconds", seconds)
