"""Who owns what: the events in flight per partition, their tags, and what may be committed.

An event is in flight from the moment it is admitted until its result is committed or its
partition is given up. Each carries a tag: partition, epoch and group member id. The epoch is
bumped on every assignment, revocation, loss and seek, so the result of an event that was admitted
before can never be committed after. Partitions that are kept across a cooperative rebalance keep
their tag, and their work survives.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from kafka.structs import TopicPartition

from worker.stream.entries import InFlight, Prefix, Result, Stage, Tag

POSTPONED_S = 0.2
"""After so long at most a commit that was not possible is tried again: groups settle by then."""


@dataclass(slots=True)
class _Partition(Generic[Result]):
    tag: Tag
    entries: deque[InFlight[Result]]
    closing: bool = False


class Ownership(Generic[Result]):
    """Every event in flight of this process; all methods may be called from any thread.

    It is also the bound on the queues between the threads: what they hold is counted here until it
    is given up; pixels have a bound of their own (worker/stream/judging.py). `full` turns true at
    either limit and false again at half of both.
    """

    def __init__(
        self,
        *,
        max_records: int,
        max_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._changed = threading.Condition()
        self._partitions: dict[TopicPartition, _Partition[Result]] = {}
        self._epochs: dict[TopicPartition, int] = {}
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._clock = clock
        self._records = 0
        self._bytes = 0
        self._finished = 0
        self._fresh = False  # something was finished since the last `take`
        self._taken_at = -math.inf
        self._postponed = False  # what was taken last is still to be committed
        self._full = False
        self._suspended = False
        self._hurry = False  # a revocation waits

    # Changes of ownership -----------------------------------------------------------------

    def assign(self, partitions: Iterable[TopicPartition], member_id: str) -> None:
        """Start to own `partitions`, with nothing in flight. Called by the rebalance listener."""
        with self._changed:
            for partition in partitions:
                self._drop(partition)
                tag = Tag(partition, self._bump(partition), member_id)
                self._partitions[partition] = _Partition(tag, deque())
            self._changed.notify_all()

    def revoke(self, partitions: Iterable[TopicPartition], deadline_s: float) -> bool:
        """Give partitions up: drop what is queued, wait for the rest to be committed.

        Returns False when the deadline passed first and unfinished work was dropped; the next
        owner reads it again. Called by the rebalance listener, on the consumer's own thread, so
        the wait must stay bounded: no heartbeat leaves while it lasts.
        """
        asked = set(partitions)
        end = self._clock() + deadline_s
        with self._changed:
            for partition in asked:
                self._keep_started(partition)
            self._hurry = True
            self._changed.notify_all()
            while (busy := any(map(self._busy, asked))) and (left := end - self._clock()) > 0:
                self._changed.wait(left)
            self._hurry = False
            for partition in asked:
                self._drop(partition)
                self._bump(partition)
            self._changed.notify_all()
        return not busy

    def lose(self, partitions: Iterable[TopicPartition]) -> None:
        """Others own `partitions` already: drop everything, commit nothing."""
        with self._changed:
            for partition in partitions:
                self._drop(partition)
                self._bump(partition)
            self._changed.notify_all()

    def discard(self) -> None:
        """Drop everything in flight and admit nothing until `resume`: a transaction is in doubt."""
        with self._changed:
            self._suspended = True
            for partition in self._partitions.values():
                self._restart(partition)
            self._changed.notify_all()

    def resume(self, partitions: Iterable[TopicPartition], member_id: str) -> None:
        """Own exactly `partitions` again, all of them just sought to their committed offsets."""
        with self._changed:
            for partition in list(self._partitions):
                self._drop(partition)
            for partition in partitions:
                tag = Tag(partition, self._bump(partition), member_id)
                self._partitions[partition] = _Partition(tag, deque())
            self._suspended = False
            self._changed.notify_all()

    # The way of an event ------------------------------------------------------------------

    def admit(
        self, partition: TopicPartition, records: Sequence[tuple[int, int]]
    ) -> list[InFlight[Result]]:
        """Register (offset, bytes) pairs in offset order; empty when they cannot be taken now.

        What is not admitted is not lost: admission stops only where a seek, another owner or the
        end of the process follows, and the committed offset lies before it.
        """
        with self._changed:
            owned = self._partitions.get(partition)
            if owned is None or owned.closing or self._suspended:
                return []
            admitted: list[InFlight[Result]] = [InFlight(owned.tag, *one) for one in records]
            owned.entries.extend(admitted)
            self._records += len(admitted)
            self._bytes += sum(entry.size for entry in admitted)
            self._update_full()
            return admitted

    def begin(self, entries: Sequence[InFlight[Result]]) -> list[bool]:
        """Mark events as being judged; False where an event was given up and needs no work."""
        with self._changed:
            current = [self._is_current(entry) for entry in entries]
            for entry, is_current in zip(entries, current, strict=True):
                if is_current:
                    entry.stage = Stage.JUDGING
            return current

    def is_current(self, entry: InFlight[Result]) -> bool:
        """Whether the event is still ours to work on."""
        with self._changed:
            return self._is_current(entry)

    def fetched(self, entry: InFlight[Result], size: int, release: Callable[[], None]) -> bool:
        """So many bytes came for an event; False where it was given up meanwhile."""
        with self._changed:
            if not self._is_current(entry):
                return False
            entry.size, entry.fetched, entry.release = entry.size + size, size, release
            self._bytes += size
            self._update_full()
            return True

    def finish(self, results: Iterable[tuple[InFlight[Result], Result, int]]) -> None:
        """Record (event, result, bytes still held); results of events given up are dropped."""
        with self._changed:
            for entry, result, size in results:
                if not self._is_current(entry):
                    continue
                self._bytes += size - entry.size
                entry.size, entry.fetched = size, 0
                entry.release()
                entry.result = result
                entry.stage = Stage.FINISHED
                self._finished += 1
                self._fresh = True
            self._update_full()
            self._changed.notify_all()

    def wait_until_due(self, interval_s: float, records: int, timeout_s: float) -> bool:
        """Wait until something is finished and the last take is `interval_s` ago.

        Not for the interval where `records` are finished or a revocation waits, unless what was
        taken last was postponed. False where nothing fell due within `timeout_s`.
        """
        end = self._clock() + timeout_s
        with self._changed:
            while True:
                now, due = self._clock(), self._due(interval_s, records)
                if due <= now:
                    return True
                if end <= now:
                    return False
                self._changed.wait(min(due, end) - now)

    def _due(self, interval_s: float, records: int) -> float:
        """When to take next, by the clock; the lock is held."""
        if not self._fresh:
            return math.inf
        if self._postponed:
            return self._taken_at + min(interval_s, POSTPONED_S)
        if self._finished >= records or self._hurry:
            return -math.inf
        return self._taken_at + interval_s

    def take(self, limit: int) -> list[Prefix[Result]]:
        """The finished run at the head of each partition, `limit` events in all.

        The events stay in flight until `settle`.
        """
        prefixes = []
        with self._changed:
            self._fresh = self._postponed = False
            for owned in self._partitions.values():
                run: list[InFlight[Result]] = []
                for entry in owned.entries:
                    if entry.stage is not Stage.FINISHED or limit <= 0:
                        break
                    run.append(entry)
                    limit -= 1
                if run:
                    prefixes.append(Prefix(owned.tag, tuple(run)))
            if prefixes:
                self._taken_at = self._clock()
            if limit <= 0:
                self._fresh, self._taken_at = True, -math.inf
        return prefixes

    def postpone(self) -> None:
        """What was taken could not be committed now: it falls due again after a moment."""
        with self._changed:
            self._fresh = self._postponed = True
            self._taken_at = self._clock()

    def still_owned(
        self, prefixes: Sequence[Prefix[Result]], member_id: str
    ) -> list[Prefix[Result]]:
        """The prefixes whose tag is still the partition's and whose member is `member_id`."""
        with self._changed:
            return [
                prefix
                for prefix in prefixes
                if prefix.tag.member_id == member_id and self._is_current(prefix.entries[0])
            ]

    def settle(self, prefixes: Sequence[Prefix[Result]]) -> None:
        """Forget events whose results were committed."""
        with self._changed:
            for prefix in prefixes:
                owned = self._partitions.get(prefix.tag.partition)
                if owned is None or owned.tag != prefix.tag:
                    continue
                for entry in prefix.entries:
                    assert owned.entries[0] is entry, "settled events lead their partition"
                    self._forget(owned.entries.popleft())
            self._update_full()
            self._changed.notify_all()

    # What the others ask ------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the partitions should pause."""
        with self._changed:
            return self._full or self._suspended

    @property
    def in_flight(self) -> tuple[int, int]:
        """Events in flight and the bytes that they hold."""
        with self._changed:
            return self._records, self._bytes

    def waiting(self) -> Mapping[tuple[str, int], tuple[int, int | None]]:
        """By partition that is owned, how many are in flight, and the oldest one's `sent_ms`."""
        with self._changed:
            return {
                (partition.topic, partition.partition): (
                    len(owned.entries),
                    owned.entries[0].sent_ms if owned.entries else None,
                )
                for partition, owned in self._partitions.items()
            }

    def held_as_another(self, member_id: str) -> bool:
        """Whether some partition is held under another member id than this one."""
        with self._changed:
            return any(owned.tag.member_id != member_id for owned in self._partitions.values())

    # Inside the lock ----------------------------------------------------------------------

    def _bump(self, partition: TopicPartition) -> int:
        self._epochs[partition] = self._epochs.get(partition, 0) + 1
        return self._epochs[partition]

    def _is_current(self, entry: InFlight[Result]) -> bool:
        owned = self._partitions.get(entry.tag.partition)
        return owned is not None and owned.tag == entry.tag and entry.size >= 0

    def _busy(self, partition: TopicPartition) -> bool:
        owned = self._partitions.get(partition)
        return owned is not None and bool(owned.entries)

    def _keep_started(self, partition: TopicPartition) -> None:
        """Drop everything from the first event that no one has begun to judge."""
        owned = self._partitions.get(partition)
        if owned is None:
            return
        owned.closing = True
        kept = 0
        while kept < len(owned.entries) and owned.entries[kept].stage is not Stage.QUEUED:
            kept += 1
        self._cut(owned, kept)

    def _restart(self, owned: _Partition[Result]) -> None:
        self._cut(owned)
        owned.tag = Tag(owned.tag.partition, self._bump(owned.tag.partition), owned.tag.member_id)

    def _drop(self, partition: TopicPartition) -> None:
        owned = self._partitions.pop(partition, None)
        if owned is not None:
            self._cut(owned)

    def _cut(self, owned: _Partition[Result], kept: int = 0) -> None:
        while len(owned.entries) > kept:
            self._forget(owned.entries.pop())
        self._update_full()

    def _forget(self, entry: InFlight[Result]) -> None:
        self._records -= 1
        self._bytes -= entry.size
        if entry.stage is Stage.FINISHED:
            self._finished -= 1
        entry.release()
        entry.size = -1  # no longer in flight: see _is_current

    def _update_full(self) -> None:
        if self._records >= self._max_records or self._bytes >= self._max_bytes:
            self._full = True
        elif self._records * 2 <= self._max_records and self._bytes * 2 <= self._max_bytes:
            self._full = False
