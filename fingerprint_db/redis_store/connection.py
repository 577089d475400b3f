"""The connection to Redis: its limits, and its errors turned into ours, each by name."""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from fingerprint_db.errors import (
    RegistryCorrupt,
    RegistryError,
    RegistryForbidden,
    RegistryUnavailable,
    WrongSettings,
)
from fingerprint_db.redis_store.address import RedisAddress

SOCKET_TIMEOUT_S = 4.0  # so that a Redis that falls silent is noticed within 5 s
CONNECT_TIMEOUT_S = 2.0
BLOCK_SLICE_S = 2.0  # one XREAD blocks at most this long, so the socket never times out before it
_ASK_S = 0.5  # of a port that has just refused us; with the socket's own time still below 5 s
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TLS_FAULTS_OF_SETTINGS = ("CERT", "ALERT", "WRONG_VERSION", "UNSUPPORTED", "UNKNOWN_CA")


class _Client(redis.Redis):
    """redis-py's, which says of a denied key neither the command nor the key."""

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        """As redis-py's; a denial names what was tried."""
        try:
            return super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]
        except NoPermissionError as error:
            tried = " ".join(map(str, arguments[:2]))
            raise NoPermissionError(f"{error} ({tried})") from error


def connect(address: str | RedisAddress) -> Any:
    """A client that opens its connections at first use and sends nothing that 6.2 lacks.

    RESP2 and no driver information: with RESP3 redis-py asks for maintenance notifications, and
    CLIENT SETINFO came with 7.2. One retry, for a pooled connection that a restart has closed;
    none after a timeout: what answers nothing for `SOCKET_TIMEOUT_S` is out of reach.
    Raises WrongSettings for an address that cannot be used.
    Typed Any: redis-py types every reply as bytes or str, whatever the client was told.
    """
    place = address if isinstance(address, RedisAddress) else RedisAddress(address)
    greeting = {"redis_connect_func": _greet} if place.url.startswith("rediss://") else {}
    return _Client.from_url(
        place.client_url,
        **place.client_options(),
        **greeting,
        protocol=2,
        driver_info=None,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(
            ExponentialWithJitterBackoff(base=0.02, cap=0.2),
            1,
            supported_errors=(redis.ConnectionError,),
        ),
    )


def _greet(connection: Any) -> None:
    """What redis-py does at the start of a connection, and a question where it would ask none.

    TLS 1.3 sends tickets after its handshake. redis-py takes what is there before it has asked
    anything for a sign of a connection in disorder; an answer, such as to a login, clears it.
    """
    connection.on_connect()
    if connection.credential_provider or connection.username or connection.password:
        return
    connection.send_command("PING", check_health=False)
    with suppress(NoPermissionError):  # an answer, too
        connection.read_response()


@contextmanager
def reaching(address: RedisAddress) -> Iterator[None]:
    """Turns redis-py's errors into the registry's, by remedy; no message holds a secret."""
    try:
        yield
    except RedisError as error:
        raise _named(error, address) from error


def login_of(client: Any, address: RedisAddress) -> tuple[str | None, str | None]:
    """The user that Redis has logged us in as; or None, and why Redis does not say."""
    with reaching(address):
        try:
            answer = client.execute_command("ACL WHOAMI")
        except ResponseError as error:  # no right to ask, or a server without users
            return None, f"Redis does not say: {error}"
    return str(answer), None


