"""Each topic is shared evenly by itself, whatever came before, and what need not move stays."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription

from worker.broker.assignor import EachTopicAssignor

Held = Mapping[str, set[tuple[str, int]]]
"""Of each member, the topics and partitions that it reads."""


def settled(partitions: Mapping[str, int], held: Held) -> Held:
    """What members read at last, who read `held` before: round after round, as they give up."""
    while True:
        found = assigned(partitions, held)
        if found == held:
            return found
        held = found


def assigned(partitions: Mapping[str, int], held: Held) -> Held:
    """One round, as the leader of a group makes it of what the members say."""
    cluster = SimpleNamespace(
        topics=lambda: set(partitions),
        partitions_for_topic=lambda topic: set(range(partitions[topic])),
    )
    members = [
        SimpleNamespace(member_id=name, metadata=said(partitions, parts))
        for name, parts in held.items()
    ]
    answers = EachTopicAssignor().assign(cluster, members)
    found = {
        name: {(p.topic, p.partition) for p in answer.partitions()}
        for name, answer in answers.items()
    }
    taken = [(one, name) for name, parts in held.items() for one in parts]
    for one, owner in taken:
        assert not any(one in parts for name, parts in found.items() if name != owner), (
            "a partition went to another member while its owner still had it"
        )
    return found


def said(partitions: Mapping[str, int], held: set[tuple[str, int]]) -> Any:
    """What a member tells the leader, as it comes over the wire."""
    assignor = EachTopicAssignor()
    assignor.member_assignment = [SimpleNamespace(topic=t, partition=p) for t, p in sorted(held)]
    return ConsumerProtocolSubscription.decode(assignor.metadata(partitions).encode())


def test_a_second_slot_gets_half_of_the_images_and_not_the_redrives_alone() -> None:
    topics = {"images": 4, "redrives": 3}
    alone = settled(topics, {"a": set()})
    found = settled(topics, {**alone, "b": set()})
    images = {name: sum(t == "images" for t, _ in parts) for name, parts in found.items()}
    assert images == {"a": 2, "b": 2}


@given(
    partitions=st.fixed_dictionaries({"images": st.integers(1, 12), "redrives": st.integers(1, 3)}),
    before=st.integers(1, 5),
    after=st.integers(1, 5),
)
def test_each_topic_is_shared_evenly_whoever_comes_and_goes(
    partitions: dict[str, int], before: int, after: int
) -> None:
    first = settled(partitions, {f"m{i}": set() for i in range(before)})
    moved = settled(partitions, {f"m{i}": first.get(f"m{i}", set()) for i in range(after)})
    for found in (first, moved):
        everything = [one for parts in found.values() for one in parts]
        assert sorted(everything) == sorted((t, p) for t, n in partitions.items() for p in range(n))
        for topic in partitions:
            counts = [sum(t == topic for t, _ in parts) for parts in found.values()]
            assert max(counts) - min(counts) <= 1
    if after <= before:
        stayed = {name: first[name] for name in moved}
        assert all(parts <= moved[name] for name, parts in stayed.items()), "who stays keeps all"
