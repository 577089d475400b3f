"""Read, process, write: poll, batch, run, publish, commit.

The threads of a worker, in the order in which the data meets them:

| thread    | module        | does                                            | never            |
|-----------|---------------|-------------------------------------------------|------------------|
| main      | `poller`      | polls, admits, pauses, seeks                    | waits for others |
| decode-N  | `threads`     | reads events, has them decoded in a child       | judges           |
| fetch-N   | `fetching`    | has images fetched that events only refer to    | decodes          |
| extract   | `judging`     | takes what waits as one batch, and extracts it  | touches Kafka    |
| judge     | `judging`     | judges a batch with one view, writes answers    | extracts         |
| committer | `committer`   | publishes and commits contiguous prefixes       | reads Kafka      |
| watchdog  | `watchdog`    | ends the process when a call does not return    |                  |

The rebalance listener runs on the client's I/O thread, inside a poll. A consumer is not
thread-safe: what the committer wants of it goes through calls that the main thread carries out
between polls.
"""

import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import structlog
from kafka.errors import FencedInstanceIdError, KafkaError, RetriableError

from worker.broker.clients import new_consumer, new_producer
from worker.broker.leaving import leave_group
from worker.broker.refusals import Who, refusal_of
from worker.broker.topics import Topics
from worker.errors import StopError
from worker.failpoints import Failpoint
from worker.metrics import Figures
from worker.seen.health import Health
from worker.seen.spans import Spans
from worker.settings.group import MEBIBYTE
from worker.settings.settings import Settings
from worker.settings_rules import exposures
from worker.stream.answers import Answer, records_of
from worker.stream.breaker import Breaker
from worker.stream.committer import CommitThread
from worker.stream.in_flight import Ownership
from worker.stream.poller import Poller
from worker.stream.start_checks import check_start
from worker.stream.threads import Work, WorkThreads
from worker.stream.transaction import CommitDeadlines, Publisher
from worker.telemetry import Log
from worker.watchdog import Watchdog

JOIN_DEADLINE_S = 60.0
POLL_DEADLINE_S = 60.0
CONSUMER_DEADLINE_S = 90.0
"""Above what the consumer itself waits for brokers and topics, which ends with a better word."""

FIRST_POLL_PAUSE_S, LONGEST_POLL_PAUSE_S = 0.1, 2.0
"""Between polls that fail at once; short enough for a drain to end in time."""

THREADS_CLOSE_S = 2.0

LEAVE_S = 3.0
"""What a planned scale-in waits for the coordinator; the drain and this end within 20 s."""

RIVAL_SESSIONS = 3
"""A rival for the slot fences this worker again within so many sessions; an outage does not."""

REQUEST_OVERHEAD_BYTES = 8 * 1024
"""What one record's batch header adds to the record itself."""


