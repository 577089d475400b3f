"""What the main thread does: the consumer, its rebalance listener, and what others ask of it."""

import queue
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Protocol

import structlog
from kafka.coordinator.base import MemberState
from kafka.errors import (
    CorruptRecordError,
    FencedInstanceIdError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)
from kafka.structs import OffsetAndMetadata, TopicPartition

from worker.broker.batches import raw_record
from worker.errors import RetryError, StopError
from worker.events.cloudevents import RawRecord
from worker.events.redrive import first_record
from worker.failpoints import Failpoint
from worker.metrics import Figures
from worker.seen.lag import Lag
from worker.stream.in_flight import Ownership
from worker.stream.positions import Lost, OnLostRecords, Positions
from worker.stream.rebalance_listener import RebalanceListener
from worker.stream.threads import Admitted
from worker.stream.transaction import GroupMetadata

POLL_MS = 50
PAUSED_POLL_MS = 20
JOINING_POLL_MS = 1000
CALL_DEADLINE_S = 15.0
METADATA_DEADLINE_S = 30.0
OFFSETS_DEADLINE_MS = 5_000
LOST_HEARTBEATS = 3


class Inputs(Protocol):
    """What is read: the worker's `Topics`, or fewer."""

    @property
    def inputs(self) -> tuple[str, ...]: ...
    @property
    def redrives(self) -> str: ...


