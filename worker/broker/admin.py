"""Reaching Kafka for a command: one administrative connection, and plain words when it fails."""

import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Literal, TypeVar

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, RetriableError, for_code

from worker.broker.refusals import TopicRight, Who, denied, refusal_of
from worker.broker.trouble import trouble_kept
from worker.errors import StopError

Answer = TypeVar("Answer")

CONNECT_TIMEOUT_S = 10.0
"""A broker in the same data centre answers in milliseconds; a person waits ten seconds at most."""

TRIES_S = (1.0, 3.0)
"""Long enough to hear why a broker refuses, of one that is quick and of one that is slow; then the
rest of the time."""

REACH_S = 1.0
"""Of all brokers together, to take a connection at all; where none does, who starts need not wait
for the rest of the tries to hear it."""

RETRY_S = 0.2

UNREACHABLE_EXIT_CODE = 3

_UNKNOWN_TOPIC = 3
"""UNKNOWN_TOPIC_OR_PARTITION in Kafka's table of error codes."""

_TOPIC_DENIED = 29
"""TOPIC_AUTHORIZATION_FAILED there."""


class _Admin(KafkaAdminClient):  # type: ignore[misc]
    """An administrative client that leaves no thread behind where it could not connect."""

    def __init__(self, **arguments: Any) -> None:
        try:
            super().__init__(**arguments)
        except KafkaError:
            self._metrics.close()
            self._client.close()
            self._net.stop()
            raise


