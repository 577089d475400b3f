"""The Kafka clients with the settings that keep data safe; none of those is a choice."""

import re
import time
from collections.abc import Mapping
from typing import Any

import kafka
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.metrics.stats import Total

from worker.broker.admin import CONNECT_TIMEOUT_S, addresses, unreachable
from worker.broker.assignor import EachTopicAssignor
from worker.broker.batches import bound_batches
from worker.broker.login import login, tls
from worker.broker.topics import dead_letters_max_message_bytes
from worker.errors import StopError
from worker.settings.kafka import KafkaSettings

MAX_POLL_RECORDS = 64
"""At 200 KB an image, 13 MB: what one poll may add to what is in flight above the limit."""

UNPACKED_TIMES = 2
"""A producer holds a record to its limit before it compresses, and images hardly shrink: honest
batches stay near the size that the topic takes."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """The arguments that every client of the cluster shares.

    What is secret in them is read at each login, so that it may turn while the client lives.
    """
    arguments: dict[str, Any] = {
        "bootstrap_servers": addresses(settings.brokers),
        "security_protocol": settings.security,
        "reconnect_backoff_max_ms": 1000,
    }
    return arguments | tls(settings) | login(settings)


def slot_name(settings: KafkaSettings) -> str:
    """The group instance id and the transactional id: stable and unique per slot.

    A random one would leave an orphaned transaction that blocks readers until it times out.
    """
    name = f"{settings.member_group}-{settings.slot}"
    if not _NAME.fullmatch(name):
        raise StopError(
            f"group and slot give the name {name!r}; expected 1 to 249 of A-Z, a-z, 0-9, '.', '_',"
            " '-'; change kafka.group",
            exit_code=2,
        )
    return name


def new_consumer(settings: KafkaSettings, *, max_image_bytes: int) -> Any:
    """The worker's consumer: `read_committed`, no auto-commit, cooperative, static; no reset.

    `read_committed` is needed even on plain input: only then are stable offsets requested, so that
    a partition is not taken over before its former owner's transaction is settled (KIP-447).
    A batch of records is unpacked to at most UNPACKED_TIMES what one record may be.
    """
    bound_batches(UNPACKED_TIMES * dead_letters_max_message_bytes(max_image_bytes))
    return KafkaConsumer(
        **connection(settings),
        client_id=slot_name(settings),
        group_id=settings.member_group,
        group_instance_id=slot_name(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
        allow_auto_create_topics=False,
        partition_assignment_strategy=(EachTopicAssignor,),
        session_timeout_ms=round(settings.session_timeout_s * 1000),
        heartbeat_interval_ms=round(settings.heartbeat_interval_s * 1000),
        max_poll_interval_ms=round(settings.max_poll_interval_s * 1000),
        max_poll_records=MAX_POLL_RECORDS,
        max_partition_fetch_bytes=max_image_bytes,
        fetch_max_bytes=max(8 * 1024 * 1024, max_image_bytes),
        fetch_max_wait_ms=100,
        metadata_max_age_ms=30_000,  # bounds how long new partitions stay unread
        metrics_enabled=False,
        bootstrap_timeout_ms=10_000,
    )


class WorkerProducer(KafkaProducer):  # type: ignore[misc]
    """A KafkaProducer whose calls all end, that can be given up, and that counts disconnects."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._closed: bool
        self._closed_connections = Total()
        # The client's own metric is a rate over a window; a doubt needs the number.
        sensor = self._metrics.get_sensor("connections-closed")
        name = self._metrics.metric_name("connection-close-total", "producer-metrics")
        sensor.add(name, self._closed_connections)

    def __del__(self) -> None:
        """Do nothing: the library's own would silence the log of every later producer."""

    def flush(self, timeout: float | None = None) -> None:
        """As the library's, whose timeout is for each batch anew; KafkaTimeoutError after all."""
        if timeout is None:
            super().flush()
            return
        end = time.monotonic() + timeout
        self._accumulator.begin_flush()
        self._sender.wakeup()
        try:
            for batch in self._accumulator._incomplete.all():
                if not batch.produce_future.wait(timeout=max(0.0, end - time.monotonic())):
                    raise KafkaTimeoutError(f"records are not acknowledged after {timeout:g} s")
        finally:
            self._accumulator._flushes_in_progress.decrement()

    def send_offsets_to_transaction(
        self, offsets: Any, group_metadata: Any, timeout_s: float
    ) -> None:
        """As the library's, which waits for ever; KafkaTimeoutError after `timeout_s`."""
        manager = self._transaction_manager
        self._wait(manager.send_offsets_to_transaction(offsets, group_metadata), timeout_s)

    def commit_transaction(self, timeout_s: float) -> None:
        """As the library's, which waits for ever; KafkaTimeoutError after `timeout_s`."""
        self._wait(self._transaction_manager.begin_commit(), timeout_s)

    def _wait(self, result: Any, timeout_s: float) -> None:
        self._sender.wakeup()
        if not result.wait(timeout_ms=max(0.0, timeout_s) * 1000):
            raise KafkaTimeoutError(
                f"the transaction coordinator gave no answer in {timeout_s:.1f} s"
            )

    def disconnects(self) -> int:
        """How many connections were closed since the producer was built."""
        return int(self._closed_connections.measure(None, 0))

    def discard(self, timeout_s: float) -> None:
        """Give everything up that is pending, without flush or abort, both of which can hang."""
        self._unregister_cleanup()
        if self._closed:
            return
        self._closed = True
        self._sender.force_close()
        self._sender.join(timeout_s)
        self._metrics.close()


