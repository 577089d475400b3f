"""Read, process, write: poll, batch, run, publish, commit.

The threads of a worker, in the order in which the data meets them:

| thread    | module        | does                                            | never            |
|-----------|---------------|-------------------------------------------------|------------------|
| main      | `poll_thread` | polls, admits, pauses, seeks                    | waits for others |
| decode-N  | `stages`      | reads events, has them decoded in a child       | touches torch    |
| inference | `stages`      | gathers a micro-batch, judges it with one view  | touches Kafka    |
| committer | `committer`   | publishes and commits contiguous prefixes       | reads Kafka      |
| watchdog  | `watchdog`    | ends the process when a call does not return    |                  |

The rebalance listener runs on the consumer's own thread. A consumer is not thread-safe: what the
committer wants of it goes through calls that the main thread carries out between polls.
"""

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from kafka.errors import FencedInstanceIdError, KafkaError, RetriableError

from worker.broker.clients import new_consumer, new_producer
from worker.broker.topics import Topics
from worker.errors import StopError
from worker.judge.judged import RegistryView
from worker.metrics import Figures
from worker.settings import MEBIBYTE, Settings
from worker.stream.breaker import Breaker
from worker.stream.committer import Committer
from worker.stream.failpoints import Failpoint
from worker.stream.in_flight import Ownership
from worker.stream.outcomes import EventOutcome, records_of
from worker.stream.poller import PollThread
from worker.stream.start_checks import check_start
from worker.stream.threads import Decoder, Judge, Stages
from worker.stream.transaction import CommitDeadlines, TransactionalCommitter
from worker.stream.watchdog import Watchdog
from worker.telemetry import Log

JOIN_DEADLINE_S = 60.0
POLL_DEADLINE_S = 60.0
COMMIT_MARGIN_S = 0.5
"""A commit that gets no answer ends with a doubt so long before the watchdog would end it."""

RIVAL_SESSIONS = 3
"""A rival for the slot fences this worker again within so many sessions; an outage does not."""

REBUILD_GIVE_UP_S = 300.0
"""Brokers may be away this long; the worker waits, holds its place, and needs no human after."""

REQUEST_OVERHEAD_BYTES = 8 * 1024
"""What one record's batch header adds to the record itself."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the stream has done to each event, and with which registry."""

    decoder: Decoder
    judge: Judge
    view: Callable[[], RegistryView]
    registry_metadata: Callable[[], str] = lambda: ""
    """What to commit beside each offset, so that a successor knows which registry was in use."""


