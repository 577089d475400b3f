"""Where reading begins, and what is missing there.

The client would go to the beginning of a partition whenever its position is outside of the log,
without a word. Here it asks instead (`auto_offset_reset` is none), and three cases are told apart:

- the group has committed nothing: it begins at the first record that is there;
- records that nobody judged were deleted, or the log was cut by an unclean election: they are
  counted, and the worker stops, or goes on where it was told to (`delivery.on_lost_records`);
- the topic was deleted and made again: its offsets began anew, and so does the worker. What a topic
  is, its id says; it is part of the verdict's id, and is committed beside each offset.
"""

import contextlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError
from kafka.structs import TopicPartition

from worker.errors import StopError
from worker.metrics import Figures

ANSWER_MS = 5_000
OnLostRecords = Literal["stop", "continue"]
CONTINUE = "LATENTPRINT_DELIVERY__ON_LOST_RECORDS=continue"


@dataclass(frozen=True, slots=True)
class Lost:
    """A position outside of a partition's log, and where one can go on.

    `cut` where the log ends before the position; otherwise it begins behind it.
    """

    partition: TopicPartition
    position: int
    there: int
    cut: bool

    @property
    def records(self) -> int:
        """Offsets between the two; markers of transactions are among them."""
        return abs(self.there - self.position)

    def sentence(self, brokers: str, group: str) -> str:
        """What happened and how to go on, for the operator."""
        topic, number = self.partition
        what = (
            f"the log of {topic}-{number} ends at offset {self.there}, but the group has read up to"
            f" {self.position}: the last {self.records} were lost, as after an unclean election;"
            " their verdicts stand, and what took their offsets since may be unread"
            if self.cut
            else f"{topic}-{number} begins at offset {self.there}, but the group has read only up"
            f" to {self.position}: {self.records} records were deleted before they were judged"
        )
        return (
            f"{what}. Nothing else was passed over. To go on at {self.there}, start once with"
            f" {CONTINUE}; to choose another place, while no worker runs:"
            f" kafka-consumer-groups.sh --bootstrap-server {brokers} --group {group} --topic"
            f" {topic}:{number} --reset-offsets --to-offset {self.there} --execute"
        )


