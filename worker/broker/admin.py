"""Reaching Kafka for a command: one administrative connection, and plain words when it fails."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from worker.errors import StopError

CONNECT_TIMEOUT_S = 10.0
"""A broker in the same data centre answers in milliseconds; a person waits ten seconds at most."""

UNREACHABLE_EXIT_CODE = 3

_UNKNOWN_TOPIC = 3
"""UNKNOWN_TOPIC_OR_PARTITION in Kafka's table of error codes."""


@contextmanager
def admin(
    brokers: str,
    *,
    client: Mapping[str, Any] | None = None,
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> Iterator[KafkaAdminClient]:
    """An administrative connection, closed at the end. `client` holds TLS and SASL options.

    Raises StopError with exit code 3 where no broker answers, in the body too.
    """
    timeout_ms = int(timeout_s * 1000)
    try:
        connection = KafkaAdminClient(
            bootstrap_servers=brokers.split(","),
            bootstrap_timeout_ms=timeout_ms,
            request_timeout_ms=timeout_ms,
            **(client or {}),
        )
    except (KafkaError, OSError) as error:
        raise unreachable(brokers, error) from error
    except ValueError as error:
        raise StopError(
            f"brokers {brokers!r} cannot be read: {error}; expected HOST:PORT, several separated"
            " by commas",
            exit_code=2,
        ) from error
    try:
        yield connection
    except KafkaError as error:
        raise unreachable(brokers, error) from error
    finally:
        connection.close()


def unreachable(brokers: str, error: Exception) -> StopError:
    """What to say when no broker answers."""
    return StopError(
        f"Kafka at {brokers} gave no answer that helps ({error}). Start a local one with"
        " `latentprint services up`, or name yours with --brokers HOST:PORT.",
        exit_code=UNREACHABLE_EXIT_CODE,
    )


def partitions_of(connection: KafkaAdminClient, names: Collection[str]) -> dict[str, list[int]]:
    """The partitions of each topic that exists. Raises KafkaError for any other answer."""
    described = connection.describe_topics(list(names))
    return {
        topic["name"]: sorted(p["partition_index"] for p in topic["partitions"])
        for topic in described
        if topic["error_code"] != _UNKNOWN_TOPIC
    }


def require_topics(connection: KafkaAdminClient, names: Collection[str]) -> dict[str, list[int]]:
    """The partitions of all these topics. Raises StopError with exit code 3 if one is missing."""
    found = partitions_of(connection, names)
    missing = sorted(set(names) - set(found))
    if missing:
        raise StopError(
            f"missing on this Kafka: {', '.join(missing)}. Create the topics with"
            " `latentprint topics create`, or give the right --prefix; nothing was sent or read.",
            exit_code=UNREACHABLE_EXIT_CODE,
        )
    return found
