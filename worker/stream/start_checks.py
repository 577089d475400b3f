"""Start-up checks: a worker that could lose or double a verdict refuses to start, with why."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from worker.broker.admin import admin, lacking_rights, seen_and_hidden, until_answered
from worker.broker.clients import client_version, connection
from worker.broker.refusals import Who, denied
from worker.broker.topic_creation import alter_command
from worker.broker.topics import (
    UNCOMPRESSED,
    Topics,
    images_max_message_bytes,
)
from worker.errors import StopError
from worker.settings.delivery import HEADROOM_BYTES
from worker.settings.settings import Settings

LOWEST_CLIENT = (3, 0, 12)
FIRST_UNTRIED_CLIENT = (3, 1)
INTERNAL = ("__transaction_state",)
"""Where transactions lie; absent before their first use, or not shown to this user."""

DEFAULT_MAX_TRANSACTION_TIMEOUT_MS = 900_000
"""The broker's own default of transaction.max.timeout.ms."""


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What the broker says of one topic."""

    partitions: int
    replication: int
    max_message_bytes: int
    min_insync_replicas: int
    unclean_election: bool
    compression: str = UNCOMPRESSED
    cleanup: str = "delete"


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What the checks need to know of the cluster; a topic that is missing has no entry."""

    topics: Mapping[str, TopicFacts]
    max_transaction_timeout_ms: int
    there: tuple[str, ...] = ()
    """Topics that exist, also those whose configs this user may not see."""

    lacking: tuple[str, ...] = ()
    """Rights that this user needs and has not, each with the command that gives it."""

    unseen: tuple[str, ...] = ()
    """What could not be checked, because this user may not see it or it is not there yet."""


def check_client() -> list[str]:
    """What is wrong with the installed client library."""
    refusals = []
    if importlib.util.find_spec("crc32c") is None:
        refusals.append(
            "the C module crc32c is missing; without it a consumer checks 7 MB/s instead of GB/s."
            " Install crc32c"
        )
    version = client_version()
    if not LOWEST_CLIENT <= version < FIRST_UNTRIED_CLIENT:
        refusals.append(
            f"kafka-python is {'.'.join(map(str, version))}; the lost-verdict and offset-leak"
            " regressions were run against >=3.0.12,<3.1. Install such a version"
        )
    return refusals


def check_cluster(settings: Settings, facts: ClusterFacts) -> tuple[list[str], list[str]]:
    """(reasons to refuse, warnings) from what the cluster says."""
    topics = Topics(settings.kafka.prefix, settings.kafka.shadow)
    refusals: list[str] = []
    warnings: list[str] = []
    names = topics.of_worker()
    refusals.extend(facts.lacking)
    missing = [name for name in names if name not in {*facts.topics, *facts.there}]
    if missing:
        refusals.append(
            f"topics are missing: {', '.join(missing)}. A worker never creates topics; run"
            " `latentprint topics create`"
        )
    images = facts.topics.get(topics.images)
    letters = facts.topics.get(topics.dead_letters)
    redrives = facts.topics.get(topics.redrives)
    if images and images.max_message_bytes < settings.decode.max_image_bytes:
        refusals.append(
            f"{topics.images} takes records of {images.max_message_bytes} bytes, but"
            f" decode.max_image_bytes is {settings.decode.max_image_bytes}; there is one size"
            " limit: raise max.message.bytes of the topic or lower the setting"
        )
    if images and letters:
        largest = min(
            images.max_message_bytes, images_max_message_bytes(settings.decode.max_image_bytes)
        )
        if letters.max_message_bytes < largest + HEADROOM_BYTES:
            refusals.append(
                f"{topics.dead_letters} takes records of {letters.max_message_bytes} bytes; a dead"
                f" letter holds its event and its headers and needs {largest + HEADROOM_BYTES}:"
                " raise max.message.bytes of the topic"
            )
    if letters and redrives and redrives.max_message_bytes < letters.max_message_bytes:
        refusals.append(
            f"{topics.redrives} takes records of {redrives.max_message_bytes} bytes; it holds dead"
            f" letters as they are and needs {letters.max_message_bytes}: raise max.message.bytes"
            " of the topic"
        )
    timeout_ms = settings.kafka.transaction_timeout_s * 1000
    if timeout_ms > facts.max_transaction_timeout_ms:
        refusals.append(
            f"kafka.transaction_timeout_s is {settings.kafka.transaction_timeout_s:g}, the broker's"
            f" transaction.max.timeout.ms is {facts.max_transaction_timeout_ms}; lower the setting"
        )
    known = {name: facts.topics[name] for name in [*names, *INTERNAL] if name in facts.topics}
    thin = [n for n, t in known.items() if t.replication < 3 or t.min_insync_replicas < 2]
    if thin:
        (warnings if settings.is_local else refusals).append(
            f"fewer than 3 replicas or min.insync.replicas below 2: {', '.join(thin)}; the loss of"
            " a broker can lose committed verdicts. Fit for one machine only (profile=local)"
        )
    unclean = [name for name, topic in known.items() if topic.unclean_election]
    if unclean:
        warnings.append(
            f"unclean leader election is allowed: {', '.join(unclean)}; it can lose committed"
            " verdicts"
        )
    if facts.unseen:
        warnings.append(
            f"not checked: {', '.join(facts.unseen)}; not there yet, or this user may not see it"
            " (DESCRIBE and DESCRIBE_CONFIGS). See that there are 3 replicas with"
            " min.insync.replicas of 2, and that kafka.transaction_timeout_s is below the limit"
        )
    for name in topics.inputs:
        topic = facts.topics.get(name)
        if topic is None:
            continue
        alter = partial(alter_command, settings.kafka.brokers, name)
        if topic.compression != UNCOMPRESSED:
            warnings.append(
                f"{name} has compression.type={topic.compression}, so that the broker bounds"
                " records as they are compressed: 19 KB may be 600 MiB. This worker unpacks a"
                " batch to a bound and answers what is beyond with `too_large`; have the broker"
                " refuse it:"
                f" {alter({'compression.type': UNCOMPRESSED})}"
            )
        if "compact" in topic.cleanup:
            refusals.append(
                f"{name} has cleanup.policy={topic.cleanup}: of two uploads under one key the first"
                " may be deleted before it is judged, without a word. Keep all of them:"
                f" {alter({'cleanup.policy': 'delete'})}"
            )
    return refusals, warnings


