"""Which rights on Kafka are missing, by role, asked for without using one.

Brokers say what a user may do on a topic, a group and the cluster that it may describe. They do not
say so of transactional ids: there DESCRIBE is tried, and WRITE shows at the first transaction.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from kafka import KafkaAdminClient
from kafka.errors import (
    GroupAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
    TransactionalIdNotFoundError,
)

from worker.broker.acls import Operation, Right, acl_command
from worker.broker.admin import seen_and_hidden, until_answered
from worker.broker.refusals import Who
from worker.broker.rights import role
from worker.broker.topics import Topics
from worker.doctor.findings import Finding
from worker.settings.settings import Settings

OFFSETS, TRANSACTIONS = "__consumer_offsets", "__transaction_state"
"""Made by the broker at the first question after a group or a transactional id; so neither is asked
after where its topic is known not to be there."""

_Operations = Collection[str] | None
"""What may be done on a resource; None where it cannot be told."""


def examine_rights(
    cluster: KafkaAdminClient, settings: Settings, roles: Sequence[str], who: Who
) -> Iterator[Finding]:
    """Each missing right by name with the command that gives it, or that none is."""
    asked = _Asked(cluster, settings)
    for name in roles:
        lacking, untold = [], []
        rights = _rights_of(name, settings)
        absent = [one.name for one in rights if asked.is_absent(one)]
        if absent and "worker" not in roles:  # whose topics are looked at as a whole
            text = f"{name}: {', '.join(absent)} not there; run `latentprint topics create`"
            yield Finding("topics", "wrong", text)
        for right in rights:
            if right.name in absent:
                continue
            missing, unknown = asked.missing(right)
            if missing:
                lacking.append(Right(right.kind, right.name, missing, right.prefixed))
            if unknown:
                untold.append(Right(right.kind, right.name, unknown, right.prefixed).text())
        for one in lacking:
            yield Finding(
                "rights",
                "wrong",
                f"{who.principal} lacks {one.text()}, as {name}; give it with"
                f" {acl_command(who.brokers, who.principal, one)}",
            )
        if untold:
            text = (
                f"{name}: {'; '.join(untold)}: not told without using it, or nothing is there yet"
            )
            yield Finding("rights", "unchecked", text)
        if not lacking:
            yield Finding("rights", "good", f"{name}: no right that can be told is missing")


def _rights_of(name: str, settings: Settings) -> list[Right]:
    """The role's rights; a worker in shadow writes to outputs of its own."""
    kafka = settings.kafka
    rights = role(name, kafka.prefix, kafka.member_group, settings.notify.group).rights
    outputs = Topics(kafka.prefix).outputs
    own = dict(zip(outputs, Topics(kafka.prefix, kafka.shadow).outputs, strict=True))
    if name != "worker":
        return list(rights)
    return [replace(right, name=own.get(right.name, right.name)) for right in rights]


class _Asked:
    """What the cluster says that may be done, each resource asked once."""

    def __init__(self, cluster: KafkaAdminClient, settings: Settings) -> None:
        self._cluster = cluster
        self._slot = settings.kafka.slot
        prefix = settings.kafka.prefix
        own = Topics(prefix, settings.kafka.shadow).all()
        topics = {*Topics(prefix).all(), *own, OFFSETS, TRANSACTIONS}
        self._found, self._hidden = seen_and_hidden(cluster, topics)
        told = until_answered(cluster.describe_cluster)
        self._all: list[str] = told.get("authorized_operations") or []

    def is_absent(self, right: Right) -> bool:
        """Whether the right is one on a topic of ours that does not exist."""
        ours = right.kind == "topic" and right.name != TRANSACTIONS
        return ours and not self._names(right)

    def missing(self, right: Right) -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
        """(operations that are not allowed, operations of which it cannot be told)."""
        allowed = self._allowed(right)
        if allowed is None:
            return (), right.operations
        lacking = tuple(one for one in right.operations if one not in allowed)
        if right.kind == "transactional id" and allowed:
            return (), lacking  # DESCRIBE is there, and no more can be told
        return lacking, ()

    def _allowed(self, right: Right) -> _Operations:
        match right.kind:
            case "topic":
                return self._on_topic(right)
            case "group":
                return self._on_group(right)
            case "transactional id":
                return self._on_transactional_id(right)
            case "cluster":
                return self._all or None

    def _on_topic(self, right: Right) -> _Operations:
        """Of several topics under a prefix only what is allowed on all that can be seen."""
        names = self._names(right)
        if not right.prefixed and names and names[0] in self._hidden:
            return ()
        told = [_operations(self._found[name]) for name in names if name in self._found]
        if not told or any(one is None for one in told):
            return None
        return set.intersection(*(set(one) for one in told if one is not None))

    def _names(self, right: Right) -> list[str]:
        """The topics that a right is on, of those that exist."""
        return [
            name
            for name in (*self._found, *self._hidden)
            if (name.startswith(right.name) if right.prefixed else name == right.name)
        ]

    def _on_group(self, right: Right) -> _Operations:
        if not may_ask(OFFSETS, self._found, self._hidden):
            return None
        try:
            told = until_answered(lambda: self._cluster.describe_groups([right.name]))[right.name]
        except GroupAuthorizationFailedError:
            return ()
        if GroupAuthorizationFailedError.__name__ in str(told.get("error")):
            return ()
        return _operations(told) or None

    def _on_transactional_id(self, right: Right) -> _Operations:
        if not may_ask(TRANSACTIONS, self._found, self._hidden):
            return None
        name = f"{right.name}{self._slot}" if right.prefixed else right.name
        try:
            # Of one that was never used nothing is told, but whoever may not ask is told so.
            with suppress(TransactionalIdNotFoundError):
                self._cluster.describe_transactions([name])
        except TransactionalIdAuthorizationFailedError:
            return ()
        return ("DESCRIBE",)


def may_ask(internal: str, found: Mapping[str, object], hidden: Collection[str]) -> bool:
    """Whether a question after a group or transactional id makes no topic."""
    return internal in found or internal in hidden


def _operations(told: Mapping[str, object]) -> Sequence[str] | None:
    allowed = told.get("authorized_operations")
    return allowed if isinstance(allowed, list) else None
