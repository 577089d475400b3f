"""One right on Kafka, and how it is said: in a sentence, as a command, as a manifest."""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["topic", "group", "transactional id", "cluster"]
Operation = Literal[
    "READ",
    "WRITE",
    "CREATE",
    "ALTER",
    "DESCRIBE",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
]

_FLAGS = {"topic": "--topic", "group": "--group", "transactional id": "--transactional-id"}
_STRIMZI_TYPES = {"transactional id": "transactionalId"}


@dataclass(frozen=True, slots=True)
class Right:
    """Operations on one resource, or with `prefixed` on all whose names begin so."""

    kind: Kind
    name: str
    operations: tuple[Operation, ...]
    prefixed: bool = False

    def text(self) -> str:
        """As the page says it."""
        where = f"{self.kind} `{self.name}`" if self.kind != "cluster" else "the cluster"
        return f"{' and '.join(self.operations)} on {where}{' (prefix)' if self.prefixed else ''}"


def acl_command(brokers: str, principal: str, right: Right) -> str:
    """The command of Kafka's own tools that gives the right."""
    operations = " ".join(f"--operation {_cased(one)}" for one in right.operations)
    where = f"{_FLAGS[right.kind]} '{right.name}'" if right.kind in _FLAGS else "--cluster"
    pattern = " --resource-pattern-type prefixed" if right.prefixed else ""
    return (
        f"kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal"
        f" {shlex.quote(principal)} {operations} {where}{pattern}"
    )


def acl_commands(brokers: str, principal: str, rights: Iterable[Right]) -> Iterator[str]:
    """One command a right."""
    return (acl_command(brokers, principal, right) for right in rights)


def strimzi_acls(rights: Iterable[Right]) -> str:
    """What stands below `authorization:` of a Strimzi KafkaUser, as YAML."""
    lines = ["type: simple", "acls:"]
    for right in rights:
        operations = ", ".join(map(_cased, right.operations))
        lines += ["  - resource:", f"      type: {_STRIMZI_TYPES.get(right.kind, right.kind)}"]
        if right.kind != "cluster":
            pattern = "prefix" if right.prefixed else "literal"
            lines += [f'      name: "{right.name}"', f"      patternType: {pattern}"]
        lines.append(f"    operations: [{operations}]")
    return "\n".join(lines) + "\n"


def _cased(operation: str) -> str:
    """DESCRIBE_CONFIGS as kafka-acls.sh and Strimzi spell it: DescribeConfigs."""
    return "".join(part.capitalize() for part in operation.split("_"))