def read_cluster(settings: Settings) -> ClusterFacts:
    """Ask the cluster; raises StopError: exit code 3 when it cannot be reached, 2 for a refusal."""
    who = Who.of(settings.kafka)
    client = connection(settings.kafka)
    del client["bootstrap_servers"]
    with admin(settings.kafka.brokers, client=client, who=who) as cluster:
        facts = cluster_facts(cluster, settings, who)
        if not facts.lacking:  # or there are more reasons to name than the group's
            until_answered(lambda: cluster.list_group_offsets(settings.kafka.member_group))
    return facts


def cluster_facts(cluster: KafkaAdminClient, settings: Settings, who: Who) -> ClusterFacts:
    """What this connection may see of the topics and of the broker's limits; changes nothing."""
    topics = Topics(settings.kafka.prefix, settings.kafka.shadow)
    needed = dict.fromkeys(topics.inputs, "READ") | dict.fromkeys(topics.outputs, "WRITE")
    found, hidden = seen_and_hidden(cluster, topics.of_worker())
    internal = until_answered(lambda: cluster.describe_topics(list(INTERNAL)))
    found |= {topic["name"]: topic for topic in internal if not topic["error_code"]}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in found]
    brokers = until_answered(cluster.describe_cluster)["brokers"]
    node = str(brokers[0].get("broker_id", brokers[0].get("node_id")))
    resources.append(ConfigResource(ConfigResourceType.BROKER, node))
    configs = until_answered(lambda: cluster.describe_configs(resources, config_filter="all"))
    lacking = [denied(who, needed.get(name, "DESCRIBE"), "topic", name) for name in hidden]
    lacking += lacking_rights(found, needed, who)
    lacking += [
        denied(who, "DESCRIBE_CONFIGS", "topic", name)
        for name in found
        if name not in INTERNAL and _value(configs["topic"][name], "max.message.bytes") is None
    ]
    unseen = [name for name in INTERNAL if name not in found or not _seen(configs["topic"][name])]
    facts = {
        name: _topic_facts(topic, configs["topic"][name])
        for name, topic in found.items()
        if _seen(configs["topic"][name])
    }
    limit = _value(configs["broker"][node], "transaction.max.timeout.ms")
    if not limit:
        unseen.append("the broker's transaction.max.timeout.ms")
    return ClusterFacts(
        facts,
        int(limit) if limit else DEFAULT_MAX_TRANSACTION_TIMEOUT_MS,
        there=(*found, *hidden),
        lacking=tuple(lacking),
        unseen=tuple(unseen),
    )


def check_start(settings: Settings, warn: Callable[[str], None]) -> ClusterFacts:
    """All checks that need no extractor; raises StopError with every reason at once."""
    refusals = check_client()
    facts = read_cluster(settings)
    more, warnings = check_cluster(settings, facts)
    refusals.extend(more)
    for warning in warnings:
        warn(warning)
    if refusals:
        lines = "\n".join(f"  {reason}" for reason in refusals)
        raise StopError(f"the worker refuses to start\n{lines}", exit_code=2)
    return facts


def _seen(config: Mapping[str, Any]) -> bool:
    return _value(config, "max.message.bytes") is not None


def _value(config: Mapping[str, Any], name: str) -> Any:
    entry = config.get(name)
    return entry.get("value") if isinstance(entry, Mapping) else entry


def _topic_facts(topic: Mapping[str, Any], config: Mapping[str, Any]) -> TopicFacts:
    partitions = topic["partitions"]
    return TopicFacts(
        partitions=len(partitions),
        replication=min(len(p["replica_nodes"]) for p in partitions),
        max_message_bytes=int(_value(config, "max.message.bytes")),
        min_insync_replicas=int(_value(config, "min.insync.replicas")),
        unclean_election=str(_value(config, "unclean.leader.election.enable")).lower() == "true",
        compression=str(_value(config, "compression.type")),
        cleanup=str(_value(config, "cleanup.policy")),
    )
