"""The commit keeps its order, refuses what is unsafe, and rebuilds after any doubt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from kafka.errors import FencedInstanceIdError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata, TopicPartition

from worker.errors import RetryError, StopError
from worker.events.cloudevents import OutgoingRecord
from worker.stream.in_flight import Ownership
from worker.stream.transaction import CommitDeadlines, Mode, Publisher
from worker.watchdog import Watchdog

P0 = TopicPartition("images", 0)
DEADLINES = CommitDeadlines(
    commit_s=8, answer_s=7.5, flush_s=6, slow_s=5, rebuild_s=30, give_up_s=0.3
)


@dataclass
class Metadata:
    generation_id: int = 3
    member_id: str = "member"


class Future:
    def __init__(self, exception: Exception | None) -> None:
        self.exception = exception

    def succeeded(self) -> bool:
        return self.exception is None


class FakeProducer:
    """Writes down what it is asked; `fails` names a call that raises or a future that failed."""

    def __init__(self, calls: list[str], fails: dict[str, Exception]) -> None:
        self._calls = calls
        self._fails = fails
        self.lost_connections = 0
        self.notes: dict[int, str] = {}
        calls.append("new producer")

    def _call(self, name: str) -> None:
        self._calls.append(name)
        if name in self._fails:
            raise self._fails[name]

    def init_transactions(self) -> None:
        self._call("init_transactions")

    def begin_transaction(self) -> None:
        self._call("begin")

    def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> Any:
        assert value is not None
        self._call(f"send {topic} {value.decode()}")
        return Future(self._fails.get("future"))

    def flush(self, timeout: float | None = None) -> None:
        assert timeout is not None, "a flush without a timeout can wait for ever"
        self._call("flush")

    def send_offsets_to_transaction(
        self, offsets: Any, group_metadata: Any, timeout_s: float
    ) -> None:
        assert timeout_s < DEADLINES.commit_s, "an outage must end the commit, not the process"
        positions = {tp.partition: position.offset for tp, position in offsets.items()}
        self.notes = {tp.partition: position.metadata for tp, position in offsets.items()}
        self._call(f"offsets {positions} generation {group_metadata.generation_id}")
        if "offsets" in self._fails:
            raise self._fails["offsets"]

    def commit_transaction(self, timeout_s: float) -> None:
        assert timeout_s < DEADLINES.commit_s, "an outage must end the commit, not the process"
        self._call("commit")
        if "disconnect" in self._fails:
            self.lost_connections += 1

    def disconnects(self) -> int:
        return self.lost_connections

    def discard(self, timeout_s: float) -> None:
        self._calls.append("discard")


class FakeMembership:
    def __init__(self, calls: list[str], ownership: Ownership[str]) -> None:
        self._calls = calls
        self._ownership = ownership
        self.now = Metadata()
        self.ids: dict[str, str | None] = {}
        self.stable = True
        self.rewind_fails = 0

    def metadata(self) -> tuple[Metadata, bool]:
        self._calls.append("metadata")
        return self.now, self.stable

    def topic_ids(self) -> dict[str, str | None]:
        return self.ids

    def rewind(self) -> None:
        if self.rewind_fails:
            self.rewind_fails -= 1
            raise KafkaTimeoutError("brokers away")
        self._calls.append("rewind")
        self._ownership.resume([P0], self.now.member_id)

    def commit_offsets(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        plain = {tp.partition: position.offset for tp, position in offsets.items()}
        self._calls.append(f"plain offsets {plain}")


class Bench:
    """A committer with everything around it faked but the ownership."""

    def __init__(
        self,
        *,
        mode: Mode = "exactly_once",
        deadlines: CommitDeadlines = DEADLINES,
        every_txn: bool = False,
        **fails: Exception,
    ) -> None:
        self.calls: list[str] = []
        self.fails = fails
        self.producers: list[FakeProducer] = []
        self.ownership: Ownership[str] = Ownership(max_records=99, max_bytes=9999)
        self.ownership.assign([P0], "member")
        self.membership = FakeMembership(self.calls, self.ownership)
        self.publisher: Publisher[str] = Publisher(
            new_producer=self._new_producer,
            membership=self.membership,
            ownership=self.ownership,
            to_records=self._records,
            watchdog=Watchdog(),
            deadlines=deadlines,
            mode=mode,
            txn_safety="every_txn" if every_txn else "on_ambiguity",
        )
        self.publisher.open()
        self.calls.clear()

    def _new_producer(self) -> FakeProducer:
        self.producers.append(FakeProducer(self.calls, self.fails))
        return self.producers[-1]

    @staticmethod
    def _records(answer: str) -> Sequence[tuple[str, OutgoingRecord]]:
        return [("verdicts", OutgoingRecord(b"key", answer.encode(), ()))]

    def finish(self, *offsets: int) -> None:
        entries = self.ownership.admit(P0, [(offset, 1) for offset in offsets])
        self.ownership.begin(entries)
        self.ownership.finish((entry, f"v{entry.offset}", 1) for entry in entries)

    def commit(self) -> Any:
        return self.publisher.commit(self.ownership.take(99))


def test_outputs_are_flushed_and_confirmed_before_offsets_and_offsets_before_the_commit() -> None:
    bench = Bench()
    bench.finish(4, 5)
    committed = bench.commit()
    assert bench.calls == [
        "metadata",
        "begin",
        "send verdicts v4",
        "send verdicts v5",
        "flush",
        "offsets {0: 6} generation 3",
        "commit",
    ]
    assert (len(committed.results), committed.records) == (2, 2)
    assert bench.ownership.in_flight == (0, 0)


def test_an_offset_is_committed_with_what_its_topic_is() -> None:
    """As of before the tags are checked: the poll thread bumps them first, then learns the id."""
    bench = Bench()
    bench.membership.ids = {"images": "an id"}
    bench.finish(4)
    bench.commit()
    [producer] = bench.producers
    assert producer.notes == {0: '{"topic_id": "an id"}'}


@pytest.mark.parametrize(
    "metadata", [Metadata(generation_id=-1), Metadata(member_id="")], ids=["evicted", "no member"]
)
def test_offsets_are_never_sent_without_a_generation_and_a_member(metadata: Metadata) -> None:
    bench = Bench()
    bench.finish(0)
    bench.membership.now = metadata
    assert bench.commit() is None
    assert bench.calls == ["metadata"]
    assert bench.ownership.in_flight == (1, 1), "the work stays for the next round"


def test_nothing_is_committed_while_the_group_rebalances() -> None:
    bench = Bench()
    bench.finish(0)
    bench.membership.stable = False
    assert bench.commit() is None
    bench.membership.stable = True
    assert len(bench.commit().results) == 1


def test_work_of_a_former_membership_is_left_out() -> None:
    bench = Bench()
    bench.finish(0)
    bench.membership.now = Metadata(member_id="rejoined")
    assert bench.commit() is None
    assert "begin" not in bench.calls


def test_a_failed_future_stops_the_commit_although_the_flush_returned() -> None:
    bench = Bench(future=KafkaTimeoutError("batch expired"))
    bench.finish(0)
    with pytest.raises(RetryError, match=r"not published.*batch expired"):
        bench.commit()
    assert bench.calls[-1] == "flush", "neither offsets nor the commit may follow"
    assert bench.ownership.in_flight == (1, 1)


@pytest.mark.parametrize("where", ["begin", "flush", "offsets", "commit"])
def test_an_exception_anywhere_is_a_doubt_and_settles_nothing(where: str) -> None:
    bench = Bench(**{where: KafkaTimeoutError("no answer")})
    bench.finish(0)
    with pytest.raises(RetryError, match="no answer"):
        bench.commit()
    assert bench.ownership.in_flight == (1, 1)


def test_a_lost_connection_inside_a_transaction_is_a_doubt_although_the_commit_returned() -> None:
    bench = Bench(disconnect=Exception())
    bench.finish(0)
    with pytest.raises(RetryError, match="connection was lost"):
        bench.commit()


def test_a_slow_commit_is_a_doubt() -> None:
    bench = Bench(deadlines=replace(DEADLINES, slow_s=0.0))
    bench.finish(0)
    with pytest.raises(RetryError, match="late EndTxn"):
        bench.commit()


def test_a_fenced_membership_is_a_doubt_and_the_poll_thread_decides_who_gives_way() -> None:
    bench = Bench(offsets=FencedInstanceIdError())
    bench.finish(0)
    with pytest.raises(RetryError, match="FencedInstanceIdError"):
        bench.commit()


def test_rebuild_gives_the_producer_up_settles_the_old_transaction_then_seeks() -> None:
    bench = Bench()
    bench.finish(0)
    bench.publisher.rebuild(lambda: False)
    assert bench.calls == ["discard", "new producer", "init_transactions", "rewind"]
    assert bench.ownership.take(99) == [], "what was in flight is read again, not committed"
    bench.finish(0)
    assert len(bench.commit().results) == 1


def test_rebuild_tries_until_the_brokers_are_back() -> None:
    bench = Bench()
    bench.membership.rewind_fails = 1
    reasons: list[str] = []
    bench.publisher.rebuild(lambda: False, reasons.append)
    assert len(reasons) == 1, "each failed try is told"
    assert bench.calls.count("new producer") == 2
    assert bench.calls[-1] == "rewind"


def test_rebuild_gives_up_with_the_exit_code_of_an_unreachable_service() -> None:
    bench = Bench()
    bench.membership.rewind_fails = 1000
    with pytest.raises(StopError, match="nothing was lost") as stopped:
        bench.publisher.rebuild(lambda: False)
    assert stopped.value.exit_code == 3


def test_every_txn_never_uses_a_producer_twice() -> None:
    bench = Bench(every_txn=True)
    bench.finish(0)
    assert len(bench.commit().results) == 1
    assert bench.calls[-3:] == ["discard", "new producer", "init_transactions"]


def test_a_commit_that_stood_is_in_doubt_where_no_producer_can_follow_it() -> None:
    bench = Bench(every_txn=True)
    bench.finish(0)
    bench.fails["init_transactions"] = KafkaTimeoutError("no coordinator")
    with pytest.raises(RetryError, match="no new producer: KafkaTimeoutError"):
        bench.commit()


def test_at_least_once_commits_offsets_only_after_the_confirmed_flush() -> None:
    bench = Bench(mode="at_least_once")
    bench.finish(0, 1)
    assert len(bench.commit().results) == 2
    assert bench.calls == [
        "metadata",
        "send verdicts v0",
        "send verdicts v1",
        "flush",
        "plain offsets {0: 2}",
    ]
