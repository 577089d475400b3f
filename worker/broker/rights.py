"""Who needs which rights on Kafka: one table, from which pages, commands and manifests are printed.

A role is one program, or one person's errand; a user may have several. Least means least: with
exactly these a role does all of its work on a secured broker
(`tests/worker/broker/test_secured.py`). READ and WRITE imply DESCRIBE.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from worker.broker.acls import Operation, Right
from worker.broker.topics import DEFAULT_PREFIX, Topics
from worker.settings.kafka import KafkaSettings
from worker.settings.notify import NotifySettings

DEFAULT_GROUP: str = KafkaSettings.model_fields["group"].default
NOTIFY_GROUP: str = NotifySettings.model_fields["group"].default
REDRIVE_SUFFIX = "-redrive"
"""After the group of `notify`: how far its dead letters were sent once more."""

DLQ_TRANSACTIONAL_ID = "latentprint-dlq"
"""After the prefix. One for all: of two people who decide at once, the second fences the first."""


_TRANSACTIONS: tuple[Operation, ...] = ("WRITE", "DESCRIBE")


@dataclass(frozen=True, slots=True)
class Role:
    """A name to ask for it by, what it does, and what it needs for that."""

    name: str
    does: str
    rights: tuple[Right, ...]


def roles(
    prefix: str = DEFAULT_PREFIX, group: str = DEFAULT_GROUP, notify_group: str = NOTIFY_GROUP
) -> tuple[Role, ...]:
    """Every role, with the names that these settings give."""
    topics, shadow = Topics(prefix), Topics(prefix, shadow=True)
    return (
        Role(
            "worker",
            "`latentprint run` and `leave`",
            (
                *_on(topics.inputs, "READ"),
                *_on(topics.outputs, "WRITE"),
                Right("topic", topics.decisions, ("DESCRIBE",)),
                Right("topic", prefix, ("DESCRIBE_CONFIGS",), prefixed=True),
                Right("group", group, ("READ",)),
                Right("transactional id", f"{group}-", ("WRITE", "DESCRIBE"), prefixed=True),
            ),
        ),
        Role(
            "checks",
            "beside `worker`: what every check of `run` and `doctor` needs; without, they are"
            " named as not made",
            (
                Right("cluster", "kafka-cluster", ("DESCRIBE_CONFIGS",)),
                Right("topic", "__transaction_state", ("DESCRIBE", "DESCRIBE_CONFIGS")),
            ),
        ),
        Role(
            "shadow",
            "`latentprint run` with `kafka.shadow`, beside `worker` or as a user of its own",
            (
                *_on(shadow.inputs, "READ"),
                *_on(shadow.outputs, "WRITE"),
                Right("topic", shadow.decisions, ("DESCRIBE",)),
                Right("topic", prefix, ("DESCRIBE_CONFIGS",), prefixed=True),
                Right("group", f"{group}-shadow", ("READ",)),
                Right("transactional id", f"{group}-shadow-", _TRANSACTIONS, prefixed=True),
            ),
        ),
        Role(
            "topics",
            "`latentprint topics create`",
            (Right("topic", prefix, ("CREATE", "DESCRIBE", "DESCRIBE_CONFIGS"), prefixed=True),),
        ),
        Role(
            "topics-alter",
            "beside `topics`: `latentprint topics create --alter`",
            (Right("topic", prefix, ("ALTER", "ALTER_CONFIGS"), prefixed=True),),
        ),
        Role("producer", "`latentprint submit`, uploads", _on((topics.images,), "WRITE")),
        Role(
            "reader",
            "`latentprint watch`: verdicts and dead letters",
            _on((topics.verdicts, topics.dead_letters), "READ"),
        ),
        Role(
            "alerts-reader",
            "`latentprint watch --alerts`",
            _on((topics.alerts,), "READ"),
        ),
        Role(
            "dlq-reader",
            "`latentprint dlq ls` and `show`",
            _on((topics.dead_letters, topics.decisions), "READ"),
        ),
        Role(
            "dlq",
            "`latentprint dlq redrive` and `discard`, and all that `dlq-reader` may",
            (
                Right("topic", topics.dead_letters, ("READ",)),
                Right("topic", topics.decisions, ("READ", "WRITE")),
                Right("topic", topics.redrives, ("WRITE",)),
                Right("transactional id", f"{prefix}{DLQ_TRANSACTIONAL_ID}", ("WRITE", "DESCRIBE")),
            ),
        ),
        Role(
            "notify",
            "`latentprint notify`",
            (
                Right("topic", topics.alerts, ("READ",)),
                Right("topic", topics.notify_dead_letters, ("WRITE",)),
                Right("group", notify_group, ("READ",)),
                Right("transactional id", f"{notify_group}-", ("WRITE", "DESCRIBE"), prefixed=True),
            ),
        ),
        Role(
            "notify-redrive",
            "`latentprint notify redrive`",
            (
                Right("topic", topics.notify_dead_letters, ("READ", "WRITE")),
                Right("group", f"{notify_group}{REDRIVE_SUFFIX}", ("READ",)),
            ),
        ),
        Role(
            "calibrator",
            "`latentprint registry calibrate --from-stream`",
            _on((topics.fingerprints,), "READ"),
        ),
    )


def role(
    name: str,
    prefix: str = DEFAULT_PREFIX,
    group: str = DEFAULT_GROUP,
    notify_group: str = NOTIFY_GROUP,
) -> Role:
    """The role of this name; KeyError with the names there are."""
    found = {one.name: one for one in roles(prefix, group, notify_group)}
    if name not in found:
        raise KeyError(f"no role {name!r}; there are {', '.join(found)}")
    return found[name]


def _on(names: Iterable[str], operation: Operation) -> tuple[Right, ...]:
    return tuple(Right("topic", name, (operation,)) for name in names)
