"""`latentprint notify`: alerts from Kafka to webhooks, at least once, until it is asked to stop.

| thread       | module    | does                                              |
|--------------|-----------|---------------------------------------------------|
| main         | `run`     | polls alerts, routes them, closes windows         |
| courier-NAME | `courier` | delivers to one receiver                          |
| committer    | `commits` | commits dead letters and offsets in a transaction |
| watchdog     |           | ends the process when a call does not return      |

The consumer, what is in flight and the commit are the worker's own (`worker/stream/`).
"""

import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import stamina.instrumentation
import structlog
from kafka.errors import FencedInstanceIdError, KafkaError, RetriableError

from worker.broker.admin import admin, require_topics
from worker.broker.clients import connection, new_consumer, new_producer
from worker.broker.leaving import leave_group
from worker.broker.refusals import Who, refusal_of
from worker.broker.topics import NOTIFY_LETTER_BYTES, Topics
from worker.errors import StopError
from worker.failpoints import Failpoint
from worker.metrics import NOTIFY, WORKER, Figures
from worker.notify.commits import Commits, letters_to
from worker.notify.courier import Courier
from worker.notify.receivers import Plan
from worker.notify.router import Router, Settled
from worker.seen.health import Health
from worker.settings.group import MEBIBYTE
from worker.settings.kafka import KafkaSettings
from worker.settings.settings import Settings
from worker.stream.in_flight import Ownership
from worker.stream.poller import Poller
from worker.stream.transaction import CommitDeadlines, Publisher
from worker.telemetry import Log
from worker.watchdog import Watchdog

MOST_IN_FLIGHT, MOST_IN_FLIGHT_BYTES = 50_000, 128 * MEBIBYTE
"""Alerts read and not committed, those that wait for a digest among them; an alert takes about a
kilobyte. Then digests are sent early, and partitions pause until half of it is settled."""

CHECKS = ("group", "receivers")
"""What `/readyz` rests on."""

_OF_THE_POLLER = ("events_admitted", "rebalances", "revocations_cut", "records_lost")
COUNTED = (*NOTIFY, *(metric for metric in WORKER if metric.name in _OF_THE_POLLER))
"""What this process counts."""

REVOKE_DEADLINE_S = 2.0
"""For what is settled to be committed; what is not is told again by whoever has the partition."""

POLL_DEADLINE_S = 60.0
CONSUMER_DEADLINE_S = 90.0
JOIN_DEADLINE_S = 120.0
FIGURES_S = 1.0
LEAVE_S = 3.0
REST_S = 1.0
"""After the last try, for what it settled to be committed."""

FIRST_POLL_PAUSE_S, LONGEST_POLL_PAUSE_S = 0.1, 2.0
RIVAL_SESSIONS = 3
"""As in `worker.stream.run`."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the poller reads, in place of the worker's topics."""

    inputs: tuple[str, ...]
    redrives: str = ""


def kafka_of(settings: Settings) -> KafkaSettings:
    """How Kafka is reached, as the group of `notify`."""
    return settings.kafka.model_copy(update={"group": settings.notify.group, "shadow": False})


def check_topics(settings: Settings) -> Topics:
    """The topics, once they are seen to be there with the rights needed; StopError otherwise."""
    topics = Topics(prefix=settings.kafka.prefix)
    client = connection(settings.kafka)
    brokers = settings.kafka.brokers
    del client["bootstrap_servers"]
    who = Who.of(kafka_of(settings))
    with admin(brokers, client=client, who=who) as cluster:
        require_topics(cluster, [topics.alerts], who, "READ")
        require_topics(cluster, [topics.notify_dead_letters], who, "WRITE")
    return topics


