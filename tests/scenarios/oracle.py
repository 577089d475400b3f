"""The oracle: what a `read_committed` reader must find after a scenario, and nothing else.

It reads the topics with a consumer of its own, through no code of the worker but the two functions
that parse a verdict and a dead letter.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from tests.topic_names import TopicNames
from tests.waiting import wait_for
from worker.events.cloudevents import Origin, RawRecord
from worker.events.dead_letter import DeadLetter, read_dead_letter
from worker.events.records import Alert, FingerprintRecord, Verdict

OPEN_STATES = ("Ongoing", "PrepareCommit", "PrepareAbort")

Place = tuple[int, int]
"""Partition and offset of an input event."""


@dataclass(frozen=True)
class Sent:
    """An event that must become a dead letter, as it was sent."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass
class Ledger:
    """What was put in: place -> key, and the events that must become dead letters."""

    keys: dict[Place, bytes | None] = field(default_factory=dict)
    doomed: dict[Place, Sent] = field(default_factory=dict)


@dataclass
class Found:
    """What came out, in the order of each topic."""

    verdicts: list[tuple[bytes | None, Verdict]]
    alerts: list[Alert]
    fingerprints: list[FingerprintRecord]
    letters: list[DeadLetter]

    def places(self) -> Counter[Place]:
        """How often each input appears as a verdict or a dead letter."""
        places = Counter((v.partition, v.offset) for _, v in self.verdicts)
        places.update((letter.origin.partition, letter.origin.offset) for letter in self.letters)
        return places


def read(brokers: str, topic: str, *, isolation: str = "read_committed") -> list[Any]:
    """Every record of a topic up to its present end, per partition in order."""
    consumer = KafkaConsumer(
        bootstrap_servers=brokers,
        isolation_level=isolation,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=16 * 1024 * 1024,
    )
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        records: list[Any] = []
        while any(consumer.position(tp) < ends[tp] for tp in partitions):
            for batch in consumer.poll(timeout_ms=200).values():
                records.extend(batch)
        return records
    finally:
        consumer.close()