class Poller:
    """The consumer and everything that only the main thread may do with it.

    It is the committer's `Membership`, and knows nothing of what an event comes to.
    """

    def __init__(
        self,
        *,
        new_consumer: Callable[[], Any],
        topics: Inputs,
        ownership: Ownership[Any],
        revoke_deadline_s: float,
        figures: Figures,
        brokers: str = "",
        group: str = "",
        on_lost_records: OnLostRecords = "stop",
        at_least_once: bool = False,
        failpoint: Failpoint = lambda name: None,
        refusal_of: Callable[[BaseException], StopError | None] = lambda error: None,
    ) -> None:
        self._refusal_of = refusal_of
        self._new_consumer = new_consumer
        self._topics = topics
        self._ownership = ownership
        self._figures = figures
        self._failpoint = failpoint
        # Without a transaction nothing fences a late commit, so nothing is waited for either.
        self._revoke_deadline_s = 0.0 if at_least_once else revoke_deadline_s
        self._calls: queue.SimpleQueue[tuple[Callable[[], None], Future[None]]]
        self._calls = queue.SimpleQueue()
        self._refusing = False
        self._silent_polls = 0
        self._joined_again = False
        self._consumer: Any = None
        self._positions = Positions(
            consumer=lambda: self._consumer,
            topics=topics.inputs,
            brokers=brokers,
            group=group,
            on_lost_records=on_lost_records,
            figures=figures,
        )
        self._stops_on_loss = on_lost_records == "stop"
        self._ending: list[Lost] = []
        self.lag = Lag()
        self._log = structlog.get_logger("worker")

    def open(self) -> None:
        """Subscribe; the group is joined by the first polls.

        The topic's partitions are learned before the first join: a leader that joins before it
        knows them assigns none, and has to join again.
        """
        self._joined_again = False
        try:
            self._consumer = self._new_consumer()
            self._subscribe()
        except KafkaError as error:
            refusal = self._refusal_of(error)
            if refusal is not None:
                raise refusal from error
            raise StopError(
                f"the consumer could not be built ({type(error).__name__}: {error}); is Kafka up?",
                exit_code=3,
            ) from error

    def _subscribe(self) -> None:
        listener = RebalanceListener(
            lambda: self._consumer,
            self._ownership,
            self._revoke_deadline_s,
            self._figures,
            self._failpoint,
        )
        self._consumer.subscribe(list(self._topics.inputs), listener=listener)
        end = time.monotonic() + METADATA_DEADLINE_S
        while missing := set(self._topics.inputs) - set(self._consumer.topics()):
            if time.monotonic() > end:
                raise StopError(
                    f"Kafka did not show {' and '.join(sorted(missing))} within"
                    f" {METADATA_DEADLINE_S:g} s; are they there, and may this user describe them?",
                    exit_code=3,
                )
            time.sleep(0.1)
        self._positions.learn()

    def reopen(self) -> None:
        """A new consumer, when the group could not be joined or an outage cost the membership."""
        self._silent_polls = 0
        self.close()
        self.open()

    def close(self) -> None:
        """Leave without a LeaveGroup: a static member that comes back causes no rebalance."""
        if self._consumer is not None:
            try:
                self._consumer.close(autocommit=False, timeout_ms=2_000)
            except (KafkaError, RuntimeError) as error:
                self._log.warning("consumer_close", error=f"{type(error).__name__}: {error}")
            self._consumer = None

    @property
    def joined(self) -> bool:
        """Whether the group has taken this member in, with or without partitions."""
        return self.metadata()[1]

    def unread(self) -> int | None:
        """Records of the owned partitions that lie ahead; None until all of that is known."""
        ends = self._positions.ends()
        if any((p.topic, p.partition) not in ends for p in self._consumer.assignment()):
            return None
        return sum(max(0, end - position) for position, end in ends.values())

    def poll(self, *, admitting: bool) -> list[Admitted]:
        """One round: calls of others, pause or resume, poll, admit."""
        self._run_calls()
        if self._begin_anew_in_topics_made_again():
            return []
        if self._ending:
            admitting = False
            if self._ownership.in_flight[0] == 0:
                self._positions.pass_over(self._ending)
        pausing = not admitting or self._ownership.full
        assignment, paused = self._consumer.assignment(), self._consumer.paused()
        if pausing and assignment - paused:
            self._consumer.pause(*(assignment - paused))
        elif not pausing and paused:
            self._consumer.resume(*paused)
        self._raise_if_fenced()
        self._join_again_once()
        try:
            fetched = self._consumer.poll(timeout_ms=self._timeout_ms(pausing))
        except (CorruptRecordError, UnsupportedCodecError, UnicodeDecodeError) as error:
            raise StopError(self._positions.unreadable(error)) from error
        except NoOffsetForPartitionError as error:
            self._positions.begin(error.args[0])
            return []
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            self._outside(error)
            return []
        self.lag.note(self._positions.ends)
        admitted: list[Admitted] = []
        if self._rewind_as_another_member() or self._begin_anew_in_topics_made_again():
            return admitted
        anew = self._positions.check_assigned()
        if not admitting:
            return admitted
        ids = self._positions.topic_ids
        for partition, records in fetched.items():
            if partition in anew:
                continue
            topic_id = ids.get(partition.topic)
            raw = [first_record(raw_record(r, topic_id), self._topics.redrives) for r in records]
            sizes = [(record.offset, _size(r)) for record, r in zip(records, raw, strict=True)]
            entries = self._ownership.admit(partition, sizes)
            for entry, record in zip(entries, records, strict=False):
                entry.sent_ms = record.timestamp
            self.lag.read_up_to(tuple(partition), records[-1].timestamp)
            admitted.extend(Admitted(e, r) for e, r in zip(entries, raw, strict=False))
        self._figures.add("events_admitted", len(admitted))
        if admitted:
            self._failpoint("after_fetch")
        return admitted

    def standing(self) -> tuple[bool, str]:
        """Whether the group holds this member and answers its heartbeats; safe from any thread."""
        consumer = self._consumer
        if consumer is None or consumer._coordinator.state is not MemberState.STABLE:
            return False, "is being joined"
        beats = consumer._coordinator.heartbeat
        silent_s = time.monotonic() - max(beats.last_receive, beats.last_reset)
        limit_s = LOST_HEARTBEATS * beats.config["heartbeat_interval_ms"] / 1000
        seen = f"{len(self._ownership.waiting())} partitions, answered {silent_s:.1f} s ago"
        return silent_s < limit_s, seen

    def _rewind_as_another_member(self) -> bool:
        """Notice a membership that was lost while a join was under way, which nobody is told.

        The client joins again under a new id then, without a word to the listener, and partitions
        that it had and has again are neither revoked nor assigned (3.0.12). What is in flight is
        tagged with the old id and would never be committed, and others may have read on meanwhile.
        """
        metadata, stable = self.metadata()
        if not stable or not self._ownership.held_as_another(metadata.member_id):
            return False
        self._log.warning("begin_anew", reason="the group took this worker in as another member")
        self._ownership.discard()
        self._rewind()
        return True

    def _begin_anew_in_topics_made_again(self) -> bool:
        """Notice that a topic was deleted and made again: its offsets began anew.

        First what is in flight is given up, then the topics count as what they are now: whoever
        reads their new ids finds nothing left to commit under the old ones.
        """
        again = self._positions.made_again()
        if not again:
            return False
        self._ownership.discard()
        self._positions.begin_anew(again)
        assignment = self._consumer.assignment()
        self._ownership.resume(assignment, self._consumer.group_metadata().member_id)
        return True

    def _outside(self, error: OffsetOutOfRangeError | LogTruncationError) -> None:
        """Go on where a position was outside of the log, or stop; what was read is settled first.

        A topic that was made again has an id that the client may not have heard of yet.
        """
        self._consumer.topics()
        if self._begin_anew_in_topics_made_again():
            return
        lost = self._positions.outside(error)
        if any(one.cut for one in lost):
            # What is in flight from behind the cut would be committed above the end of the log.
            self._ownership.discard()
            self._rewind()
        if self._stops_on_loss and self._ownership.in_flight[0]:
            self._ending = lost
        else:
            self._positions.pass_over(lost)

    def _join_again_once(self) -> None:
        """Have the group distribute what its killed members had just been told to give up.

        In a cooperative rebalance a partition that changes hands is nobody's until its former
        owner joins again. Where that one was killed in between and is back before its session
        ends, the broker takes it in without a rebalance, and nobody would ever read the partition.
        """
        coordinator = self._consumer._coordinator
        if not self._joined_again and coordinator.state is MemberState.STABLE:
            self._joined_again = True
            coordinator.request_rejoin()

    def _timeout_ms(self, pausing: bool) -> int:
        """How long to poll, and the way out of a join that the client would forget.

        A rebalance that changed metadata sets off, and whose answer comes after its poll has timed
        out, is never completed: the client no longer sees a reason to join, stays REBALANCING and
        sends no heartbeats (3.0.12, seen at one start in seven). Asking for the join again makes
        the next poll wait for the one under way. Long polls while joining make both rare.
        """
        coordinator = self._consumer._coordinator
        if coordinator.state is MemberState.STABLE:
            return PAUSED_POLL_MS if pausing else POLL_MS
        if coordinator.state is MemberState.REBALANCING and not coordinator.need_rejoin():
            coordinator.request_rejoin()
        return JOINING_POLL_MS

    def _raise_if_fenced(self) -> None:
        """Notice that another process took this slot, which the client keeps to itself.

        A heartbeat that is answered with FENCED_INSTANCE_ID only ends the heartbeats; the member
        goes on reading as if it were one. Stable without heartbeats, twice in a row, means that.
        """
        coordinator = self._consumer._coordinator
        silent = coordinator.state is MemberState.STABLE and not coordinator._heartbeat_enabled
        self._silent_polls = self._silent_polls + 1 if silent else 0
        if self._silent_polls > 1:
            raise FencedInstanceIdError("heartbeats ended")

    # Membership, called by the committer ---------------------------------------------------

    def metadata(self) -> tuple[GroupMetadata, bool]:
        """Fresh; the client guards it with a lock of its own. RetryError between two consumers."""
        consumer = self._consumer
        if consumer is None:
            raise RetryError("the group is being joined anew")
        metadata = consumer.group_metadata()
        return metadata, metadata.state is MemberState.STABLE

    def rewind(self) -> None:
        """Seek all owned partitions to their committed offsets and admit again."""
        self._call(self._rewind)

    def commit_offsets(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit offsets outside any transaction."""
        self._call(lambda: self._consumer.commit(dict(offsets), timeout_ms=OFFSETS_DEADLINE_MS))

    def topic_ids(self) -> Mapping[str, str | None]:
        """What each input topic is, as of the records that are in flight; safe from any thread."""
        return self._positions.topic_ids

    def _rewind(self) -> None:
        assignment = self._consumer.assignment()
        self._positions.rewind()
        self._ownership.resume(assignment, self._consumer.group_metadata().member_id)

    def _call(self, work: Callable[[], None]) -> None:
        """Have the poll thread do `work`; RetryError when it does not come to it."""
        future: Future[None] = Future()
        self._calls.put((work, future))
        if self._refusing:
            self._refuse_pending()
        try:
            future.result(CALL_DEADLINE_S)
        except TimeoutError as error:
            future.cancel()
            raise RetryError(f"the poll thread was busy for {CALL_DEADLINE_S:g} s") from error

    def refuse_calls(self) -> None:
        """Answer every call with RetryError from now on: the poll thread is ending."""
        self._refusing = True
        self._refuse_pending()

    def _refuse_pending(self) -> None:
        while True:
            try:
                _, future = self._calls.get_nowait()
            except queue.Empty:
                return
            if future.set_running_or_notify_cancel():
                future.set_exception(RetryError("the worker is ending"))

    def _run_calls(self) -> None:
        while not self._calls.empty():
            work, future = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                work()
            except Exception as error:  # it belongs to the caller
                future.set_exception(error)
            else:
                future.set_result(None)


def _size(record: RawRecord) -> int:
    return len(record.key or b"") + len(record.value or b"") + 64 * (1 + len(record.headers))
