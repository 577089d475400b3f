"""What Kafka refuses, and why it cannot be reached: settings told from outages, in plain words.

A right that is missing, a wrong password or a certificate that does not fit does not mend itself:
exit code 2, which no supervisor answers with a restart. What may pass stays a matter of waiting.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, get_args

import kafka.errors as errors

from worker.broker.acls import Kind, Operation, Right, acl_command
from worker.errors import StopError
from worker.settings.kafka import KafkaSettings

_MANAGER_LOG = "kafka.net.manager"
"""Where the client says why a connection failed; its exceptions do not."""

LOGINS = 3
"""Connections that are closed at login, and nothing else heard, before it is no outage."""

_CLOSED = (
    "it closed the connection at once; a listener with TLS or SASL does that to a client without:"
    " check kafka.security"
)


@dataclass(frozen=True, slots=True)
class Who:
    """As whom one talks to which brokers; what a refusal is about."""

    brokers: str
    security: str = "PLAINTEXT"
    mechanism: str | None = None
    user: str | None = None
    group: str = ""
    transactional_id: str = ""

    @classmethod
    def of(cls, settings: KafkaSettings) -> Self:
        """The worker with these settings."""
        client = {
            "security_protocol": settings.security,
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
        }
        group = settings.member_group
        return cls.by(settings.brokers, client, group, f"{group}-{settings.slot}")

    @classmethod
    def by(
        cls,
        brokers: str,
        client: Mapping[str, Any] | None,
        group: str = "",
        transactional_id: str = "",
    ) -> Self:
        """Whoever uses these options of the client."""
        options = client or {}
        security = options.get("security_protocol", "PLAINTEXT")
        sasl = security.startswith("SASL")
        return cls(
            brokers,
            security,
            options.get("sasl_mechanism") if sasl else None,
            options.get("sasl_plain_username") if sasl else None,
            group,
            transactional_id,
        )

    @property
    def principal(self) -> str:
        """As ACLs name it."""
        return f"User:{self.user}" if self.user else "User:…"


def refusal_of(error: BaseException, who: Who) -> StopError | None:
    """The refusal inside an error of the client; None for an outage, or anything else."""
    for one in _chain(error):
        sentence = _sentence(one, who)
        if sentence is not None:
            return StopError(f"Kafka at {who.brokers} refuses: {sentence}", exit_code=2)
    return None


def denied(who: Who, operations: str, kind: Kind, name: str) -> str:
    """What to say of a right that is missing, with the command that gives it.

    Several operations stand as "READ and WRITE", or "READ or WRITE" where only one is missing and
    nobody says which.
    """
    words = re.findall(r"[A-Z_]{4,}", operations)
    named = tuple(one for one in get_args(Operation) if one in words)
    command = acl_command(who.brokers, who.principal, Right(kind, name, named))
    return f"{who.principal} has no {operations} on {kind} {name}; give it with {command}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it wraps and what it was raised from; some wrap theirs as an argument."""
    seen: set[int] = set()
    todo = [error]
    while todo:
        one = todo.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [argument for argument in one.args if isinstance(argument, BaseException)]
        todo.append(one.__cause__)


def _sentence(error: BaseException, who: Who) -> str | None:
    match error:
        case errors.TopicAuthorizationFailedError():
            names = error.args[0] if error.args and isinstance(error.args[0], set | list) else ()
            name = ", ".join(sorted(names)) or "that it reads or writes"
            return denied(who, "READ or WRITE", "topic", name)
        case errors.GroupAuthorizationFailedError():
            return denied(who, "READ", "group", who.group or "of this worker")
        case errors.TransactionalIdAuthorizationFailedError():
            name = who.transactional_id or "of this command"
            return denied(who, "WRITE and DESCRIBE", "transactional id", name)
        case errors.ClusterAuthorizationFailedError():
            return denied(who, "IDEMPOTENT_WRITE", "cluster", "kafka-cluster")
        case errors.SaslAuthenticationFailedError():
            return (
                f"it does not take the password of user {who.user!r} by {who.mechanism};"
                " check kafka.sasl_username, kafka.sasl_password and kafka.sasl_mechanism"
            )
        case errors.UnsupportedSaslMechanismError() | errors.IllegalSaslStateError():
            return (
                f"this listener does not offer kafka.sasl_mechanism={who.mechanism} with"
                f" kafka.security={who.security} ({error})"
            )
        case errors.InvalidSessionTimeoutError():
            return (
                "kafka.session_timeout_s lies outside of the broker's group.min.session.timeout.ms"
                " and group.max.session.timeout.ms (6 s and 30 min by default); change the setting"
            )
        case errors.InvalidTransactionTimeoutError():
            return "kafka.transaction_timeout_s is above the broker's transaction.max.timeout.ms"
        case errors.InconsistentGroupProtocolError():
            return (
                f"another program is a member of group {who.group!r} with another assignor or"
                " protocol, so that no worker can join; give the workers a group of their own"
                " (kafka.group), or stop that program"
            )
        case errors.UnsupportedVersionError():
            return f"the broker is too old for what is asked of it ({error})"
    return None