def run(
    settings: Settings,
    plan: Plan,
    *,
    stop: threading.Event,
    leaving: Callable[[], bool] = lambda: False,
    once: bool = False,
    figures: Figures | None = None,
    health: Health | None = None,
    failpoint: Failpoint = lambda name: None,
    on_ready: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Run on the calling thread until `stop` is set, or with `once` until all alerts are told.

    Returns after the drain; where `leaving` says so then, it leaves the group for good. Raises
    StopError for what the worker would raise it for; what is not committed then is read again, and
    told again under the same id.
    """
    stamina.instrumentation.set_on_retry_hooks([])  # the courier says what failed
    log: Log = structlog.get_logger("worker")
    figures = figures or Figures(COUNTED, slot=settings.kafka.slot)
    health = health or Health()
    kafka, notify = kafka_of(settings), settings.notify
    topics = check_topics(settings)
    refusal = partial(refusal_of, who=Who.of(kafka))
    failures: list[BaseException] = []
    draining = threading.Event()
    watchdog = Watchdog()
    ownership: Ownership[Settled] = Ownership(
        max_records=MOST_IN_FLIGHT, max_bytes=MOST_IN_FLIGHT_BYTES
    )
    poller = Poller(
        new_consumer=lambda: new_consumer(kafka, max_image_bytes=settings.decode.max_image_bytes),
        topics=Inputs((topics.alerts,)),
        ownership=ownership,
        revoke_deadline_s=REVOKE_DEADLINE_S,
        figures=figures,
        brokers=kafka.brokers,
        group=kafka.group,
        on_lost_records="continue",
        failpoint=failpoint,
        refusal_of=refusal,
    )
    publisher: Publisher[Settled] = Publisher(
        new_producer=lambda: new_producer(
            kafka, max_request_bytes=NOTIFY_LETTER_BYTES, transactional=True
        ),
        membership=poller,
        ownership=ownership,
        to_records=letters_to(topics.notify_dead_letters),
        watchdog=watchdog,
        deadlines=CommitDeadlines.of(kafka),
        failpoint=failpoint,
        refusal_of=refusal,
    )
    couriers = [
        Courier(
            receiver,
            timeout_s=notify.timeout_s,
            budget_s=notify.budget_s,
            queue_messages=notify.queue_messages,
            figures=figures,
            draining=draining,
            fail=failures.append,
        )
        for receiver in plan.receivers
    ]
    router = Router(plan, couriers, ownership, figures, clock)
    health.know("group", poller.standing)
    health.know("receivers", partial(_receivers_look, couriers))
    commits = Commits(publisher, ownership, figures, failures.append)
    with ExitStack() as ending:
        ending.callback(lambda: log.info("stopped", **figures.read()))
        ending.callback(watchdog.close)
        if_leaving = partial(leave_group, kafka, [kafka.slot], timeout_s=LEAVE_S)
        ending.callback(lambda: if_leaving() if leaving() else None)
        ending.callback(poller.close)
        ending.callback(ownership.discard)
        ending.callback(lambda: commits.close(kafka.commit_deadline_s))
        ending.callback(poller.refuse_calls)
        for courier in couriers:
            ending.callback(courier.close, timeout_s=0.0)  # they end by themselves
        watchdog.start()
        try:
            publisher.open()
        except KafkaError as error:
            raise refusal(error) or StopError(
                f"the producer could not be built ({type(error).__name__}: {error}); is Kafka up?",
                exit_code=3,
            ) from error
        with watchdog.guard("building the consumer", CONSUMER_DEADLINE_S):
            poller.open()
        for courier in couriers:
            courier.start()
        commits.start()
        loop = _Loop(
            settings=settings,
            poller=poller,
            router=router,
            couriers=couriers,
            ownership=ownership,
            watchdog=watchdog,
            figures=figures,
            health=health,
            draining=draining,
            log=log,
        )
        loop.run(stop=stop, once=once, failures=failures, on_ready=on_ready)


def _receivers_look(couriers: Sequence[Courier]) -> tuple[bool, str]:
    """Ready while anybody may be told; one that is down is for its own figures to say."""
    gone = [courier.receiver.name for courier in couriers if courier.gone]
    seen = f"{len(couriers) - len(gone)} of {len(couriers)} want to be told"
    return len(gone) < len(couriers), seen + (f"; gone: {', '.join(gone)}" if gone else "")


@dataclass(slots=True)
class _Loop:
    """What the main thread does between the start and the end."""

    settings: Settings
    poller: Poller
    router: Router
    couriers: Sequence[Courier]
    ownership: Ownership[Settled]
    watchdog: Watchdog
    figures: Figures
    health: Health
    draining: threading.Event
    log: Log
    fenced_at: float = -math.inf
    counted_at: float = -math.inf
    rest_since: float = math.inf

    def run(
        self,
        *,
        stop: threading.Event,
        once: bool,
        failures: Sequence[BaseException],
        on_ready: Callable[[], None],
    ) -> None:
        """Poll until asked to stop; then tell what is there, without waiting for another try."""
        join_by = time.monotonic() + JOIN_DEADLINE_S
        ready = False
        drain_by: float | None = None
        pause_s = FIRST_POLL_PAUSE_S
        while True:
            if failures:
                raise failures[0]
            self.health.came_round()
            if drain_by is None and stop.is_set():
                drain_by = time.monotonic() + self.settings.delivery.drain_deadline_s
                self.log.info("draining", in_flight=self.ownership.in_flight[0])
                self.health.drains()
                self.router.close_windows(every=True)
                self.draining.set()
                self.rest_since = time.monotonic()
            try:
                self._poll(admitting=drain_by is None)
                pause_s = FIRST_POLL_PAUSE_S
            except RetriableError as away:
                self.log.warning("poll", error=f"{type(away).__name__}: {away}", pause_s=pause_s)
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_POLL_PAUSE_S)
            self.router.close_windows()
            if self.router.held and self.ownership.full:
                self.router.relieve()
            behind = self._count()
            if drain_by is not None and self._drained(drain_by):
                self.log.info("drained", left=self.ownership.in_flight[0])
                return
            if not ready and self.poller.joined:
                ready = True
                self.health.started()
                self.log.info("ready", pid=os.getpid())
                on_ready()
            if not ready and time.monotonic() > join_by:
                raise StopError(
                    f"the consumer group was not joined within {JOIN_DEADLINE_S:g} s; is the group"
                    " coordinator up?",
                    exit_code=3,
                )
            if once and ready and behind == 0:
                self.router.close_windows(every=True)
                if self.ownership.in_flight[0] == 0:
                    return

    def _poll(self, *, admitting: bool) -> None:
        try:
            with self.watchdog.guard("a poll", POLL_DEADLINE_S):
                admitted = self.poller.poll(admitting=admitting)
        except RetriableError:
            raise
        except FencedInstanceIdError as fenced:
            # By a join of its own, once; twice in short order another process has this slot.
            rival_s = RIVAL_SESSIONS * self.settings.kafka.session_timeout_s
            if time.monotonic() - self.fenced_at < rival_s:
                raise StopError(
                    f"fenced twice within {rival_s:g} s: another process joins the group"
                    f" {self.settings.notify.group} with this slot; give each its own --slot"
                ) from fenced
            self.fenced_at = time.monotonic()
            self.log.warning("join_anew", reason="fenced, perhaps by a join of its own")
            with self.watchdog.guard("building the consumer", CONSUMER_DEADLINE_S):
                self.poller.reopen()
            return
        except KafkaError as error:
            raise refusal_of(error, Who.of(kafka_of(self.settings))) or error from error
        for one in admitted:
            entry: Any = one.entry
            self.router.take(entry, one.record)

    def _count(self) -> int | None:
        """How many alerts are there that were not read; None where it is not known now."""
        if time.monotonic() - self.counted_at < FIGURES_S:
            return None
        self.counted_at = time.monotonic()
        gone = sum(courier.gone for courier in self.couriers)
        self.figures.set("notify_receivers_gone", gone)
        unread = self.poller.unread()
        if unread is not None:
            lag = unread + self.ownership.in_flight[0]
            self.figures.set("notify_lag_records", lag)
        return unread

    def _drained(self, drain_by: float) -> bool:
        """Everything is committed, or what is left would need another try, or time is over."""
        now = time.monotonic()
        if not all(courier.at_rest for courier in self.couriers):
            self.rest_since = now
        rested = now - self.rest_since > REST_S
        return self.ownership.in_flight[0] == 0 or rested or now > drain_by
