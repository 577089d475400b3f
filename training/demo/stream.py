"""The demo's two ends of the stream: events in with their places, committed answers out."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from kafka.errors import KafkaError

from training.demo.accounting import Account, Answer, Place, read_answer
from training.demo.plan import PlannedEvent
from worker.broker.clients import new_sender
from worker.broker.topics import Topics, images_max_message_bytes
from worker.errors import StopError
from worker.events.cloudevents import binary_headers
from worker.events.records import IMAGE_TYPE
from worker.outside.watch import watch
from worker.outside.watched import Watched

SOURCE = "/latentprint/demo"
_ANSWER_S = 30.0
_FINAL_IDLE_S = 2.0  # nothing new in this time, after the worker has drained: it was all


class EventSender:
    """An idempotent producer of image events that learns each event's place."""

    def __init__(self, brokers: str, topics: Topics) -> None:
        self._topic = topics.images
        self._pending: list[Any] = []
        self._producer = new_sender(
            brokers,
            None,
            max_request_bytes=images_max_message_bytes(),
            request_s=_ANSWER_S,
            delivery_s=4 * _ANSWER_S,
        )

    def send(
        self,
        event: PlannedEvent,
        stored: Callable[[Place, PlannedEvent], None],
        partition: int | None = None,
    ) -> None:
        """Hand the event over; `stored` is called, on another thread, once the broker has it.

        Without `partition` the subject, which is also the key, decides.
        """
        number = event.subject.removeprefix("demo/").partition(".")[0]
        headers = binary_headers(
            event_id=f"demo-{number}",
            source=SOURCE,
            type_=IMAGE_TYPE,
            content_type=event.file.content_type,
            subject=event.subject,
            time=datetime.now(UTC),
        )
        future = self._producer.send(
            self._topic,
            value=event.file.data,
            key=event.subject.encode(),
            headers=list(headers),
            partition=partition,
        )
        future.add_callback(lambda kept: stored((kept.partition, kept.offset), event))
        self._pending.append(future)

    def flush(self) -> None:
        """Wait until the broker has every event; StopError when it refused one or is away."""
        try:
            self._producer.flush(_ANSWER_S)
            for future in self._pending:
                future.get(timeout=_ANSWER_S)
        except KafkaError as error:
            raise StopError(
                f"Kafka did not take an event ({error}); the demo cannot count what it does not"
                " know. Look at kafka.log (keep it with --keep FOLDER), then run the demo again",
                exit_code=3,
            ) from error
        self._pending.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Nothing is pending after `flush`; after an error there is nothing worth waiting for.
        self._producer.discard(5.0)


class AnswerReader:
    """A thread that follows verdicts and dead letters, read_committed, into an account."""

    def __init__(self, brokers: str, topics: Topics, account: Account) -> None:
        self._brokers, self._topics, self._account = brokers, topics, account
        self._wanted = True
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="demo-answers", daemon=True)

    def check(self) -> None:
        """Raises what ended the thread, if something did."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            records = watch(
                self._brokers,
                self._topics,
                from_start=True,
                still_wanted=lambda: self._wanted,
            )
            for record in records:
                self._account.answered(_answer(record))
        except Exception as error:  # raised again by `check` on the main thread
            self._error = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wanted = False
        self._thread.join(10.0)


def read_all(brokers: str, topics: Topics) -> list[Answer]:
    """Every committed answer from the beginning, by a consumer of its own; ends when idle."""
    records = watch(brokers, topics, from_start=True, until_idle_s=_FINAL_IDLE_S)
    return [_answer(record) for record in records]


def _answer(record: Watched) -> Answer:
    if record.kind not in ("verdict", "dead_letter"):
        raise StopError(
            f"the worker published a record that cannot be read: {record.document.get('message')};"
            " this is a bug, please report it"
        )
    return read_answer(record.document)