def run(
    settings: Settings,
    work: Work,
    *,
    stop: threading.Event,
    figures: Figures | None = None,
    failpoint: Failpoint = lambda name: None,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Run one slot on the calling thread until `stop` is set; returns after the drain.

    `on_ready` is called once, when the group has been joined. Raises StopError when a start-up
    check refuses, the breaker trips, Kafka stays away, or another process has this slot; whatever
    is not committed then is read again after a restart.
    """
    log: Log = structlog.get_logger("worker")
    figures = figures or Figures()
    kafka, delivery, extract = settings.kafka, settings.delivery, settings.extract
    topics = Topics(prefix=kafka.prefix)
    facts = check_start(settings, lambda warning: log.warning("startup", warning=warning))
    letter_bytes = facts.topics[topics.dead_letters].max_message_bytes
    max_image_bytes = settings.decode.max_image_bytes
    transactional = delivery.mode == "exactly_once"
    failures: list[BaseException] = []
    watchdog = Watchdog()
    ownership: Ownership[EventOutcome] = Ownership(
        max_records=delivery.max_in_flight_records, max_bytes=delivery.max_in_flight_mib * MEBIBYTE
    )
    poll_thread = PollThread(
        new_consumer=lambda: new_consumer(kafka, max_image_bytes=max_image_bytes),
        topics=topics,
        ownership=ownership,
        revoke_deadline_s=kafka.session_timeout_s / 3,
        figures=figures,
        at_least_once=not transactional,
        failpoint=failpoint,
    )
    stages = Stages(
        ownership=ownership,
        decoder=work.decoder,
        judge=work.judge,
        view=work.view,
        decode_threads=settings.decode.processes,
        max_image_bytes=max_image_bytes,
        batch_max_images=extract.batch_max_images,
        batch_wait_s=extract.batch_wait_ms / 1000,
        batch_deadline_s=extract.batch_deadline_s,
        watchdog=watchdog,
        figures=figures,
        fail=failures.append,
    )
    transactions = TransactionalCommitter(
        new_producer=lambda: new_producer(
            kafka, max_request_bytes=letter_bytes, transactional=transactional
        ),
        membership=poll_thread,
        ownership=ownership,
        to_records=records_of(topics, max_dead_letter_bytes=letter_bytes - REQUEST_OVERHEAD_BYTES),
        watchdog=watchdog,
        deadlines=CommitDeadlines(
            commit_s=kafka.commit_deadline_s,
            answer_s=kafka.commit_deadline_s - COMMIT_MARGIN_S,
            flush_s=kafka.request_timeout_s + 1.0,
            slow_s=kafka.request_timeout_s,
            rebuild_s=6 * kafka.request_timeout_s,
            give_up_s=REBUILD_GIVE_UP_S,
        ),
        transactional=transactional,
        txn_safety=kafka.txn_safety,
        offset_metadata=work.registry_metadata,
        failpoint=failpoint,
    )
    committer = Committer(
        committer=transactions,
        ownership=ownership,
        breaker=Breaker(
            max_consecutive=delivery.max_consecutive_rejects,
            max_ratio=delivery.max_reject_ratio,
            window=delivery.reject_window,
        ),
        redrives=topics.redrives,
        interval_s=delivery.commit_interval_ms / 1000,
        records=delivery.commit_records,
        give_up_s=REBUILD_GIVE_UP_S,
        figures=figures,
        fail=failures.append,
    )
    watchdog.start()
    try:
        try:
            transactions.open()
        except KafkaError as error:
            raise StopError(
                f"the producer could not be built ({type(error).__name__}: {error}); is Kafka up?",
                exit_code=3,
            ) from error
        poll_thread.open()
        stages.start()
        committer.start()
        _loop(
            poll_thread=poll_thread,
            stages=stages,
            ownership=ownership,
            watchdog=watchdog,
            should_stop=stop.is_set,
            failure=lambda: failures[0] if failures else None,
            drain_deadline_s=delivery.drain_deadline_s,
            rival_s=RIVAL_SESSIONS * kafka.session_timeout_s,
            on_ready=on_ready,
        )
    finally:
        poll_thread.refuse_calls()
        committer.close(kafka.commit_deadline_s)
        ownership.discard()  # or the consumer's last rebalance would wait for commits
        stages.close(2.0)
        poll_thread.close()
        watchdog.close()
        log.info("stopped", **figures.read())


def _loop(
    *,
    poll_thread: PollThread,
    stages: Stages,
    ownership: Ownership[EventOutcome],
    watchdog: Watchdog,
    should_stop: Callable[[], bool],
    failure: Callable[[], BaseException | None],
    drain_deadline_s: float,
    rival_s: float,
    on_ready: Callable[[], None],
) -> None:
    """Poll until asked to stop, then drain: admit nothing more, commit what is in flight.

    A member whose answers were lost on the way may be fenced by its own second join, so that one
    that is fenced joins anew, with another consumer. Where it is fenced once more within `rival_s`,
    another process holds this slot, and the older of the two, which was fenced first, gives way.

    Raises what another thread failed with, and StopError when the group cannot be joined or
    another process took this slot.
    """
    log: Log = structlog.get_logger("worker")
    join_by = time.monotonic() + JOIN_DEADLINE_S
    ready = reopened = False
    drain_by: float | None = None
    fenced_at = -math.inf
    while True:
        error = failure()
        if error is not None:
            raise error
        if drain_by is None and should_stop():
            drain_by = time.monotonic() + drain_deadline_s
            log.info("draining", in_flight=ownership.in_flight[0])
        try:
            with watchdog.guard("a poll", POLL_DEADLINE_S):
                admitted = poll_thread.poll(admitting=drain_by is None)
            stages.admit(admitted)
        except RetriableError as away:
            log.warning("poll", error=f"{type(away).__name__}: {away}")
        except FencedInstanceIdError as fenced:
            if time.monotonic() - fenced_at > rival_s:
                fenced_at = time.monotonic()
                log.warning("join_anew", reason="fenced, perhaps by a join of its own")
                poll_thread.reopen()
                continue
            raise StopError(
                f"fenced twice within {rival_s:g} s: another process joins the group with this"
                " slot; give every worker its own --slot"
            ) from fenced
        if drain_by is not None and (ownership.in_flight[0] == 0 or time.monotonic() > drain_by):
            log.info("drained", left=ownership.in_flight[0])
            return
        if not ready and poll_thread.joined:
            ready = True
            log.info("ready", pid=os.getpid())
            on_ready()
        if not ready and time.monotonic() > join_by:
            if reopened:
                raise StopError(
                    f"the consumer group was not joined within {2 * JOIN_DEADLINE_S:g} s, with two"
                    " consumers; is the group coordinator up?",
                    exit_code=3,
                )
            log.warning("join_slow", seconds=JOIN_DEADLINE_S)
            poll_thread.reopen()
            reopened = True
            join_by = time.monotonic() + JOIN_DEADLINE_S
