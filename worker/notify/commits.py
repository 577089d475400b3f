"""Dead letters and offsets in one transaction, on a thread of their own."""

import threading
from collections.abc import Callable, Sequence

import structlog

from worker.errors import RetryError
from worker.events.cloudevents import OutgoingRecord
from worker.metrics import Figures
from worker.notify.letters import Letter
from worker.notify.router import Settled
from worker.stream.in_flight import Ownership
from worker.stream.transaction import Publisher

INTERVAL_S = 0.2
MOST_RECORDS = 1000


def letters_to(topic: str) -> Callable[[Settled], Sequence[tuple[str, OutgoingRecord]]]:
    """The function from what an alert came to, to its (topic, record) pairs."""

    def records(letters: tuple[Letter, ...]) -> Sequence[tuple[str, OutgoingRecord]]:
        return [(topic, letter.outgoing()) for letter in letters]

    return records


class Commits:
    """Commits what is settled; everything happens on its thread, but `start` and `close`."""

    def __init__(
        self,
        publisher: Publisher[Settled],
        ownership: Ownership[Settled],
        figures: Figures,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._publisher = publisher
        self._ownership = ownership
        self._figures = figures
        self._fail = fail
        self._stop = threading.Event()
        self._log = structlog.get_logger("worker")
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    def start(self) -> None:
        """Start the thread; the producer was opened before."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """End after the commit that is under way; then give up the producer."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._publisher.close()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._ownership.wait_until_due(INTERVAL_S, MOST_RECORDS, timeout_s=0.2)
                prefixes = self._ownership.take(MOST_RECORDS)
                if not prefixes:
                    continue
                try:
                    committed = self._publisher.commit(prefixes)
                except RetryError as doubt:
                    # Read again from what was committed: what was told is told again, by its id.
                    self._log.warning("rebuild", reason=str(doubt))
                    self._publisher.rebuild(
                        self._stop.is_set,
                        lambda reason: self._log.warning("rebuild_again", reason=reason),
                    )
                    continue
                if committed is not None:
                    for letter in (one for settled in committed.results for one in settled):
                        self._figures.add("notify_dead_letters", reason=letter.reason)
        except BaseException as error:
            self._fail(error)
