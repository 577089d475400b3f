"""The commit thread: when to commit, what the breaker counts, and the figures of it."""

import threading
import time
from collections.abc import Callable, Mapping

import structlog
from kafka.structs import TopicPartition

from worker.errors import RetryError, StopError
from worker.events.dead_letter import DeadLetter
from worker.metrics import Figures
from worker.seen.spans import Spans
from worker.settings.delivery import DeliverySettings
from worker.stream.accounts import count_answers, log_commit
from worker.stream.answers import Answer
from worker.stream.breaker import Breaker
from worker.stream.entries import Prefix
from worker.stream.in_flight import Ownership
from worker.stream.transaction import GIVE_UP_S, Publisher

_LOOK_S = 0.2
"""So often the thread looks whether it is to end, where nothing falls due."""


class CommitThread:
    """Commits what is finished; everything happens on its thread, but `start` and `close`."""

    def __init__(
        self,
        *,
        publisher: Publisher[Answer],
        ownership: Ownership[Answer],
        breaker: Breaker,
        redrives: str,
        delivery: DeliverySettings,
        figures: Figures,
        fail: Callable[[BaseException], None],
        spans: Spans | None = None,
    ) -> None:
        self._spans = spans or Spans()
        self._publisher = publisher
        self._ownership = ownership
        self._breaker = breaker
        self._redrives = redrives
        self._interval_s = delivery.commit_interval_ms / 1000
        self._records = delivery.commit_records
        self._figures = figures
        self._fail = fail
        self._stop = threading.Event()
        self._log = structlog.get_logger("worker")
        self._counted: Mapping[TopicPartition, int] = {}
        self._doubts = 0
        self._doubtful_since = 0.0
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    def start(self) -> None:
        """Start the thread; the producer was opened before."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """End after the commit that is under way; then give up the producer."""
        self._stop.set()
        if self._thread.is_alive():  # what failed before it may not have been started
            self._thread.join(timeout_s)
        self._publisher.close()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if not self._ownership.wait_until_due(self._interval_s, self._records, _LOOK_S):
                    continue
                prefixes = self._ownership.take(self._records * 4)
                if prefixes:
                    self._commit(prefixes)
        except BaseException as error:
            self._fail(error)

    def _commit(self, prefixes: list[Prefix[Answer]]) -> None:
        self._count(prefixes)
        batches = [entry.batch for prefix in prefixes for entry in prefix.entries]
        try:
            with self._spans.commit(batches):
                committed = self._publisher.commit(prefixes)
        except RetryError as doubt:
            self._doubt(doubt)
            return
        if committed is None:
            return
        self._doubts = 0
        events = len(committed.results)
        count_answers(self._figures, committed.results)
        self._figures.observe("commit_seconds", committed.seconds)
        now_s = time.time()
        for sent_ms in committed.sent_ms:
            self._figures.observe("end_to_end_seconds", now_s - sent_ms / 1000)
        in_flight, _ = self._ownership.in_flight
        log_commit(
            self._log,
            events=events,
            records=committed.records,
            seconds=committed.seconds,
            in_flight=in_flight,
        )

    def _count(self, prefixes: list[Prefix[Answer]]) -> None:
        """Show the breaker each event once, also when it is judged or committed again.

        Redriven events do not count: that they failed before is known, and a person asked for
        another try.
        """
        counted = dict(self._counted)
        for prefix in prefixes:
            if prefix.tag.partition.topic == self._redrives:
                continue
            after = counted.get(prefix.tag.partition, 0)
            for entry in prefix.entries:
                if entry.offset < after:
                    continue
                letter = entry.result if isinstance(entry.result, DeadLetter) else None
                self._breaker.count(
                    entry.sender,
                    entry.place,
                    code=letter.code if letter else None,
                    reason=letter.message if letter else "",
                )
            counted[prefix.tag.partition] = max(after, prefix.next_offset)
        self._counted = counted

    def _doubt(self, doubt: RetryError) -> None:
        now = time.monotonic()
        if self._doubts == 0:
            self._doubtful_since = now
        self._doubts += 1
        self._log.warning("rebuild", reason=str(doubt), attempt=self._doubts)
        if self._doubts > 5 and now - self._doubtful_since > GIVE_UP_S:
            raise StopError(
                f"{self._doubts} commits in a row failed over {now - self._doubtful_since:.0f} s,"
                f" the last because {doubt}; nothing was lost, the events are read again after a"
                " restart",
                exit_code=3,
            )
        self._figures.add("rebuilds")
        in_flight, _ = self._ownership.in_flight
        self._figures.add("events_discarded", in_flight)
        self._publisher.rebuild(
            self._stop.is_set, lambda reason: self._log.warning("rebuild_again", reason=reason)
        )