def new_producer(
    settings: KafkaSettings, *, max_request_bytes: int, transactional: bool
) -> WorkerProducer:
    """The worker's producer; idempotent always, transactional for exactly-once.

    `retry_backoff_ms` is small because the client sleeps it in full while the coordinator finishes
    the transaction before: 223 ms at the default of 100, 44 ms at 10.
    """
    request_ms = round(settings.request_timeout_s * 1000)
    arguments = connection(settings)
    if transactional:
        arguments["transactional_id"] = slot_name(settings)
        arguments["transaction_timeout_ms"] = round(settings.transaction_timeout_s * 1000)
    return WorkerProducer(
        **arguments,
        client_id=f"{slot_name(settings)}-producer",
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        compression_type="lz4",
        linger_ms=5,
        batch_size=256 * 1024,
        max_request_size=max_request_bytes,
        retry_backoff_ms=10,
        request_timeout_ms=request_ms,
        delivery_timeout_ms=request_ms + 1000,
        max_block_ms=request_ms,
        bootstrap_timeout_ms=request_ms,
    )


def new_reader(
    brokers: str,
    client: Mapping[str, Any] | None,
    *,
    max_message_bytes: int,
    fetch_max_wait_ms: int = 500,
) -> Any:
    """A consumer of whoever looks on: of no group, committed records only, and it commits nothing.

    What retention deletes under it is skipped. `client` holds further arguments, as `connection`
    gives them. StopError where the brokers do not answer (3), or refuse (2).
    """
    bound_batches(UNPACKED_TIMES * max_message_bytes)
    try:
        return KafkaConsumer(
            bootstrap_servers=addresses(brokers),
            bootstrap_timeout_ms=round(CONNECT_TIMEOUT_S * 1000),
            request_timeout_ms=round(CONNECT_TIMEOUT_S * 1000),
            group_id=None,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            max_partition_fetch_bytes=max_message_bytes,
            fetch_max_wait_ms=fetch_max_wait_ms,
            **(client or {}),
        )
    except KafkaError as error:
        raise unreachable(brokers, error, client) from error


def new_sender(
    brokers: str,
    client: Mapping[str, Any] | None,
    *,
    max_request_bytes: int,
    request_s: float,
    delivery_s: float,
    transactional_id: str | None = None,
) -> WorkerProducer:
    """An idempotent producer of whoever sends from outside a worker, transactional with an id.

    One request is waited for `request_s`, one record for `delivery_s`. StopError where the brokers
    do not answer (3), or refuse (2).
    """
    arguments = dict(client or {})
    if transactional_id is not None:
        arguments |= {"transactional_id": transactional_id, "retry_backoff_ms": 10}
    try:
        return WorkerProducer(
            bootstrap_servers=addresses(brokers),
            bootstrap_timeout_ms=round(CONNECT_TIMEOUT_S * 1000),
            acks="all",
            enable_idempotence=True,
            allow_auto_create_topics=False,
            max_request_size=max_request_bytes,
            batch_size=256 * 1024,  # larger images go one to a batch
            linger_ms=5,
            request_timeout_ms=round(request_s * 1000),
            delivery_timeout_ms=round(delivery_s * 1000),
            max_block_ms=round(delivery_s * 1000),
            **arguments,
        )
    except KafkaError as error:
        raise unreachable(brokers, error, client) from error


def client_version() -> tuple[int, ...]:
    """kafka-python's version; its regressions were run against 3.0.12 up to, not including, 3.1."""
    return tuple(int(part) for part in kafka.__version__.split(".")[:3])
