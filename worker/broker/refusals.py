"""What Kafka refuses: settings told from outages, in plain words.

A right that is missing, a wrong password or a certificate that does not fit does not mend itself:
exit code 2, which no supervisor answers with a restart. What may pass stays a matter of waiting.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import kafka.errors as errors

from worker.broker.acls import Kind, Operation, Right, acl_command
from worker.broker.login import login, name_for_kafka, tls
from worker.errors import StopError
from worker.settings.kafka import KafkaSettings


@dataclass(frozen=True, slots=True)
class Who:
    """As whom one talks to which brokers; what a refusal is about."""

    brokers: str
    security: str = "PLAINTEXT"
    mechanism: str | None = None
    user: str | None = None
    group: str = ""
    transactional_id: str = ""
    authority: str | None = None
    certificate: str | None = None

    @classmethod
    def of(cls, settings: KafkaSettings) -> Self:
        """The worker with these settings."""
        client = {"security_protocol": settings.security, **tls(settings), **login(settings)}
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
        return cls(
            brokers,
            security,
            options.get("sasl_mechanism") if security.startswith("SASL") else None,
            name_for_kafka(options),
            group,
            transactional_id,
            options.get("ssl_cafile"),
            options.get("ssl_certfile"),
        )

    @property
    def principal(self) -> str:
        """As ACLs name it."""
        return f"User:{self.user}" if self.user else "User:…"

    @property
    def credentials(self) -> str:
        """What it logs in with, and the settings to look at."""
        if self.mechanism == "OAUTHBEARER":
            return (
                f"the token of {self.user or 'this user'} by OAUTHBEARER; see that it is current"
                " and meant for this cluster: kafka.sasl_oauth_token"
            )
        return (
            f"the password of user {self.user!r} by {self.mechanism}; check kafka.sasl_username,"
            " kafka.sasl_password and kafka.sasl_mechanism"
        )


TopicRight = Literal["READ", "WRITE", "READ or WRITE"]


def refusal_of(
    error: BaseException, who: Who, topic_right: TopicRight = "READ or WRITE"
) -> StopError | None:
    """The refusal inside an error of the client; None for an outage, or anything else.

    `topic_right` is what was tried on topics: the client's error does not tell.
    """
    for one in _chain(error):
        sentence = _sentence(one, who, topic_right)
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


def refused_right(who: Who, operations: str, kind: Kind, name: str) -> StopError:
    """The refusal for want of a right that is known."""
    sentence = denied(who, operations, kind, name)
    return StopError(f"Kafka at {who.brokers} refuses: {sentence}", exit_code=2)


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


def _topics_in(error: errors.TopicAuthorizationFailedError) -> str:
    """The topics that the client's error is about: a set, a list, or words."""
    about = error.args[0] if error.args else ()
    names = re.findall(r"[A-Za-z0-9._-]+", about) if isinstance(about, str) else map(str, about)
    return ", ".join(sorted(names)) or "that it reads or writes"


def _sentence(error: BaseException, who: Who, topic_right: TopicRight) -> str | None:
    match error:
        case errors.TopicAuthorizationFailedError():
            return denied(who, topic_right, "topic", _topics_in(error))
        case errors.GroupAuthorizationFailedError():
            return denied(who, "READ", "group", who.group or "of this worker")
        case errors.TransactionalIdAuthorizationFailedError():
            name = who.transactional_id or "of this command"
            return denied(who, "WRITE and DESCRIBE", "transactional id", name)
        case errors.KafkaError() if "ClusterAuthorizationFailedError" in str(error):
            return (  # a producer gets its number from whoever may write to any topic (KIP-679)
                f"{who.principal} may write to no topic at all; give it WRITE on those that it"
                " writes to: `latentprint topics rights` prints the commands"
            )
        case errors.SaslAuthenticationFailedError():
            return f"it does not take {who.credentials}"
        case errors.IllegalSaslStateError():
            return (
                f"this listener takes no login, and kafka.security={who.security} sends one; set"
                f" {'SSL' if who.security.endswith('SSL') else 'PLAINTEXT, or name another port'}"
            )
        case errors.UnsupportedSaslMechanismError():
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