@contextmanager
def admin(
    brokers: str,
    *,
    client: Mapping[str, Any] | None = None,
    who: Who | None = None,
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> Iterator[KafkaAdminClient]:
    """An administrative connection, closed at the end. `client` holds TLS and SASL options.

    Raises StopError with exit code 3 where no broker answers, in the body too, and with 2 where
    the brokers refuse: a password, a certificate, a right.
    """
    connection = _connect(brokers, client, timeout_s)
    try:
        yield connection
    except KafkaError as error:
        refusal = refusal_of(error, who or Who.by(brokers, client))
        raise refusal or _away(brokers, str(error)) from error
    finally:
        connection.close()


def _connect(brokers: str, client: Mapping[str, Any] | None, timeout_s: float) -> KafkaAdminClient:
    """Connect in tries: the client would go on with a wrong password until the time is over.

    Where nobody listens at any address, the first try is the last.
    """
    who = Who.by(brokers, client)
    tries_s = [try_s for try_s in TRIES_S if sum(TRIES_S) < timeout_s]
    with trouble_kept() as trouble:
        for try_s in (*tries_s, timeout_s - sum(tries_s)):
            try:
                return _Admin(
                    bootstrap_servers=addresses(brokers),
                    bootstrap_timeout_ms=int(try_s * 1000),
                    request_timeout_ms=int(timeout_s * 1000),
                    **(client or {}),
                )
            except (KafkaError, OSError) as error:
                last: Exception = error
                refusal = refusal_of(error, who) or trouble.refusal(who)
                if refusal is not None:
                    raise refusal from error
            except ValueError as error:
                raise StopError(
                    f"brokers {brokers!r} cannot be read: {error}; expected HOST:PORT, several"
                    " separated by commas",
                    exit_code=2,
                ) from error
            if not _anybody_listens(brokers):
                break
    raise _away(brokers, trouble.reason() or str(last)) from last


def _anybody_listens(brokers: str) -> bool:
    """Whether one of the brokers takes a connection; a host that swallows packets does not."""
    listed = addresses(brokers)
    for address in listed:
        host, _, port = address.rpartition(":")
        with suppress(OSError, ValueError):
            where = (host.strip("[]"), int(port))
            socket.create_connection(where, timeout=REACH_S / len(listed)).close()
            return True
    return False


def addresses(brokers: str) -> list[str]:
    """The addresses in a list with commas, as every client takes them."""
    return [address.strip() for address in brokers.split(",")]


def until_answered(call: Callable[[], Answer], timeout_s: float = CONNECT_TIMEOUT_S) -> Answer:
    """Ask again where the client says that it may: of another node, or of a coordinator to come.

    The offsets' topic of a new cluster is made at the first question, and a broker that has just
    died is still asked for a while.
    """
    end = time.monotonic() + timeout_s
    while True:
        try:
            return call()
        except RetriableError:
            if time.monotonic() > end:
                raise
        time.sleep(RETRY_S)


def unreachable(
    brokers: str,
    error: BaseException,
    client: Mapping[str, Any] | None = None,
    topic_right: TopicRight = "READ or WRITE",
    transactional_id: str = "",
) -> StopError:
    """What to say when the brokers do not answer (3), or refuse (2) what was tried on topics."""
    who = Who.by(brokers, client, transactional_id=transactional_id)
    refusal = refusal_of(error, who, topic_right)
    return refusal or _away(brokers, str(error))


def _away(brokers: str, reason: str) -> StopError:
    hosts = [address.rpartition(":")[0].strip("[]") for address in addresses(brokers)]
    local = all(host in ("localhost", "::1") or host.startswith("127.") for host in hosts)
    start = "Start a local one with `latentprint services up`, or name" if local else "Name"
    return StopError(
        f"Kafka at {brokers} gave no answer that helps ({reason}). {start} yours with"
        " --brokers HOST:PORT.",
        exit_code=UNREACHABLE_EXIT_CODE,
    )


def described(
    connection: KafkaAdminClient, names: Mapping[str, str], who: Who
) -> dict[str, Mapping[str, Any]]:
    """What the cluster says of each topic that exists; `names` gives the operation each is for.

    Raises StopError (2) for a topic that this user may not describe: it is not missing. Raises
    KafkaError for any other answer.
    """
    found, hidden = seen_and_hidden(connection, names)
    if hidden:
        lines = "; ".join(denied(who, names[name], "topic", name) for name in hidden)
        raise StopError(f"Kafka at {who.brokers} refuses: {lines}", exit_code=2)
    return found


def seen_and_hidden(
    connection: KafkaAdminClient, names: Collection[str]
) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """(each topic that exists, those that this user may not describe); asking makes none."""
    told = {topic["name"]: topic for topic in until_answered(lambda: _describe(connection, names))}
    hidden = sorted(n for n, topic in told.items() if topic["error_code"] == _TOPIC_DENIED)
    return {name: topic for name, topic in told.items() if not topic["error_code"]}, hidden


def _describe(connection: KafkaAdminClient, names: Collection[str]) -> list[Mapping[str, Any]]:
    topics: list[Mapping[str, Any]] = connection.describe_topics(list(names))
    for topic in topics:
        code = topic["error_code"]
        if code not in (0, _UNKNOWN_TOPIC, _TOPIC_DENIED):
            raise for_code(code)(topic["name"])
    return topics


def require_topics(
    connection: KafkaAdminClient,
    names: Collection[str],
    who: Who,
    operation: Literal["READ", "WRITE", "DESCRIBE"],
) -> dict[str, list[int]]:
    """The partitions of all these topics, in each of which this user may do `operation`.

    Raises StopError: exit code 3 if one is missing, 2 if a right is.
    """
    found = described(connection, dict.fromkeys(names, operation), who)
    missing = sorted(set(names) - set(found))
    if missing:
        raise StopError(
            f"missing on this Kafka: {', '.join(missing)}. Create the topics with"
            " `latentprint topics create`, or give the right --prefix; nothing was sent or read.",
            exit_code=UNREACHABLE_EXIT_CODE,
        )
    lacking = lacking_rights(found, dict.fromkeys(names, operation), who)
    if lacking:
        raise StopError(f"Kafka at {who.brokers} refuses: {'; '.join(lacking)}", exit_code=2)
    return {
        name: sorted(p["partition_index"] for p in topic["partitions"])
        for name, topic in found.items()
    }


def lacking_rights(
    found: Mapping[str, Mapping[str, Any]], needed: Mapping[str, str], who: Who
) -> list[str]:
    """What to say of each operation that the cluster does not list among those allowed.

    A broker that does not say what is allowed is taken to allow it; it will say no by itself.
    """
    lacking = []
    for name, operation in needed.items():
        allowed = found[name].get("authorized_operations") if name in found else None
        if allowed is not None and operation not in allowed:
            lacking.append(denied(who, operation, "topic", name))
    return lacking
