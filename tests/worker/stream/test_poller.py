"""The poll thread pauses, admits and seeks, and finds its way out of what the client forgets."""

import math
import threading
import time
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.coordinator.base import MemberState
from kafka.errors import (
    CorruptRecordError,
    FencedInstanceIdError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from kafka.structs import OffsetAndMetadata, TopicPartition

from worker.broker.batches import Unread
from worker.broker.topics import Topics
from worker.errors import RetryError, StopError
from worker.metrics import Figures
from worker.stream.answers import Answer
from worker.stream.in_flight import Ownership
from worker.stream.poller import Poller
from worker.stream.positions import OnLostRecords, with_topic_id

P0, P1 = TopicPartition("images", 0), TopicPartition("images", 1)
FIRST, SECOND = uuid.UUID(int=1), uuid.UUID(int=2)


class FakeConsumer:
    """A consumer that owns two partitions and returns what it is told to."""

    def __init__(self) -> None:
        self.committed_offsets: dict[TopicPartition, int | None] = {P0: 7, P1: None}
        self.positions: dict[TopicPartition, int | str] = {}
        self.pending: dict[TopicPartition, list[Any]] = {}
        self.paused_now: set[TopicPartition] = set()
        self.timeouts: list[int] = []
        self.rejoins = 0
        self.member_id = "member"
        self.unreadable: Exception | None = None
        self.topic_ids: dict[str, uuid.UUID] = {}
        self._cluster = SimpleNamespace(topic_id=lambda topic: self.topic_ids.get(topic))
        self.learned: dict[str, uuid.UUID] = {}
        self.metadata: dict[TopicPartition, str] = {}
        self.first: dict[TopicPartition, int] = {}
        self.last: dict[TopicPartition, int] = {}
        self.raises: Exception | None = None
        self._coordinator = SimpleNamespace(
            state=MemberState.STABLE,
            _heartbeat_enabled=True,
            need_rejoin=lambda: False,
            request_rejoin=self._request_rejoin,
            heartbeat=SimpleNamespace(
                last_receive=-math.inf,
                last_reset=time.monotonic(),
                config={"heartbeat_interval_ms": 3000},
            ),
        )
        self._subscription = SimpleNamespace(
            assignment={
                P0: SimpleNamespace(position=OffsetAndMetadata(7, "", -1), highwater=10),
                P1: SimpleNamespace(position=None, highwater=None),
            }
        )

    def _request_rejoin(self) -> None:
        self.rejoins += 1

    def subscribe(self, topics: list[str], listener: Any) -> None:
        listener.on_partitions_assigned({P0, P1})

    def topics(self) -> set[str]:
        self.topic_ids |= self.learned
        return {"images", "redrives"}

    def group_metadata(self) -> Any:
        state = self._coordinator.state
        return SimpleNamespace(member_id=self.member_id, generation_id=1, state=state)

    def assignment(self) -> set[TopicPartition]:
        return {P0, P1}

    def paused(self) -> set[TopicPartition]:
        return set(self.paused_now)

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused_now |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused_now -= set(partitions)

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        self.timeouts.append(timeout_ms)
        if self.unreadable is not None:
            raise self.unreadable
        raised, self.raises = self.raises, None
        if raised is not None:
            raise raised
        fetched, self.pending = self.pending, {}
        return fetched

    def committed(self, partition: TopicPartition, metadata: bool, timeout_ms: int) -> Any:
        assert metadata
        offset = self.committed_offsets[partition]
        note = self.metadata.get(partition, "")
        return None if offset is None else OffsetAndMetadata(offset, note, -1)

    def beginning_offsets(self, tps: list[TopicPartition], timeout_ms: int) -> Any:
        return {tp: self.first[tp] for tp in tps}

    def end_offsets(self, tps: list[TopicPartition], timeout_ms: int) -> Any:
        return {tp: self.last[tp] for tp in tps}

    def position(self, partition: TopicPartition, timeout_ms: int) -> int:
        return self.committed_offsets[partition] or 0

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    def seek_to_beginning(self, partition: TopicPartition) -> None:
        self.positions[partition] = "beginning"


class Bench:
    def __init__(
        self,
        max_records: int = 4,
        on_lost_records: OnLostRecords = "stop",
        topic_ids: dict[str, uuid.UUID] | None = None,
    ) -> None:
        self.consumer = FakeConsumer()
        self.consumer.topic_ids = dict(topic_ids or {})
        self.figures = Figures()
        self.ownership: Ownership[Answer] = Ownership(max_records=max_records, max_bytes=10_000)
        self.thread = Poller(
            new_consumer=lambda: self.consumer,
            topics=Topics(""),
            ownership=self.ownership,
            revoke_deadline_s=0.1,
            figures=self.figures,
            brokers="kafka.example:9092",
            group="g",
            on_lost_records=on_lost_records,
        )
        self.thread.open()

    def arrive(self, *offsets: int) -> None:
        self.consumer.pending = {
            P0: [
                SimpleNamespace(
                    topic="images",
                    partition=0,
                    offset=offset,
                    key=b"k",
                    value=b"v",
                    headers=[],
                    timestamp=0,
                )
                for offset in offsets
            ]
        }


def test_what_was_fetched_is_admitted_with_its_origin() -> None:
    bench = Bench()
    bench.arrive(3, 4)
    admitted = bench.thread.poll(admitting=True)
    assert [event.record.origin.offset for event in admitted] == [3, 4]
    assert bench.ownership.in_flight[0] == 2


def test_a_member_that_was_taken_in_as_another_begins_anew_where_the_group_stands() -> None:
    """Nobody tells the listener; the partitions it had and has again keep their old tags."""
    bench = Bench()
    bench.arrive(7, 8)
    (first, _) = bench.thread.poll(admitting=True)
    bench.consumer.member_id = "another"
    bench.arrive(9)
    assert bench.thread.poll(admitting=True) == [], "others may have read on meanwhile"
    assert bench.consumer.positions == {P0: 7, P1: "beginning"}
    assert not bench.ownership.is_current(first.entry)
    bench.arrive(7)
    (again,) = bench.thread.poll(admitting=True)
    assert again.entry.tag.member_id == "another"
    bench.consumer.positions.clear()
    bench.thread.poll(admitting=True)
    assert bench.consumer.positions == {}, "once"


def test_a_record_that_cannot_be_read_stops_the_worker_and_says_where() -> None:
    bench = Bench()
    bench.consumer.unreadable = CorruptRecordError("bad header")
    with pytest.raises(StopError, match=r"bad header.*images-0 at 7, images-1 at 0") as stopped:
        bench.thread.poll(admitting=True)
    assert stopped.value.exit_code == 1


def test_partitions_pause_when_full_and_resume_when_half_empty() -> None:
    bench = Bench(max_records=2)
    bench.arrive(0, 1)
    bench.thread.poll(admitting=True)
    bench.thread.poll(admitting=True)
    assert bench.consumer.paused_now == {P0, P1}
    bench.ownership.lose([P0])
    bench.thread.poll(admitting=True)
    assert bench.consumer.paused_now == set()


def test_what_is_behind_is_known_without_a_call_and_counts_what_is_in_flight() -> None:
    bench = Bench()
    bench.arrive(7, 8)
    bench.thread.poll(admitting=True)
    bench.thread.lag.show(bench.figures, bench.ownership.waiting())
    assert bench.figures.read()["lag_records"] == 3 + 2


def test_a_member_stands_while_its_group_answers_its_heartbeats() -> None:
    bench = Bench()
    holds, seen = bench.thread.standing()
    assert (holds, seen[:13]) == (True, "2 partitions,")
    bench.consumer._coordinator.heartbeat.last_reset -= 9.5
    assert bench.thread.standing()[0] is False
    bench.consumer._coordinator.heartbeat.last_receive = time.monotonic()
    assert bench.thread.standing()[0] is True
    bench.consumer._coordinator.state = MemberState.REBALANCING
    assert bench.thread.standing() == (False, "is being joined")


def test_nothing_is_admitted_while_draining() -> None:
    bench = Bench()
    bench.arrive(0)
    assert bench.thread.poll(admitting=False) == []
    assert bench.ownership.in_flight == (0, 0)


def test_rewind_seeks_to_the_committed_offsets_on_the_poll_thread_and_admits_again() -> None:
    bench = Bench()
    bench.ownership.discard()
    committer = threading.Thread(target=bench.thread.rewind)
    committer.start()
    while committer.is_alive():
        bench.arrive(0)
        bench.thread.poll(admitting=True)
    committer.join()
    assert bench.consumer.positions == {P0: 7, P1: "beginning"}
    bench.ownership.lose([P0, P1])
    assert not bench.ownership.full


def test_a_call_after_the_end_is_refused_and_does_not_wait() -> None:
    bench = Bench()
    bench.thread.refuse_calls()
    with pytest.raises(RetryError, match="ending"):
        bench.thread.rewind()


def test_a_join_that_the_client_forgot_is_asked_for_again() -> None:
    bench = Bench()
    bench.consumer._coordinator.state = MemberState.REBALANCING
    bench.thread.poll(admitting=True)
    assert bench.consumer.rejoins == 1
    assert bench.consumer.timeouts[-1] >= 1000, "a join is not cut short by a short poll"


def test_a_member_without_heartbeats_has_lost_its_slot_to_another_process() -> None:
    bench = Bench()
    bench.consumer._coordinator._heartbeat_enabled = False
    bench.thread.poll(admitting=True)
    with pytest.raises(FencedInstanceIdError):
        bench.thread.poll(admitting=True)


def test_a_partition_without_a_committed_offset_begins_where_it_begins() -> None:
    bench = Bench()
    bench.consumer.raises = NoOffsetForPartitionError({P0, P1})
    assert bench.thread.poll(admitting=True) == []
    assert bench.consumer.positions == {P0: 7, P1: "beginning"}
    assert bench.figures.read()["records_lost"] == 0


def test_records_that_were_deleted_unjudged_stop_the_worker_once_the_rest_is_settled() -> None:
    bench = Bench()
    bench.arrive(7)
    (event,) = bench.thread.poll(admitting=True)
    bench.consumer.first = {P0: 107}
    bench.consumer.raises = OffsetOutOfRangeError({P0: 8})
    assert bench.thread.poll(admitting=True) == []
    bench.arrive(200)
    assert bench.thread.poll(admitting=True) == [], "what was read first is committed first"
    assert bench.consumer.paused_now == {P0, P1}
    bench.ownership.lose([event.entry.tag.partition])
    expected = r"images-0 begins at offset 107.*only up to 8: 99 records were deleted"
    with pytest.raises(StopError, match=expected) as stopped:
        bench.thread.poll(admitting=True)
    assert stopped.value.exit_code == 1
    assert "LATENTPRINT_DELIVERY__ON_LOST_RECORDS=continue" in str(stopped.value)
    assert (
        "--bootstrap-server kafka.example:9092 --group g --topic images:0 --reset-offsets"
        " --to-offset 107 --execute" in str(stopped.value)
    )
    assert bench.figures.read()["records_lost"] == 99


def test_where_it_was_told_to_a_worker_counts_what_was_deleted_and_goes_on() -> None:
    bench = Bench(on_lost_records="continue")
    bench.consumer.first = {P0: 107}
    bench.consumer.raises = OffsetOutOfRangeError({P0: 7})
    assert bench.thread.poll(admitting=True) == []
    assert bench.consumer.positions == {P0: 107}
    assert bench.figures.read()["records_lost"] == 100


@pytest.mark.parametrize(
    "error",
    [OffsetOutOfRangeError({P0: 7}), LogTruncationError({P0: OffsetAndMetadata(4, "", 2)})],
    ids=["out of range", "truncated"],
)
def test_a_log_that_ends_below_the_committed_offset_is_not_judged_again(error: Exception) -> None:
    bench = Bench()
    bench.arrive(7)
    bench.thread.poll(admitting=True)
    bench.consumer.first, bench.consumer.last = {P0: 0}, {P0: 4}
    bench.consumer.raises = error
    with pytest.raises(StopError, match=r"images-0 ends at offset 4, .* read up to 7: the last 3"):
        bench.thread.poll(admitting=True)
    bench = Bench(on_lost_records="continue")
    bench.arrive(7)
    (event,) = bench.thread.poll(admitting=True)
    bench.consumer.first, bench.consumer.last = {P0: 0}, {P0: 4}
    bench.consumer.raises = error
    bench.thread.poll(admitting=True)
    assert bench.consumer.positions == {P0: 4, P1: "beginning"}
    assert not bench.ownership.is_current(event.entry), "or 8 would be committed above the end"


def test_a_truncation_that_is_told_after_its_topic_was_made_again_loses_nothing() -> None:
    bench = Bench()
    bench.consumer.committed_offsets[P0] = bench.consumer.first[P0] = bench.consumer.last[P0] = 0
    bench.consumer.raises = LogTruncationError({P0: OffsetAndMetadata(0, "", 0)})
    bench.thread.poll(admitting=True)
    assert (bench.consumer.positions[P0], bench.figures.read()["records_lost"]) == (0, 0)


def test_a_topic_that_was_made_again_is_read_from_its_beginning_under_its_own_id() -> None:
    bench = Bench(topic_ids={"images": FIRST, "redrives": FIRST})
    bench.arrive(7)
    (event,) = bench.thread.poll(admitting=True)
    assert event.record.origin.topic_id == str(FIRST) == bench.thread.topic_ids()["images"]
    bench.consumer.topic_ids["images"] = SECOND
    bench.arrive(0)
    assert bench.thread.poll(admitting=True) == []
    assert bench.consumer.positions == {P0: "beginning", P1: "beginning"}
    assert not bench.ownership.is_current(event.entry)
    bench.arrive(0)
    (again,) = bench.thread.poll(admitting=True)
    assert again.record.origin.topic_id == str(SECOND) == bench.thread.topic_ids()["images"]
    assert bench.ownership.is_current(again.entry)


def test_a_position_outside_of_a_topic_that_was_made_again_is_no_loss() -> None:
    bench = Bench(topic_ids={"images": FIRST, "redrives": FIRST})
    bench.consumer.raises = OffsetOutOfRangeError({P0: 7})
    bench.consumer.learned = {"images": SECOND}
    assert bench.thread.poll(admitting=True) == []
    assert bench.consumer.positions == {P0: "beginning", P1: "beginning"}
    assert bench.figures.read()["records_lost"] == 0


def test_an_offset_that_was_committed_of_the_former_topic_does_not_count() -> None:
    bench = Bench(topic_ids={"images": SECOND, "redrives": FIRST})
    bench.consumer.metadata[P0] = with_topic_id('{"registry": {}}', str(FIRST))
    bench.arrive(7)
    assert bench.thread.poll(admitting=True) == []
    assert bench.consumer.positions == {P0: "beginning"}
    bench.arrive(0)
    assert len(bench.thread.poll(admitting=True)) == 1


def test_a_topic_that_is_away_for_a_while_is_still_the_same() -> None:
    bench = Bench(topic_ids={"images": FIRST, "redrives": FIRST})
    del bench.consumer.topic_ids["images"]
    bench.thread.poll(admitting=True)
    bench.consumer.topic_ids["images"] = FIRST
    bench.thread.poll(admitting=True)
    assert bench.consumer.positions == {}


def test_a_record_that_was_not_unpacked_is_admitted_with_the_reason() -> None:
    bench = Bench()
    bench.arrive(7)
    [record] = bench.consumer.pending[P0]
    record.value, record.key = Unread(), None
    record.value.why = "too much"
    (event,) = bench.thread.poll(admitting=True)
    assert (event.record.value, event.record.unread) == (None, "too much")