class Trouble(logging.Handler):
    """Keeps why connections failed, which the client tells its log alone."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exceptions among what is logged."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        self.errors += [one for one in arguments if isinstance(one, BaseException)]

    def refusal(self, who: Who) -> StopError | None:
        """The first failure that no waiting mends."""
        for error in self.errors:
            refusal = refusal_of(error, who)
            if refusal is not None:
                return refusal
            sentence = _of_tls(str(error), who)
            if sentence is not None:
                return StopError(f"Kafka at {who.brokers}: {sentence}", exit_code=2)
        closed = [error for error in self._real() if "socket disconnected" in str(error)]
        if who.user and len(closed) >= LOGINS and len(closed) == len(self._real()):
            return StopError(
                f"Kafka at {who.brokers} closes the connection at every login of user {who.user!r}"
                f" by {who.mechanism} ({len(closed)} in a row), as it does for a wrong password;"
                " check kafka.sasl_username, kafka.sasl_password and kafka.sasl_mechanism",
                exit_code=2,
            )
        return None

    def reason(self) -> str:
        """The last failure, in words; empty where none is known."""
        real = self._real()
        return _outage(str(real[-1])) if real else ""

    def _real(self) -> list[BaseException]:
        return [one for one in self.errors if "Unable to bootstrap" not in str(one)]


@contextmanager
def trouble_kept() -> Iterator[Trouble]:
    """Listen to why connections fail, instead of having every try printed."""
    trouble = Trouble()
    log = logging.getLogger(_MANAGER_LOG)
    level, propagate = log.level, log.propagate
    log.addHandler(trouble)
    log.setLevel(logging.WARNING)
    log.propagate = False
    try:
        yield trouble
    finally:
        log.removeHandler(trouble)
        log.setLevel(level)
        log.propagate = propagate


def _of_tls(text: str, who: Who) -> str | None:
    if "Invalid frame length" in text:
        return (
            "what listens there is no Kafka listener of this kind (its answer is no Kafka frame):"
            " check the port, which may be Redis's, and kafka.security"
        )
    if "Handshake failed" not in text and "CERTIFICATE" not in text:
        return None
    if "mismatch" in text:
        return f"its certificate is for another host name ({_detail(text)}); check kafka.brokers"
    if "expired" in text or "not yet valid" in text:
        return f"its certificate is not valid now ({_detail(text)}); renew it, or check the clock"
    if "certificate verify failed" in text:
        return (
            f"its certificate is not signed by the authority in kafka.tls_ca_file ({_detail(text)})"
        )
    return (
        f"no TLS could be spoken with it ({_detail(text)}): kafka.security={who.security} wants a"
        " TLS listener, and this one may be PLAINTEXT"
    )


def _detail(text: str) -> str:
    return text.rpartition("Handshake failed: ")[2].split(" (_ssl")[0]


def _outage(text: str) -> str:
    """Why a connection failed, shorter and plainer than the client says it."""
    known = {
        "ECONNREFUSED": "nothing listens there",
        "DNS": "the host name is not known",
        "timed out": "nothing answered in time",
        "disconnected": _CLOSED,
        "reset by peer": _CLOSED,
    }
    return next((plain for sign, plain in known.items() if sign in text), text)
