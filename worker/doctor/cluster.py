"""Kafka: whether it is reached and as whom, what its topics and its limits are."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from worker.broker.admin import addresses, admin
from worker.broker.clients import connection
from worker.broker.refusals import Who, refusal_of
from worker.broker.topics import Topics
from worker.doctor.findings import Finding
from worker.doctor.rights import examine_rights
from worker.doctor.traffic import Traffic, examine_traffic
from worker.errors import StopError
from worker.settings.settings import Settings
from worker.stream.start_checks import check_cluster, cluster_facts

REACH_S = 5.0
"""A broker in the same data centre answers in milliseconds; why one refuses is heard sooner."""

LEAST_REACH_S = 1.0
REST_S = 1.0
"""Kept of the time for what follows: asking once more, and saying it."""

ASK_S = 0.5
"""Of one port, whether anybody is there, and who."""


def examine_kafka(
    settings: Settings,
    roles: Sequence[str],
    traffic: Traffic,
    clock: Callable[[], float],
    until: float,
) -> Iterator[Finding]:
    """Everything that one administrative connection is asked; `traffic` is filled on the way.

    `until` is when the time is over, of the monotonic clock: why Kafka is not reached is said
    before.
    """
    reach_s = min(REACH_S, max(LEAST_REACH_S, until - time.monotonic() - REST_S))
    who = Who.of(settings.kafka)
    client = connection(settings.kafka)
    del client["bootstrap_servers"]
    try:
        with admin(settings.kafka.brokers, client=client, who=who, timeout_s=reach_s) as cluster:
            sent_to = [(b.host, b.port) for b in cluster._manager.cluster.brokers()]
            lost = [f"{host}:{port}" for host, port in sent_to if not _listens(host, port)]
            if lost:
                yield Finding(
                    "kafka",
                    "wrong",
                    f"{settings.kafka.brokers} answers and sends clients on to {', '.join(lost)},"
                    " where nothing answers this machine: set advertised.listeners of these brokers"
                    " to addresses that it reaches, or open the network to them",
                )
            if len(lost) == len(sent_to):
                return
            told = cluster.describe_cluster()
            version = ".".join(map(str, cluster._manager.broker_version))
            user = f", as {who.principal}" if who.user else ""
            yield Finding(
                "kafka",
                "good",
                f"{settings.kafka.brokers} answers{user}: {settings.kafka.security},"
                f" {len(told['brokers'])} broker(s), protocol of Kafka {version}",
            )
            if "worker" in roles:
                yield from _topics(cluster, settings, who)
            yield from _or_refused("rights", who, examine_rights(cluster, settings, roles, who))
            if "worker" in roles:
                steps = examine_traffic(cluster, settings, traffic, clock)
                yield from _or_refused("traffic", who, steps)
    except StopError as error:
        if error.exit_code == 2:
            yield Finding("kafka", "wrong", str(error))
        elif strangers := [a for a in addresses(settings.kafka.brokers) if _is_redis(a)]:
            text = f"{', '.join(strangers)} is a Redis and no Kafka: give Kafka's host and port"
            yield Finding("kafka", "wrong", f"{text} in kafka.brokers")
        else:
            yield Finding("kafka", "away", str(error))


def _listens(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=ASK_S):
        return True
    return False


def _is_redis(address: str) -> bool:
    """Whether Redis stands there, which waits in silence for the end of what we said as Kafka."""
    host, _, port = address.rpartition(":")
    with (
        suppress(OSError),
        socket.create_connection((host.strip("[]"), int(port)), timeout=ASK_S) as plain,
    ):
        plain.sendall(b"PING\r\n")
        return plain.recv(16).startswith((b"+PONG", b"-"))
    return False


def _topics(cluster: KafkaAdminClient, settings: Settings, who: Who) -> Iterator[Finding]:
    """What `latentprint run` would refuse or warn of, each by itself."""
    facts = cluster_facts(cluster, settings, who)
    refusals, warnings = check_cluster(settings, facts)
    yield from (Finding("topics", "wrong", one) for one in refusals if one not in facts.lacking)
    for one in warnings:
        yield Finding("topics", "unchecked" if one.startswith("not checked") else "note", one)
    images = facts.topics.get(Topics(settings.kafka.prefix).images)
    if images and not refusals:
        limit_s = facts.max_transaction_timeout_ms / 1000
        yield Finding(
            "topics",
            "good",
            f"all {len(Topics().of_worker())} are there; {images.partitions} partitions of images,"
            f" {images.replication} replicas; transactions may take {limit_s:g} s",
        )


def _or_refused(check: str, who: Who, findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings; where Kafka refuses to be asked, that is one."""
    try:
        yield from findings
    except KafkaError as error:
        refusal = refusal_of(error, who)
        if refusal is not None:
            yield Finding(check, "wrong", str(refusal))
        else:
            yield Finding(check, "unchecked", f"Kafka gave no answer ({error}); run it again")
