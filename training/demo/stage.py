"""One stage of the demo: events sent and awaited, with the view alive and the worker watched."""

import time
from collections.abc import Callable, Sequence

from training.demo.accounting import Account, source_rows
from training.demo.plan import Plan, PlannedEvent
from training.demo.stream import AnswerReader, EventSender
from training.demo.view import DemoView
from training.demo.worker import DemoWorker
from worker.errors import StopError

_LOOK_S = 0.2
_STALLED_S = 150.0
"""A worker on a crowded machine may need a minute to start; more than this means it is stuck."""


class Stage:
    """Sends, waits, and knows how long events were streaming."""

    def __init__(
        self,
        plan: Plan,
        account: Account,
        reader: AnswerReader,
        sender: EventSender,
        worker: DemoWorker,
        view: DemoView,
        partitions: int,
    ) -> None:
        self._plan, self._account, self._reader = plan, account, reader
        self._sender, self._worker, self._view = sender, worker, view
        self._partitions = partitions
        self._sent = 0
        self._rate: float | None = None
        self.streamed = 0
        self.streaming_s = 0.0

    def look(self) -> None:
        """Show the present state, and raise what has gone wrong; takes a fraction of a second."""
        self._account.wait(_LOOK_S)
        self._worker.check()
        self._reader.check()
        rows = source_rows(self._account.books(), self._plan.sources)
        total = self._plan.event_count
        self._view.update(rows, self._account.newest(), total, self._rate)

    def stream(self, events: Sequence[PlannedEvent]) -> None:
        """Send these as fast as the broker takes them, and wait until all are answered."""
        before = self._account.books().answered
        began = time.monotonic()
        for event in events:
            self._sender.send(event, self._account.sent)
        self._sender.flush()
        self._sent += len(events)

        def seen() -> bool:
            answered = self._account.books().answered
            start = max(began, self._worker.ready_at() or began)
            spent = max(self._account.last_answer_at - start, _LOOK_S)
            self._rate = (answered - before) / spent if answered > before else None
            return answered >= self._sent

        self._wait(seen, "an answer to every event")
        self.streamed += len(events)
        start = max(began, self._worker.ready_at() or began)
        self.streaming_s += max(self._account.last_answer_at - start, 0.001)

    def wait_for_revision(self, revision: int) -> int:
        """Send photographs, one to each partition, until all verdicts show this revision.

        Partitions may be with different processes. Returns how many photographs it took.
        """
        spare = self._plan.held_back
        for start in range(0, len(spare) - self._partitions + 1, self._partitions):
            asked = spare[start : start + self._partitions]
            for partition, event in enumerate(asked):
                self._sender.send(event, self._account.sent, partition=partition)
            self._sender.flush()
            self._sent += len(asked)
            self._wait(
                lambda: self._account.books().answered >= self._sent, "answers to the photographs"
            )
            if all((seen or 0) >= revision for seen in self._revisions(asked)):
                return start + self._partitions
        raise StopError(
            f"after {len(spare)} more verdicts the worker still does not show registry revision"
            f" {revision}; a registered model must be used without a restart."
            f" {self._worker.log_tail()}"
        )

    def _revisions(self, events: Sequence[PlannedEvent]) -> list[int | None]:
        """The registry revisions of the verdicts on these events."""
        books = self._account.books()
        wanted = {event.subject for event in events}
        places = [place for place, event in books.sent.items() if event.subject in wanted]
        return [books.answers[place][0].registry_revision for place in places]

    def _wait(self, reached: Callable[[], bool], what: str) -> None:
        """Look until it is so; StopError when no answer came for a long time."""
        began = time.monotonic()
        while not reached():
            self.look()
            if time.monotonic() - max(began, self._account.last_answer_at) > _STALLED_S:
                missing = self._sent - self._account.books().answered
                raise StopError(
                    f"waited {_STALLED_S:g} s for {what}; {missing} are missing and the worker"
                    f" runs. {self._worker.log_tail()}"
                )
        self.look()