class Watcher:
    """A `read_committed` reader that reads while the faults happen, as a subscriber would.

    What it was shown must be what is there in the end, in the same order: nothing that was shown
    is taken back, and nothing comes in between afterwards.
    """

    def __init__(self, brokers: str, topic: str) -> None:
        self._brokers = brokers
        self._topic = topic
        self._stop = threading.Event()
        self.seen: dict[int, list[int]] = defaultdict(list)
        self._thread = threading.Thread(target=self._guarded, name="watcher", daemon=True)
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(60)

    def _guarded(self) -> None:
        try:
            self._read()
        except Exception as error:  # told by check
            self._error = error

    def check(self) -> int:
        """Compare with what is there now; returns how many records it was shown."""
        there: dict[int, list[int]] = defaultdict(list)
        for record in read(self._brokers, self._topic):
            there[record.partition].append(record.offset)
        assert self._error is None, f"the concurrent reader failed: {self._error!r}"
        assert self.seen, "the concurrent reader was shown nothing"
        for partition, offsets in self.seen.items():
            assert offsets == there[partition][: len(offsets)], (
                f"partition {partition} of {self._topic} was shown otherwise than it is"
            )
        return sum(map(len, self.seen.values()))

    def _read(self) -> None:
        consumer = KafkaConsumer(
            bootstrap_servers=self._brokers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            partitions = consumer.partitions_for_topic(self._topic)
            consumer.assign([TopicPartition(self._topic, p) for p in partitions])
            while not self._stop.is_set():
                for batch in consumer.poll(timeout_ms=200).values():
                    for record in batch:
                        self.seen[record.partition].append(record.offset)
        finally:
            consumer.close()


def find(brokers: str, topics: TopicNames) -> Found:
    """All that a `read_committed` reader sees of the outputs."""
    return Found(
        verdicts=[
            (r.key, Verdict.model_validate_json(r.value)) for r in read(brokers, topics.verdicts)
        ],
        alerts=[Alert.model_validate_json(r.value) for r in read(brokers, topics.alerts)],
        fingerprints=[
            FingerprintRecord.model_validate_json(r.value)
            for r in read(brokers, topics.fingerprints)
        ],
        letters=[read_dead_letter(raw(r)) for r in read(brokers, topics.dead_letters)],
    )


def raw(record: Any) -> RawRecord:
    """A consumer's record as ours."""
    origin = Origin(record.topic, record.partition, record.offset)
    return RawRecord(origin, record.key, record.value, tuple(record.headers), record.timestamp)


def committed(brokers: str, group: str, topic: str) -> dict[int, int]:
    """The group's committed offset per partition."""
    admin = KafkaAdminClient(bootstrap_servers=brokers)
    try:
        offsets = admin.list_group_offsets(group)
    finally:
        admin.close()
    flat = offsets.get(group, offsets) if isinstance(offsets, Mapping) else offsets
    return {tp.partition: o.offset for tp, o in flat.items() if tp.topic == topic and o.offset >= 0}


def ends(brokers: str, topic: str, *, isolation: str = "read_committed") -> dict[int, int]:
    """The end of each partition: last stable offset, or high watermark for `read_uncommitted`."""
    consumer = KafkaConsumer(bootstrap_servers=brokers, isolation_level=isolation)
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        return {tp.partition: offset for tp, offset in consumer.end_offsets(partitions).items()}
    finally:
        consumer.close()


def check(brokers: str, group: str, topics: TopicNames, ledger: Ledger) -> Found:
    """Assert the promise for everything in the ledger; returns what was found."""
    found = find(brokers, topics)
    places = found.places()
    lost = sorted(set(ledger.keys) - set(places))
    twice = sorted(place for place, times in places.items() if times > 1)
    foreign = sorted(set(places) - set(ledger.keys))
    assert not lost, f"{len(lost)} events have no outcome, first {lost[:5]}"
    assert not twice, f"{len(twice)} events have several outcomes, first {twice[:5]}"
    assert not foreign, f"outcomes of {len(foreign)} events that were never put in: {foreign[:5]}"
    _check_letters(found, ledger)
    _check_companions(found)
    _check_order(found, ledger)
    present = committed(brokers, group, topics.images)
    expected = {p: end for p, end in ends(brokers, topics.images).items() if end > 0}
    assert present == expected, f"committed offsets {present}, ends of the input {expected}"
    check_settled(brokers, group, topics)
    return found


def check_settled(brokers: str, group: str, topics: TopicNames) -> None:
    """No transaction of the group is open: by the topics' stable offsets, and by the broker's list.

    The broker writes the markers of a commit after its answer, so that a moment may pass.
    """
    wait_for(lambda: not _open_transactions(brokers, group), "transactions to be settled", 15.0)
    for topic in (topics.verdicts, topics.alerts, topics.dead_letters, topics.fingerprints):
        stable, high = ends(brokers, topic), ends(brokers, topic, isolation="read_uncommitted")
        assert stable == high, f"{topic} has an open transaction: {stable} below {high}"


def _open_transactions(brokers: str, group: str) -> list[str]:
    """Transactional ids of the group's slots whose transaction has not ended (KIP-664)."""
    admin = KafkaAdminClient(bootstrap_servers=brokers)
    try:
        listed = admin.list_transactions(state_filters=list(OPEN_STATES))
    finally:
        admin.close()
    ids = [one.transactional_id for ones in listed.values() for one in ones]
    return [name for name in ids if group in name]


def _check_letters(found: Found, ledger: Ledger) -> None:
    """Dead letters hold their events byte for byte, and come in order under each key."""
    letters = {(one.origin.partition, one.origin.offset): one for one in found.letters}
    assert set(letters) == set(ledger.doomed), (
        f"dead letters {sorted(letters)}, expected {sorted(ledger.doomed)}"
    )
    for place, sent in ledger.doomed.items():
        letter = letters[place]
        assert (letter.key, letter.value, letter.headers) == (
            sent.key,
            sent.value,
            sent.headers,
        ), f"the dead letter of {place} differs from its event"
    by_key: dict[tuple[int, bytes | None], list[int]] = defaultdict(list)
    for letter in found.letters:
        by_key[letter.origin.partition, letter.key].append(letter.origin.offset)
    wrong = [key for key, offsets in by_key.items() if offsets != sorted(offsets)]
    assert not wrong, f"dead letters out of order under {wrong[:3]}"


def _check_companions(found: Found) -> None:
    """Alerts and fingerprint records belong to a verdict each, and none is missing or doubled."""
    verdicts = {verdict.verdict_id: verdict for _, verdict in found.verdicts}
    assert len(verdicts) == len(found.verdicts), "a verdict id was used twice"
    alerted = Counter(alert.verdict_id for alert in found.alerts)
    flagged = {verdict_id for verdict_id, verdict in verdicts.items() if verdict.flagged}
    assert set(alerted) == flagged, "alerts and flagged verdicts differ: a torn transaction"
    assert all(times == 1 for times in alerted.values()), "an alert was raised twice"
    stored = Counter(record.verdict_id for record in found.fingerprints)
    judged = {verdict_id for verdict_id, verdict in verdicts.items() if verdict.crop_count}
    assert set(stored) == judged, "fingerprint records and judged verdicts differ"
    assert all(times == 1 for times in stored.values()), "a fingerprint record came twice"


def _check_order(found: Found, ledger: Ledger) -> None:
    """Under each key the verdicts come in the order of their events."""
    by_key: dict[tuple[int, bytes | None], list[int]] = defaultdict(list)
    for key, verdict in found.verdicts:
        assert key == ledger.keys[verdict.partition, verdict.offset], "another key than the input's"
        by_key[verdict.partition, key].append(verdict.offset)
    wrong = [key for key, offsets in by_key.items() if offsets != sorted(offsets)]
    assert not wrong, f"verdicts out of order under {wrong[:3]}"