class Positions:
    """The positions of one consumer, used on the main thread alone, but for `topic_ids`."""

    def __init__(
        self,
        *,
        consumer: Callable[[], Any],
        topics: Collection[str],
        brokers: str,
        group: str,
        on_lost_records: OnLostRecords,
        figures: Figures,
    ) -> None:
        self._consumer = consumer
        self._topics = topics
        self._brokers = brokers
        self._group = group
        self._stops = on_lost_records == "stop"
        self._figures = figures
        self._ids: Mapping[str, str | None] = {}
        self._known: set[TopicPartition] = set()
        self._log = structlog.get_logger("worker")

    @property
    def topic_ids(self) -> Mapping[str, str | None]:
        """What each topic was when its records were read; None before Kafka 2.8."""
        return self._ids

    def made_again(self) -> set[str]:
        """The topics that are others than their records in flight came from.

        `begin_anew` follows, once those were given up.
        """
        now = self._ids_now()
        return {t for t, known in self._ids.items() if known and now[t] and now[t] != known}

    def learn(self) -> None:
        """Take the topics as they are now."""
        now = self._ids_now()
        self._ids = {topic: now[topic] or self._ids.get(topic) for topic in self._topics}
        self._known = set()

    def begin_anew(self, topics: Collection[str]) -> None:
        """Go to the beginning of topics that were made again, elsewhere to what is committed."""
        self._log.warning("topic_made_again", topics=sorted(topics))
        self.learn()
        for partition in self._consumer().assignment():
            if partition.topic in topics:
                self._consumer().seek_to_beginning(partition)
            else:
                self._seek(partition)

    def rewind(self) -> None:
        """Go to the committed offsets of all partitions."""
        for partition in self._consumer().assignment():
            self._seek(partition)

    def begin(self, partitions: Iterable[TopicPartition]) -> None:
        """Find the first positions where the client found none."""
        for partition in partitions:
            self._seek(partition)

    def check_assigned(self) -> set[TopicPartition]:
        """Look at partitions that came since the last call; returns those that begin anew.

        An offset that a worker committed while its topic was being made again belongs to no record
        of the new one.
        """
        assigned = set(self._consumer().assignment())
        fresh = assigned - self._known
        anew = set()
        for partition in fresh:
            committed = self._committed(partition)
            if committed is not None and self._of_another(partition, committed.metadata):
                self._log.warning("topic_made_again", topics=[partition.topic])
                self._consumer().seek_to_beginning(partition)
                anew.add(partition)
        self._known = assigned
        return anew

    def outside(self, error: OffsetOutOfRangeError | LogTruncationError) -> list[Lost]:
        """What is missing where the client found a position outside of the log."""
        consumer = self._consumer()
        if isinstance(error, LogTruncationError):
            found = {tp: consumer.position(tp, timeout_ms=ANSWER_MS) for tp in self._held(error)}
        else:
            found = {tp: offset for tp, offset in error.args[0].items() if tp in self._held(error)}
        lost = []
        for partition, position in found.items():
            first = consumer.beginning_offsets([partition], timeout_ms=ANSWER_MS)[partition]
            if position < first:
                lost.append(Lost(partition, position, first, cut=False))
                continue
            end = consumer.end_offsets([partition], timeout_ms=ANSWER_MS)[partition]
            known = getattr(error, "divergent_offsets", {}).get(partition)
            there = min(end, known.offset) if known else end
            if position > there:
                lost.append(Lost(partition, position, there, cut=True))
            else:  # it has begun anew since: what was cut lay before a topic that was made again
                consumer.seek(partition, position)
        return lost

    def pass_over(self, lost: Iterable[Lost]) -> None:
        """Count what is missing and go on behind it; raises StopError where that is not wanted."""
        lost = list(lost)
        for one in lost:
            self._log.error(
                "records_lost",
                topic=one.partition.topic,
                partition=one.partition.partition,
                position=one.position,
                there=one.there,
                records=one.records,
            )
            self._figures.add("records_lost", one.records)
        if lost and self._stops:
            raise StopError("\n".join(one.sentence(self._brokers, self._group) for one in lost))
        for one in lost:
            self._consumer().seek(one.partition, one.there)

    def unreadable(self, error: Exception) -> str:
        """What to say of a record that the client cannot parse; it parses batches as a whole."""
        at = []
        for partition in sorted(self._consumer().assignment()):
            with contextlib.suppress(KafkaError):
                offset = self._consumer().position(partition, timeout_ms=ANSWER_MS)
                at.append(f"{partition.topic}-{partition.partition} at {offset}")
        return (
            f"a record cannot be read: {type(error).__name__}: {error}. It lies in a batch"
            f" behind one of these: {', '.join(at)}. Expected header names in UTF-8 and a"
            " compression that this worker has (none, gzip, snappy, lz4, zstd). Nothing was lost or"
            " skipped. Send what that batch held once more in a form that can be read, and move the"
            " group past it with `kafka-consumer-groups.sh --reset-offsets` while no worker runs"
        )

    def ends(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        """Each partition's position and end as of the last fetch; Kafka is not asked.

        The client's own `position` may ask, so what it keeps is read (3.0.12).
        """
        held = self._consumer()._subscription.assignment
        return {
            (partition.topic, partition.partition): (state.position.offset, state.highwater)
            for partition, state in held.items()
            if state.position is not None and state.highwater is not None
        }

    def _held(self, error: OffsetOutOfRangeError | LogTruncationError) -> set[TopicPartition]:
        named = getattr(error, "divergent_offsets", None) or error.args[0]
        return set(named) & set(self._consumer().assignment())

    def _seek(self, partition: TopicPartition) -> None:
        committed = self._committed(partition)
        if committed is None or self._of_another(partition, committed.metadata):
            self._consumer().seek_to_beginning(partition)
        else:
            self._consumer().seek(partition, committed.offset)

    def _committed(self, partition: TopicPartition) -> Any:
        return self._consumer().committed(partition, metadata=True, timeout_ms=ANSWER_MS)

    def _of_another(self, partition: TopicPartition, metadata: str) -> bool:
        stated, now = stated_topic_id(metadata), self._ids.get(partition.topic)
        return stated is not None and now is not None and stated != now

    def _ids_now(self) -> Mapping[str, str | None]:
        cluster = self._consumer()._cluster
        found = {topic: cluster.topic_id(topic) for topic in self._topics}
        return {
            t: str(uuid) if uuid is not None and uuid.int else None for t, uuid in found.items()
        }


def with_topic_id(metadata: str, topic_id: str | None) -> str:
    """The metadata of a committed offset, with the id of the topic that it belongs to."""
    if topic_id is None:
        return metadata
    return json.dumps((json.loads(metadata) if metadata else {}) | {"topic_id": topic_id})


def stated_topic_id(metadata: str | None) -> str | None:
    """The inverse of `with_topic_id`; None where nothing is said."""
    try:
        said = json.loads(metadata or "{}")
        return str(said["topic_id"])
    except (ValueError, KeyError, TypeError):
        return None