def _named(error: RedisError, address: RedisAddress) -> RegistryError:
    """The registry's error for what Redis or the client said; narrow cases first."""
    here = f"Redis at {address.shown}"
    said = str(error)
    match error:
        case (
            AuthenticationError()
            | AuthenticationWrongNumberOfArgsError()
            | AuthorizationError()
            | NoPermissionError()
        ):
            return RegistryForbidden(
                f"{here} refuses user {address.user or 'default'!r}: {said}; give a user and"
                " password with the rights that `latentprint registry rights` prints, by"
                " redis.username and redis.password or in the URL:"
                " redis://USER:PASSWORD@HOST:PORT/DATABASE"
            )
        case MasterDownError():
            return RegistryUnavailable(
                f"{here} is a replica that has lost its primary and does not serve (MASTERDOWN):"
                " bring the primary back, or give the address of the one that took over"
            )
        case AskError() | ClusterCrossSlotError() | ClusterDownError():  # MovedError is an AskError
            return _cluster(here, f"{getattr(error, 'status_code', None) or ''} {said}".strip())
        case OutOfMemoryError():
            return RegistryUnavailable(
                f"{here} is at its memory limit (maxmemory) and takes no write; nothing was"
                " changed. Raise the limit or free memory; reads go on meanwhile"
            )
        case BusyLoadingError():
            return RegistryUnavailable(
                f"{here} is loading its data (LOADING); it answers when that is done"
            )
        case ReadOnlyError():
            return WrongSettings(
                f"{here} is a replica, which can be read but not written; nothing was changed."
                " Give the address of its primary"
            )
        case ResponseError():
            return _refused(here, said, address)
        case InvalidResponse():
            return _no_redis(here, "its answer is none of Redis's protocol")
    return _connection_failure(error, address)


def _refused(here: str, said: str, address: RedisAddress) -> RegistryError:
    if "WRONGTYPE" in said:
        return RegistryCorrupt(
            "a registry key", seen=said, expected="the type that keys.py declares"
        )
    if "cluster mode" in said:
        return _cluster(here, said)
    if "DB index" in said:
        return WrongSettings(
            f"{here} has no such database ({said}); give one below its `databases`, usually 0 to"
            " 15, as in redis://HOST:PORT/0"
        )
    if "unknown command" in said.lower() and _is_sentinel(address):
        return WrongSettings(
            f"{here} is a Sentinel, which keeps no data and is not asked for who does; give an"
            " address that leads to the primary: that of a service or proxy before it, or what"
            " SENTINEL GET-MASTER-ADDR-BY-NAME says"
        )
    if "unknown command" in said.lower():
        return WrongSettings(
            f"{here} does not know a command that the registry needs ({said.splitlines()[0]});"
            " expected Redis 6.2 or newer, not a Sentinel, with the commands that `latentprint"
            " registry rights` prints"
        )
    return RegistryUnavailable(f"{here} could not do it: {said}; nothing was changed")


def _cluster(here: str, said: str) -> WrongSettings:
    return WrongSettings(
        f"{here} is a node of a Redis Cluster ({said}); the registry needs one node that holds all"
        " its keys, replicas are fine. Give the address of such a Redis"
    )


def _no_redis(here: str, seen: str) -> WrongSettings:
    return WrongSettings(f"what answers as {here} is no Redis: {seen}. Give Redis's host and port")


def _connection_failure(error: RedisError, address: RedisAddress) -> RegistryError:
    here = f"Redis at {address.shown}"
    if (fault := _tls_fault(error)) is not None:
        return WrongSettings(f"{here}: {_tls_sentence(fault, address)}")
    if "not ready" in str(error):  # the client had sent nothing, and bytes were there
        return _no_redis(here, "it spoke first")
    hung_up = any(word in str(error) for word in ("closed", "reset", "Broken pipe", "EOF"))
    if hung_up and (alert := _alert_on_greeting(address)) is not None:
        return WrongSettings(f"{here}: {_tls_sentence(alert, address)}")
    # Kafka and TLS hang up on plain Redis; silence is an outage, to be told without more waiting.
    silent_tls = "Timeout" in str(error) and address.url.startswith("rediss:")
    if (hung_up or silent_tls) and (other := _other_protocol(address)) is not None:
        return _no_redis(here, other)
    local = urlsplit(address.url).hostname in _LOOPBACK
    hint = " (`latentprint services up` starts a local one)" if local else ""
    return RegistryUnavailable(
        f"{here} cannot be reached: {error}; check that it runs{hint} and that the address is right"
    )