def run(
    settings: Settings,
    work: Work[Any],
    *,
    stop: threading.Event,
    leaving: Callable[[], bool] = lambda: False,
    figures: Figures | None = None,
    health: Health | None = None,
    spans: Spans | None = None,
    failpoint: Failpoint = lambda name: None,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Run one slot on the calling thread until `stop` is set; returns after the drain.

    Where `leaving` says so at the end, the slot leaves the group, and its partitions move at once;
    otherwise they wait for its return. `on_ready` is called once, when the group has been joined.

    Raises StopError when a start-up check refuses, the breaker trips, Kafka stays away, or another
    process has this slot; whatever is not committed then is read again after a restart.
    """
    log: Log = structlog.get_logger("worker")
    figures = figures or Figures(slot=settings.kafka.slot)
    health = health or Health()
    kafka, delivery = settings.kafka, settings.delivery
    topics = Topics(kafka.prefix, kafka.shadow)
    for warning in exposures(settings):
        log.warning("startup", warning=warning)
    facts = check_start(settings, lambda warning: log.warning("startup", warning=warning))
    letter_bytes = facts.topics[topics.dead_letters].max_message_bytes
    max_image_bytes = settings.decode.max_image_bytes
    at_least_once = delivery.mode == "at_least_once"
    may_read = partial(refusal_of, who=Who.of(kafka), topic_right="READ")
    may_write = partial(refusal_of, who=Who.of(kafka), topic_right="WRITE")
    failures: list[BaseException] = []
    watchdog, breaker = Watchdog(), Breaker(delivery, figures)
    ownership: Ownership[Answer] = Ownership(
        max_records=delivery.max_in_flight_records, max_bytes=delivery.max_in_flight_mib * MEBIBYTE
    )
    figures.before_reading(lambda: _show_in_flight(figures, ownership))
    poller = Poller(
        new_consumer=lambda: new_consumer(kafka, max_image_bytes=max_image_bytes),
        topics=topics,
        ownership=ownership,
        revoke_deadline_s=kafka.session_timeout_s / 3,
        figures=figures,
        brokers=kafka.brokers,
        group=kafka.member_group,
        on_lost_records=delivery.on_lost_records,
        at_least_once=at_least_once,
        failpoint=failpoint,
        refusal_of=may_read,
    )
    figures.before_reading(lambda: poller.lag.show(figures, ownership.waiting()))
    threads = WorkThreads(
        ownership=ownership,
        work=work,
        breaker=breaker,
        topics=topics,
        decode=settings.decode,
        extract=settings.extract,
        watchdog=watchdog,
        figures=figures,
        fail=failures.append,
        references=settings.references,
        spans=spans,
    )
    publisher = Publisher(
        new_producer=lambda: new_producer(
            kafka, max_request_bytes=letter_bytes, transactional=not at_least_once
        ),
        membership=poller,
        ownership=ownership,
        to_records=records_of(topics, max_dead_letter_bytes=letter_bytes - REQUEST_OVERHEAD_BYTES),
        watchdog=watchdog,
        deadlines=CommitDeadlines.of(kafka),
        mode=delivery.mode,
        txn_safety=kafka.txn_safety,
        offset_metadata=work.registry_metadata,
        failpoint=failpoint,
        refusal_of=may_write,
        on_abort=partial(figures.add, "aborted_transactions"),
    )
    commits = CommitThread(
        publisher=publisher,
        ownership=ownership,
        breaker=breaker,
        redrives=topics.redrives,
        delivery=delivery,
        figures=figures,
        fail=failures.append,
        spans=spans,
    )
    health.know("group", poller.standing)
    with ExitStack() as ending:
        # Carried out from the last line to the first, each one whatever became of the others.
        ending.callback(lambda: log.info("stopped", **figures.read()))
        closing = partial(_close, ending, log)
        closing("watchdog", watchdog.close)  # last: what closes below may hang, too
        closing("membership", lambda: _leave(settings, log) if leaving() else None)
        closing("consumer", poller.close)  # without a LeaveGroup, so a restart moves no partition
        closing("threads", lambda: threads.close(THREADS_CLOSE_S))
        closing("in_flight", ownership.discard)  # or the last rebalance would wait for commits
        closing("commits", lambda: commits.close(kafka.commit_deadline_s))  # the one under way
        closing("calls", poller.refuse_calls)  # or a commit would wait for a poll that never comes
        watchdog.start()
        try:
            publisher.open()
        except KafkaError as error:
            raise may_write(error) or StopError(
                f"the producer could not be built ({type(error).__name__}: {error}); is Kafka up?",
                exit_code=3,
            ) from error
        with watchdog.guard("building the consumer", CONSUMER_DEADLINE_S):
            poller.open()
        threads.start()
        commits.start()
        _loop(
            poller=poller,
            threads=threads,
            ownership=ownership,
            watchdog=watchdog,
            settings=settings,
            stop=stop,
            failures=failures,
            health=health,
            on_ready=on_ready,
            wait=threading.Event().wait,
        )


def _show_in_flight(figures: Figures, ownership: Ownership[Answer]) -> None:
    figures.set("partitions_assigned", len(ownership.waiting()))
    records, held = ownership.in_flight
    figures.set("in_flight_records", records)
    figures.set("in_flight_bytes", held)


def _leave(settings: Settings, log: Log) -> None:
    """Leave the group for good: this slot was scaled in."""
    left = leave_group(settings.kafka, [settings.kafka.slot], timeout_s=LEAVE_S)
    log.info("left_group", group=settings.kafka.group, was_member=bool(left))


def _close(ending: ExitStack, log: Log, what: str, call: Callable[[], None]) -> None:
    """Have `call` carried out at the end; its failure is said, and hides nothing else."""

    def carry_out() -> None:
        try:
            call()
        except Exception as error:  # the worker's own reason to end is the one to report
            log.error("close_failed", what=what, error=f"{type(error).__name__}: {error}")

    ending.callback(carry_out)


def _loop(
    *,
    poller: Poller,
    threads: WorkThreads,
    ownership: Ownership[Answer],
    watchdog: Watchdog,
    settings: Settings,
    stop: threading.Event,
    failures: Sequence[BaseException],
    health: Health,
    on_ready: Callable[[], None],
    wait: Callable[[float], object],
) -> None:
    """Poll until asked to stop, then drain: admit nothing more, commit what is in flight.

    A member whose answers were lost on the way may be fenced by its own second join, so that one
    that is fenced joins anew, with another consumer. Where it is fenced once more within
    RIVAL_SESSIONS, another process holds this slot, and the older of the two, which was fenced
    first, gives way.

    Raises what another thread failed with, and StopError when the group cannot be joined or
    another process took this slot.
    """
    log: Log = structlog.get_logger("worker")
    rival_s = RIVAL_SESSIONS * settings.kafka.session_timeout_s
    join_by = time.monotonic() + JOIN_DEADLINE_S
    ready = reopened = False
    drain_by: float | None = None
    fenced_at = -math.inf
    pause_s = FIRST_POLL_PAUSE_S
    while True:
        health.came_round()
        if failures:
            raise failures[0]
        if drain_by is None and stop.is_set():
            drain_by = time.monotonic() + settings.delivery.drain_deadline_s
            health.drains()
            log.info("draining", in_flight=ownership.in_flight[0])
        try:
            with watchdog.guard("a poll", POLL_DEADLINE_S):
                admitted = poller.poll(admitting=drain_by is None)
            threads.admit(admitted)
            pause_s = FIRST_POLL_PAUSE_S
        except RetriableError as away:
            log.warning("poll", error=f"{type(away).__name__}: {away}", pause_s=pause_s)
            wait(pause_s)  # not on `stop`, whose signal handler runs on this very thread
            pause_s = min(2 * pause_s, LONGEST_POLL_PAUSE_S)
        except FencedInstanceIdError as fenced:
            if time.monotonic() - fenced_at > rival_s:
                fenced_at = time.monotonic()
                log.warning("join_anew", reason="fenced, perhaps by a join of its own")
                with watchdog.guard("building the consumer", CONSUMER_DEADLINE_S):
                    poller.reopen()
                continue
            raise StopError(
                f"fenced twice within {rival_s:g} s: another process joins the group with this"
                " slot; give every worker its own --slot"
            ) from fenced
        except KafkaError as error:
            raise refusal_of(error, Who.of(settings.kafka)) or error from error
        if drain_by is not None and (ownership.in_flight[0] == 0 or time.monotonic() > drain_by):
            log.info("drained", left=ownership.in_flight[0])
            return
        if not ready and poller.joined:
            ready = True
            health.started()
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
            with watchdog.guard("building the consumer", CONSUMER_DEADLINE_S):
                poller.reopen()
            reopened = True
            join_by = time.monotonic() + JOIN_DEADLINE_S
