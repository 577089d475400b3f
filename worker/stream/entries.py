"""One event in flight: its tag, how far it has come, and runs of such events.

Whose they are and what may be committed is in worker/stream/in_flight.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from kafka.structs import TopicPartition
from opentelemetry.trace import SpanContext

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Tag:
    """What a result must still match when it is committed."""

    partition: TopicPartition
    epoch: int
    member_id: str


class Stage(Enum):
    """How far an event in flight has come."""

    QUEUED = "queued"
    JUDGING = "judging"
    FINISHED = "finished"


@dataclass(slots=True, eq=False)
class InFlight(Generic[Result]):
    """One admitted event; `size` in bytes is what it holds against the limit on bytes.

    `sender` is whom the breaker counts it for; empty until that was read. `sent_ms` is its record's
    time, in ms of the epoch. `fetched` is what of `size` did not come with the record; when it is
    let go, `release` is called. `batch` is the span of the batch that it was judged in.
    """

    tag: Tag
    offset: int
    size: int
    stage: Stage = Stage.QUEUED
    sender: str = ""
    sent_ms: int | None = None
    batch: SpanContext | None = None
    result: Result | None = None
    fetched: int = 0
    release: Callable[[], None] = lambda: None

    @property
    def record_size(self) -> int:
        """The bytes of the record itself."""
        return self.size - self.fetched

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset where it was read."""
        return self.tag.partition.topic, self.tag.partition.partition, self.offset


@dataclass(frozen=True, slots=True)
class Prefix(Generic[Result]):
    """The longest finished run at the head of a partition, in offset order."""

    tag: Tag
    entries: tuple[InFlight[Result], ...]

    @property
    def next_offset(self) -> int:
        """The offset to commit: one past the last finished event."""
        return self.entries[-1].offset + 1
