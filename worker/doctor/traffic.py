"""What runs on the topics: the group and its lag, transactions that stay open, future records."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kafka import IsolationLevel, KafkaAdminClient, OffsetSpec, TopicPartition
from kafka.errors import KafkaError

from worker.broker.admin import seen_and_hidden, until_answered
from worker.broker.clients import slot_name
from worker.broker.topics import Topics
from worker.doctor.findings import Finding
from worker.doctor.rights import OFFSETS, may_ask
from worker.settings.settings import Settings

MOST_SKEW_S = 5.0
"""Machines that ask a time server are within milliseconds of each other."""

LOOK_AGAIN_S = 1.0
"""A worker's transaction takes 25 ms; what is open at both looks stays open."""

Offsets = Mapping[TopicPartition, int]


@dataclass(slots=True)
class Traffic:
    """What the group has committed with its offsets; filled once it is known."""

    metadata: list[str] = field(default_factory=list)


def examine_traffic(
    cluster: KafkaAdminClient, settings: Settings, traffic: Traffic, clock: Callable[[], float]
) -> Iterator[Finding]:
    """The group, its lag, what is lost, open transactions, and the newest record's time."""
    topics = Topics(settings.kafka.prefix, settings.kafka.shadow)
    found, hidden = seen_and_hidden(cluster, (*topics.of_worker(), OFFSETS))
    places = {
        name: [TopicPartition(name, p["partition_index"]) for p in found[name]["partitions"]]
        for name in topics.of_worker()
        if name in found
    }
    inputs = [place for name in topics.inputs for place in places.get(name, [])]
    outputs = [place for name in topics.outputs for place in places.get(name, [])]
    first_look = _open(cluster, outputs)
    looked = time.monotonic()
    if not may_ask(OFFSETS, found, hidden):
        yield Finding("group", "note", "no group has ever read from this Kafka")
    else:
        yield from _group(cluster, settings)
        yield from _lag(cluster, settings, inputs, traffic)
    yield from _future(cluster, inputs + outputs, clock)
    if first_look:
        time.sleep(max(0.0, looked + LOOK_AGAIN_S - time.monotonic()))
        second = _open(cluster, outputs)
        held = [place for place, offset in first_look.items() if second.get(place) == offset]
        if held:
            yield _held(cluster, settings, held, clock)
            return
    yield Finding("transactions", "good", "none holds up the readers of what workers write")


def _group(cluster: KafkaAdminClient, settings: Settings) -> Iterator[Finding]:
    name = settings.kafka.member_group
    told = until_answered(lambda: cluster.describe_groups([name]))[name]
    members = told.get("members") or []
    own = slot_name(settings.kafka)
    mine = [m for m in members if own in (m.get("group_instance_id"), m.get("client_id"))]
    state = told.get("group_state") or "unknown"
    text = f"{name}: {len(members)} members, state {state}"
    if mine:
        host = str(mine[0].get("client_host")).strip("/")
        text += f"; slot {settings.kafka.slot} is taken, by {host}: a second worker with it would"
        text += " fence that one, so give it another kafka.slot"
    yield Finding("group", "note" if mine else "good", text)


def _lag(
    cluster: KafkaAdminClient, settings: Settings, inputs: list[TopicPartition], traffic: Traffic
) -> Iterator[Finding]:
    name = settings.kafka.member_group
    answer = until_answered(lambda: cluster.list_group_offsets(name))
    committed = answer.get(name, answer)
    traffic.metadata += [one.metadata or "" for one in committed.values()]
    first = _offsets(cluster, inputs, OffsetSpec.EARLIEST)
    last = _offsets(cluster, inputs, OffsetSpec.LATEST)
    lag = 0
    for place in inputs:
        at = committed[place].offset if place in committed else -1
        if 0 <= at < first[place] or at > last[place]:
            yield Finding(
                "group",
                "wrong",
                f"{place.topic}/{place.partition}: the group is at {at}, but the log holds"
                f" {first[place]} to {last[place]}: records were deleted before they were judged,"
                ' or the topic was made again. A worker stops there; see "When Kafka has'
                ' deleted what was not judged" in docs/operations.md',
            )
        lag += last[place] - max(at, first[place])
    yield Finding("group", "good", f"{lag} records of the inputs are not judged yet")


def _open(cluster: KafkaAdminClient, places: list[TopicPartition]) -> Offsets:
    """Where committed reading ends, of each partition that goes on beyond it."""
    end = _offsets(cluster, places, OffsetSpec.LATEST)
    stable = _offsets(cluster, places, OffsetSpec.LATEST, IsolationLevel.READ_COMMITTED)
    return {place: stable[place] for place in places if stable[place] < end[place]}


def _held(
    cluster: KafkaAdminClient,
    settings: Settings,
    held: list[TopicPartition],
    clock: Callable[[], float],
) -> Finding:
    """Who holds the readers of these partitions up, and for how long."""
    where = ", ".join(f"{place.topic}/{place.partition}" for place in held)
    limit_s = settings.kafka.commit_deadline_s
    age_s, owner = 0.0, "a transactional id that this user may not see"
    for name, state in _transactions(cluster).items():
        if state.topic_partitions.intersection(held):
            owner = f"transactional id {name}"
            age_s = max(age_s, clock() - state.transaction_start_time_ms / 1000)
    return Finding(
        "transactions",
        "wrong" if age_s > limit_s else "note",
        f"a transaction of {owner} is open for {age_s:.0f} s and holds up whoever reads {where};"
        f" a worker's ends within {limit_s:g} s (kafka.commit_deadline_s). Start the worker of that"
        " slot again, which settles it, or end it with kafka-transactions.sh --bootstrap-server"
        f" {settings.kafka.brokers} abort; else the broker does once its timeout is over",
    )


def _transactions(cluster: KafkaAdminClient) -> Mapping[str, Any]:
    """The open transactions that this user may describe."""
    try:
        listed = cluster.list_transactions(state_filters=["Ongoing"])
        names = [one.transactional_id for ones in listed.values() for one in ones]
        described: Mapping[str, Any] = cluster.describe_transactions(names)
    except KafkaError:
        return {}
    return described


def _future(
    cluster: KafkaAdminClient, places: list[TopicPartition], clock: Callable[[], float]
) -> Iterator[Finding]:
    """Kafka tells its time to nobody; a record from the future shows that some clock is off."""
    try:
        newest = cluster.list_partition_offsets(dict.fromkeys(places, OffsetSpec.MAX_TIMESTAMP))
    except KafkaError:
        yield Finding("clock", "unchecked", "this Kafka does not say how new its records are")
        return
    place, at = max(newest.items(), key=lambda one: one[1].timestamp, default=(None, None))
    ahead_s = at.timestamp / 1000 - clock() if at is not None else 0.0
    if place is not None and ahead_s > MOST_SKEW_S:
        yield Finding(
            "clock",
            "wrong",
            f"the newest record of {place.topic} is from {ahead_s:.0f} s in the future: this"
            " machine's clock is behind, or its writer's ahead; set them by a time server",
        )
    else:
        yield Finding("clock", "good", "no record in Kafka is from the future")


def _offsets(
    cluster: KafkaAdminClient,
    places: list[TopicPartition],
    spec: OffsetSpec,
    isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
) -> Offsets:
    if not places:
        return {}
    told = cluster.list_partition_offsets(dict.fromkeys(places, spec), isolation_level=isolation)
    return {place: answer.offset for place, answer in told.items()}
