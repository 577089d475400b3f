"""Topics made and altered: by `latentprint topics create` alone, never by a worker."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAuthorizationFailedError, for_code

from worker.broker.admin import RETRY_S, admin
from worker.broker.refusals import Who, refused_right
from worker.broker.topics import DEFAULT_PARTITIONS, TopicPlan, Topics, plan_topics
from worker.errors import StopError
from worker.events.image_event import MAX_IMAGE_BYTES

_ALREADY_EXISTS = 36
"""TOPIC_ALREADY_EXISTS in Kafka's table of error codes."""

_DENIED = (29, 31)
"""TOPIC_AUTHORIZATION_FAILED and CLUSTER_AUTHORIZATION_FAILED there."""

_SHOWN_S = 10.0
"""What is altered is shown within a second or two; after this the report says what is shown."""


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What became of one topic: created, or found, and where it differs from the plan."""

    name: str
    created: bool
    partitions: int
    differences: tuple[str, ...]
    alter: str | None = None
    """The command that mends what of the differences can be mended in place."""

    altered: tuple[str, ...] = ()
    """What was changed, where that was asked for."""


def create_topics(
    brokers: str,
    topics: Topics,
    *,
    partitions: int | None = None,
    replication: int | None = None,
    max_image_bytes: int = MAX_IMAGE_BYTES,
    alter: bool = False,
    client: Mapping[str, Any] | None = None,
) -> tuple[TopicReport, ...]:
    """Create the topics that are missing; leave the others, and report where they differ.

    With `alter` the others get the planned configs and, where they have fewer, the `partitions`
    that are named; none are added unasked, since keys move then. Returns once every partition has a
    leader. Raises StopError: exit code 3 where no broker answers, 2 for a right that is missing, 1
    where the cluster refuses otherwise (more replicas than brokers).
    """
    plans = plan_topics(
        topics,
        partitions=partitions or DEFAULT_PARTITIONS,
        replication=replication,
        max_image_bytes=max_image_bytes,
    )
    growing = partitions is not None
    with admin(brokers, client=client) as connection:
        created = _create(connection, plans, Who.by(brokers, client))
        connection.wait_for_topics([plan.name for plan in plans])
        before = _look(connection, plans)
        altered = {p.name: _altered(p, before[p.name], growing) for p in plans} if alter else {}
        if any(altered.values()):
            _alter(connection, plans, before, growing, Who.by(brokers, client))
            found = _look_altered(connection, plans, growing)
        else:
            found = before
    return tuple(
        TopicReport(
            name=plan.name,
            created=plan.name in created,
            partitions=found[plan.name].partitions,
            differences=_differences(plan, found[plan.name]),
            alter=_alteration(brokers, plan, found[plan.name]),
            altered=altered.get(plan.name, ()),
        )
        for plan in plans
    )


def alter_command(brokers: str, topic: str, configs: Mapping[str, str]) -> str:
    """The command of Kafka's own tools that sets these configs of a topic."""
    listed = ",".join(f"{name}={value}" for name, value in configs.items())
    return (
        f"kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics"
        f" --entity-name {topic} --add-config {listed}"
    )


def _create(connection: KafkaAdminClient, plans: tuple[TopicPlan, ...], who: Who) -> set[str]:
    """Ask for all topics; another creator may be at it too, so existing ones are no error."""
    answer = connection.create_topics(
        {
            plan.name: {
                "num_partitions": plan.partitions,
                "replication_factor": -1 if plan.replication is None else plan.replication,
                "configs": plan.configs(),
            }
            for plan in plans
        },
        raise_errors=False,
    )
    created = set()
    if refused := sorted(t["name"] for t in answer["topics"] if t["error_code"] in _DENIED):
        raise refused_right(who, "CREATE", "topic", refused[0])
    for topic in answer["topics"]:
        code = topic["error_code"]
        if code == 0:
            created.add(topic["name"])
        elif code != _ALREADY_EXISTS:
            reason = topic.get("error_message") or for_code(code).__name__
            raise StopError(
                f"Kafka refused to create {topic['name']}: {reason}. Topics created so far:"
                f" {', '.join(sorted(created)) or 'none'}; mend the cause and run the command"
                " again, it leaves existing topics alone."
            )
    return created


