"""Who of a group reads which partitions: of each topic, each member as many as any other.

The library's own assignor counts the partitions of all topics together. A second slot was then
given the three partitions of redrives, where nearly nothing is, and the first kept all images.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import (
    CooperativeStickyAssignor,
)
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment


class EachTopicAssignor(CooperativeStickyAssignor):  # type: ignore[misc]
    """The cooperative, sticky assignor of KIP-429, for each topic by itself.

    Its name and what members say to each other are the library's, so that members with either of
    the two can be in one group; whichever leads decides.
    """

    def assign(self, cluster: Any, members: Sequence[Any]) -> dict[str, ConsumerProtocolAssignment]:
        """Of member ids, what each is to read; a partition that moves is nobody's in this round."""
        found: dict[str, dict[str, list[int]]] = {one.member_id: {} for one in members}
        for topic in sorted({topic for one in members for topic in one.metadata.topics}):
            readers = [_of_topic(one, topic) for one in members if topic in one.metadata.topics]
            for reader, assignment in super().assign(_Topic(cluster, topic), readers).items():
                for partition in assignment.partitions():
                    found[reader].setdefault(topic, []).append(partition.partition)
        return {
            member: ConsumerProtocolAssignment(self.version, _listed(topics), b"")
            for member, topics in found.items()
        }


class _Topic:
    """A cluster that has one topic."""

    def __init__(self, cluster: Any, topic: str) -> None:
        self._cluster = cluster
        self._topic = topic

    def topics(self) -> set[str]:
        return {self._topic}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        partitions: set[int] | None = self._cluster.partitions_for_topic(topic)
        return partitions


def _of_topic(member: Any, topic: str) -> Any:
    """A member as if it read this topic alone."""
    said = member.metadata
    owned = [one for one in said.owned_partitions or () if one.topic == topic]
    metadata = SimpleNamespace(
        topics=[topic], owned_partitions=owned, generation_id=said.generation_id
    )
    return SimpleNamespace(member_id=member.member_id, metadata=metadata)


def _listed(topics: Mapping[str, Sequence[int]]) -> list[tuple[str, list[int]]]:
    return sorted((topic, sorted(partitions)) for topic, partitions in topics.items())
