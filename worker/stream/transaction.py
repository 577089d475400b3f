"""The commit: outputs and input offsets in one transaction, and the rebuild after any doubt."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata, TopicPartition

from worker.errors import RetryError, StopError
from worker.events.cloudevents import OutgoingRecord
from worker.failpoints import Failpoint
from worker.settings.kafka import KafkaSettings
from worker.stream.entries import Prefix
from worker.stream.in_flight import Ownership
from worker.stream.positions import with_topic_id
from worker.watchdog import Watchdog

Result = TypeVar("Result")
TxnSafety = Literal["on_ambiguity", "every_txn"]
Mode = Literal["exactly_once", "at_least_once"]

ANSWER_MARGIN_S = 0.5
"""A commit that gets no answer ends with a doubt so long before the watchdog would end it."""

GIVE_UP_S = 300.0
"""Brokers may be away this long; the worker waits, holds its place, and needs no human after."""


class GroupMetadata(Protocol):
    """What the consumer knows of its membership."""

    generation_id: int
    member_id: str


class Producer(Protocol):
    """What is used of `kafka.KafkaProducer`; `worker.broker.clients.WorkerProducer` has it."""

    def init_transactions(self) -> None: ...
    def begin_transaction(self) -> None: ...
    def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> Any: ...
    def flush(self, timeout: float | None = None) -> None: ...
    def send_offsets_to_transaction(
        self, offsets: Any, group_metadata: Any, timeout_s: float
    ) -> None: ...
    def commit_transaction(self, timeout_s: float) -> None: ...
    def disconnects(self) -> int: ...
    def discard(self, timeout_s: float) -> None: ...


class Membership(Protocol):
    """The consumer's side of a commit."""

    def metadata(self) -> tuple[GroupMetadata, bool]:
        """The membership now, and whether the group is stable; safe from any thread."""

    def topic_ids(self) -> Mapping[str, str | None]:
        """What each input topic is, as of what is in flight; safe from any thread."""

    def rewind(self) -> None:
        """On the poll thread: read the committed offsets, seek all owned partitions, resume."""

    def commit_offsets(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """On the poll thread: commit offsets outside any transaction (at-least-once only)."""


@dataclass(frozen=True, slots=True)
class CommitDeadlines:
    """Seconds. `commit_s` ends the process; `answer_s`, below it, ends one commit with a doubt, as
    an outage does; `slow_s` is when a commit that came back is still called doubtful.
    """

    commit_s: float
    answer_s: float
    flush_s: float
    slow_s: float
    rebuild_s: float
    give_up_s: float

    @classmethod
    def of(cls, kafka: KafkaSettings) -> "CommitDeadlines":
        """What follows from the deadlines that an operator sets."""
        return cls(
            commit_s=kafka.commit_deadline_s,
            answer_s=kafka.commit_deadline_s - ANSWER_MARGIN_S,
            flush_s=kafka.request_timeout_s + 1.0,
            slow_s=kafka.request_timeout_s,
            rebuild_s=6 * kafka.request_timeout_s,
            give_up_s=GIVE_UP_S,
        )


@dataclass(frozen=True, slots=True)
class Committed(Generic[Result]):
    """What one transaction held; `sent_ms` are the times of the events' records."""

    results: tuple[Result, ...]
    records: int
    seconds: float
    sent_ms: tuple[int, ...] = ()


class Publisher(Generic[Result]):
    """Publishes finished events with their offsets; used by the commit thread alone.

    The order that keeps data safe, `exactly_once`:

    1. Take, per partition, the contiguous prefix of finished events.
    2. Read what the topics are, and the group metadata, fresh; refuse a generation below 0 or an
       empty member id, and wait while the group is rebalancing.
    3. Only then check each prefix's tag, and leave the stale ones. The listener that drops what
       was given up may run a little after the generation that is read here has begun; that is
       safe, because a cooperative partition goes to another member one generation later only.
    4. Begin the transaction.
    5. Send verdicts, alerts, fingerprint records and dead letters.
    6. Flush. A flush that returns proves nothing,
    7. so check every future: a batch that expired inside a transaction does not fail the commit.
    8. Send the offsets, each one past its prefix, with the metadata of step 2.
    9. Commit.
    10. Forget the events.

    An exception anywhere, a lost connection or a slow commit leaves the outcome in doubt, and
    `rebuild` follows: the producer is never used again, because offsets that were pending at an
    abort would join its next transaction.

    `at_least_once` uses an idempotent producer: all steps but 4, 8 and 9, for which an
    ordinary offset commit stands. After a crash events are judged again and their verdicts
    published twice, with the same verdict id.
    """

    def __init__(
        self,
        *,
        new_producer: Callable[[], Producer],
        membership: Membership,
        ownership: Ownership[Result],
        to_records: Callable[[Result], Sequence[tuple[str, OutgoingRecord]]],
        watchdog: Watchdog,
        deadlines: CommitDeadlines,
        mode: Mode = "exactly_once",
        txn_safety: TxnSafety = "on_ambiguity",
        offset_metadata: Callable[[], str] = lambda: "",
        failpoint: Failpoint = lambda name: None,
        refusal_of: Callable[[BaseException], StopError | None] = lambda error: None,
        on_abort: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_abort` is called for each transaction that was begun and is given up."""
        self._on_abort = on_abort
        self._begun = False
        self._refusal_of = refusal_of
        self._offset_metadata = offset_metadata
        self._new_producer = new_producer
        self._membership = membership
        self._ownership = ownership
        self._to_records = to_records
        self._watchdog = watchdog
        self._deadlines = deadlines
        self._transactional = mode == "exactly_once"
        self._every_txn = txn_safety == "every_txn"
        self._failpoint = failpoint
        self._producer: Producer | None = None

    def open(self) -> None:
        """Build the producer; `init_transactions` settles what a predecessor left and fences it.

        Raises KafkaError where Kafka is out of reach.
        """
        with self._watchdog.guard("building the producer", self._deadlines.rebuild_s):
            self._producer = self._new_producer()
            if self._transactional:
                self._producer.init_transactions()

    def commit(self, prefixes: Sequence[Prefix[Result]]) -> Committed[Result] | None:
        """Steps 2 to 10 for what `Ownership.take` gave; None when nothing may be committed now.

        Raises RetryError when the outcome is in doubt: call `rebuild` then, and nothing else. That
        holds for a fenced membership too; the poll thread knows of joins and decides what follows.
        """
        topic_ids = self._membership.topic_ids()
        metadata, stable = self._membership.metadata()
        if metadata.generation_id < 0 or not metadata.member_id or not stable:
            self._ownership.postpone()
            return None
        owned = self._ownership.still_owned(prefixes, metadata.member_id)
        if len(owned) < len(prefixes):
            self._ownership.postpone()
        if not owned:
            return None
        started = time.monotonic()
        try:
            with self._watchdog.guard("a commit", self._deadlines.commit_s):
                records = self._publish(owned, metadata, topic_ids)
        except (RetryError, StopError):
            raise
        except Exception as error:  # whatever it was, the transaction is in doubt
            self._raise_refusal(error)
            raise RetryError(f"the commit failed: {type(error).__name__}: {error}") from error
        seconds = time.monotonic() - started
        if self._transactional and seconds > self._deadlines.slow_s:
            raise RetryError(
                f"the commit took {seconds:.1f} s, more than {self._deadlines.slow_s:g} s: a late"
                " EndTxn could end the next transaction"
            )
        self._ownership.settle(owned)
        if self._every_txn and self._transactional:
            try:
                self._replace_producer()
            except KafkaError as error:  # the commit stands; the next one needs a producer
                raise RetryError(f"no new producer: {type(error).__name__}: {error}") from error
        results = tuple(
            entry.result for prefix in owned for entry in prefix.entries if entry.result is not None
        )
        sent_ms = tuple(e.sent_ms for prefix in owned for e in prefix.entries if e.sent_ms)
        return Committed(results, records, seconds, sent_ms)

    def rebuild(
        self, should_stop: Callable[[], bool], say_away: Callable[[str], None] = lambda reason: None
    ) -> None:
        """From doubt back to a known state; returns when events are admitted again.

        1. Admit nothing, bump every epoch, drop what is in flight.
        2. Close the producer within a short time, without the abort, which can hang.
        3. Build another with the same transactional id; `init_transactions` settles the old
           transaction and fences zombies and late requests.
        4. Only now read the committed offsets: they alone say whether the commit took place.
        5. Seek there, on the poll thread, and admit again.

        Tries again while brokers are away, with the reason to `say_away`, and raises StopError
        (exit code 3) after `give_up_s`.
        """
        self._ownership.discard()
        end = time.monotonic() + self._deadlines.give_up_s
        pause_s = 0.1
        while True:
            try:
                self._replace_producer()
                self._membership.rewind()
                return
            except StopError:
                raise
            except Exception as error:  # brokers away; the deadline bounds the tries
                self._raise_refusal(error)
                if should_stop():
                    return
                say_away(f"{type(error).__name__}: {error}")
                if time.monotonic() > end:
                    raise StopError(
                        f"Kafka could not be reached for {self._deadlines.give_up_s:g} s after a"
                        f" commit in doubt ({type(error).__name__}: {error}); nothing was lost, the"
                        " events are read again when the worker starts next",
                        exit_code=3,
                    ) from error
            time.sleep(pause_s)
            pause_s = min(2.0, pause_s * 2)

    def close(self) -> None:
        """Give up the producer; whatever it had open is settled by its successor."""
        if self._begun:
            self._begun = False
            self._on_abort()
        if self._producer is not None:
            self._producer.discard(1.0)
            self._producer = None

    def _raise_refusal(self, error: BaseException) -> None:
        """A right that was withdrawn does not come back by trying again."""
        refusal = self._refusal_of(error)
        if refusal is not None:
            raise refusal from error

    def _replace_producer(self) -> None:
        self.close()
        self.open()

    def _publish(
        self,
        owned: Sequence[Prefix[Result]],
        metadata: GroupMetadata,
        topic_ids: Mapping[str, str | None],
    ) -> int:
        producer = self._producer
        if producer is None:
            raise RetryError("there is no producer yet")
        end = time.monotonic() + self._deadlines.answer_s
        disconnects = producer.disconnects()
        self._failpoint("before_begin")
        if self._transactional:
            producer.begin_transaction()
            self._begun = True
        self._failpoint("after_begin")
        futures = []
        for prefix in owned:
            for entry in prefix.entries:
                assert entry.result is not None, "a prefix holds finished events only"
                for topic, record in self._to_records(entry.result):
                    futures.append(
                        producer.send(
                            topic,
                            value=record.value,
                            key=record.key,
                            headers=list(record.headers),
                        )
                    )
                    if len(futures) == 1:
                        self._failpoint("after_first_send")
        producer.flush(self._deadlines.flush_s)
        for future in futures:
            if not future.succeeded():
                error = future.exception or "it is still not acknowledged"
                if future.exception is not None:
                    self._raise_refusal(future.exception)
                raise RetryError(f"a record was not published: {error}")
        self._failpoint("after_flush")
        note = self._offset_metadata()
        offsets = {
            partition: OffsetAndMetadata(
                prefix.next_offset, with_topic_id(note, topic_ids.get(partition.topic)), -1
            )
            for prefix in owned
            for partition in (prefix.tag.partition,)
        }
        if self._transactional:
            producer.send_offsets_to_transaction(offsets, metadata, end - time.monotonic())
            self._failpoint("after_offsets")
            self._failpoint("during_commit")
            producer.commit_transaction(end - time.monotonic())
            self._failpoint("after_commit")
            if producer.disconnects() != disconnects:
                raise RetryError("a connection was lost inside the transaction")
            self._begun = False
        else:
            self._membership.commit_offsets(offsets)
        return len(futures)