def _tls_fault(error: BaseException) -> str | None:
    """What TLS says is wrong, where settings are at fault; None for anything that may pass."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return seen.verify_message
        if isinstance(seen, ssl.SSLError):
            reason = seen.reason or ""
            return reason if any(part in reason for part in _TLS_FAULTS_OF_SETTINGS) else None
        seen = seen.__cause__ or seen.__context__
    return None


def _tls_sentence(fault: str, address: RedisAddress) -> str:
    """What TLS found wrong, and the setting to look at."""
    certificate = address.tls_files["tls_cert_file"]
    if "ALERT" in fault and certificate is None:
        return (
            f"it wants a certificate of ours ({fault}): give redis.tls_cert_file and"
            " redis.tls_key_file, signed by an authority that it trusts"
        )
    if "ALERT" in fault:
        return (
            f"it does not take our certificate {certificate} ({fault}): give one in"
            " redis.tls_cert_file that is valid now, and signed by an authority that it trusts"
        )
    if "mismatch" in fault:
        return f"its certificate is for another host name ({fault}); check redis.url"
    if "expired" in fault or "not yet valid" in fault:
        return f"its certificate is not valid now ({fault}); renew it, or check the clock"
    if "certificate" in fault:
        trusted = (
            "the authority in redis.tls_ca_file"
            if address.tls_files["tls_ca_file"]
            else "an authority that this machine trusts; give yours as redis.tls_ca_file"
        )
        return f"its certificate is not signed by {trusted} ({fault})"
    return (
        f"no TLS connection ({fault}); look at redis.tls_ca_file (who signed the server's"
        " certificate), at redis.tls_cert_file (who we are), and that the port speaks TLS; without"
        " TLS the address begins with redis://"
    )


def _other_protocol(address: RedisAddress) -> str | None:
    """What stands at the address, if it is Kafka, or one of TLS and plain where we spoke the other.

    They hang up or say nothing. Asked only after that has happened, since a proxy before a Redis
    that is away does the same.
    """
    parts = urlsplit(address.url)
    place = (parts.hostname or "localhost", parts.port or 6379)
    if parts.scheme == "rediss":
        if _answer(place, b"PING\r\n")[:1] in (b"+", b"-"):
            return "it speaks no TLS; the address must begin with redis://"
    elif parts.scheme == "redis":
        versions = struct.pack(">hhih", 18, 0, 7, -1)  # ApiVersions, correlation 7, no client id
        answer = _answer(place, struct.pack(">i", len(versions)) + versions)
        if answer[4:8] == struct.pack(">i", 7):
            return "it is a Kafka broker"
        if _speaks_tls(place):
            return "it speaks TLS; the address must begin with rediss://"
    return None


def _is_sentinel(address: RedisAddress) -> bool:
    """Whether a Sentinel without TLS and login answers there."""
    parts = urlsplit(address.url)
    place = (parts.hostname or "localhost", parts.port or 6379)
    return _answer(place, b"SENTINEL MYID\r\n")[:1] == b"$"


def _alert_on_greeting(address: RedisAddress) -> str | None:
    """The alert with which Redis ends TLS, which the client loses where it writes too early."""
    parts = urlsplit(address.url)
    if parts.scheme != "rediss":
        return None
    files, place = address.tls_files, (parts.hostname or "localhost", parts.port or 6379)
    try:
        context = ssl.create_default_context(cafile=files["tls_ca_file"])
        if (certificate := files["tls_cert_file"]) is not None:
            context.load_cert_chain(certificate, files["tls_key_file"])
        with (
            socket.create_connection(place, timeout=_ASK_S) as plain,
            context.wrap_socket(plain, server_hostname=place[0]) as secured,
        ):
            secured.recv(1)
    except OSError as error:  # an SSLError is one
        reason = getattr(error, "reason", None) or ""
        return reason if "ALERT" in reason else None
    return None


def _answer(place: tuple[str, int], request: bytes) -> bytes:
    """The first bytes of the answer to `request`; empty where there is none in time."""
    with suppress(OSError), socket.create_connection(place, timeout=_ASK_S) as plain:
        plain.sendall(request)
        return plain.recv(64)
    return b""


def _speaks_tls(place: tuple[str, int]) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent
    with (
        suppress(OSError),
        socket.create_connection(place, timeout=_ASK_S) as plain,
        context.wrap_socket(plain),
    ):
        return True
    return False