@dataclass(frozen=True, slots=True)
class _Found:
    """A topic as it is."""

    partitions: int
    replication: int
    configs: Mapping[str, str | None]


def _look(connection: KafkaAdminClient, plans: tuple[TopicPlan, ...]) -> dict[str, _Found]:
    topics = {
        t["name"]: t["partitions"] for t in connection.describe_topics([p.name for p in plans])
    }
    resources = [ConfigResource(ConfigResourceType.TOPIC, plan.name) for plan in plans]
    described = next(iter(connection.describe_configs(resources, config_filter="all").values()))
    return {
        name: _Found(
            partitions=len(partitions),
            replication=len(partitions[0]["replica_nodes"]),
            configs={key: entry.get("value") for key, entry in described[name].items()},
        )
        for name, partitions in topics.items()
    }


def _look_altered(
    connection: KafkaAdminClient, plans: tuple[TopicPlan, ...], growing: bool
) -> dict[str, _Found]:
    """The topics once they show what was altered: a broker hears of it a moment later."""
    end = time.monotonic() + _SHOWN_S
    while True:
        connection.wait_for_topics([plan.name for plan in plans])
        found = _look(connection, plans)
        left = any(_altered(plan, found[plan.name], growing) for plan in plans)
        if not left or time.monotonic() > end:
            return found
        time.sleep(RETRY_S)


def _alter(
    connection: KafkaAdminClient,
    plans: tuple[TopicPlan, ...],
    found: Mapping[str, _Found],
    growing: bool,
    who: Who,
) -> None:
    """Have the cluster give the topics the planned configs and the partitions that they lack."""
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, plan.name, configs=dict(others))
        for plan in plans
        if (others := _other_configs(plan, found[plan.name].configs))
    ]
    answers = connection.alter_configs(resources).get("topic", {}) if resources else {}
    for name, answer in answers.items():
        if TopicAuthorizationFailedError.__name__ in answer:
            raise refused_right(who, "ALTER_CONFIGS", "topic", name)
        if answer != "OK":  # the client answers in words
            raise StopError(f"Kafka refused to alter {name}: {answer}")
    grown = {p.name: p.partitions for p in plans if p.partitions > found[p.name].partitions}
    if growing and grown:
        try:
            connection.create_partitions(grown)
        except TopicAuthorizationFailedError:
            raise refused_right(who, "ALTER", "topic", min(grown)) from None


def _altered(plan: TopicPlan, found: _Found, growing: bool) -> tuple[str, ...]:
    """What `_alter` does to a topic, each as `what: value before, value after`."""
    changes = [
        f"{name}: {found.configs.get(name)} before, {planned} now"
        for name, planned in _other_configs(plan, found.configs).items()
    ]
    if growing and plan.partitions > found.partitions:
        changes.append(f"partitions: {found.partitions} before, {plan.partitions} now")
    return tuple(changes)


def _differences(plan: TopicPlan, found: _Found) -> tuple[str, ...]:
    """Where a topic differs from its plan, each as `what: value found, value planned`."""
    differences = []
    if found.partitions != plan.partitions:
        differences.append(f"partitions: {found.partitions} found, {plan.partitions} planned")
    if plan.replication is not None and found.replication != plan.replication:
        differences.append(f"replication: {found.replication} found, {plan.replication} planned")
    for name, planned in _other_configs(plan, found.configs).items():
        differences.append(f"{name}: {found.configs.get(name)} found, {planned} planned")
    return tuple(differences)


def _other_configs(plan: TopicPlan, configs: Mapping[str, str | None]) -> Mapping[str, str]:
    """The planned configs that a topic has otherwise."""
    return {n: value for n, value in plan.configs().items() if configs.get(n) != value}


def _alteration(brokers: str, plan: TopicPlan, found: _Found) -> str | None:
    others = _other_configs(plan, found.configs)
    return alter_command(brokers, plan.name, others) if others else None
