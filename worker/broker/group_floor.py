"""Reads from Kafka what a consumer group has already seen of the registry."""

from worker.broker.admin import admin, until_answered
from worker.broker.clients import connection
from worker.broker.refusals import Who
from worker.registry.floor import Floor, highest
from worker.settings.kafka import KafkaSettings


def read_floor(settings: KafkaSettings, space: str) -> Floor | None:
    """Ask the group's committed offsets. Raises StopError (3) where Kafka is out of reach."""
    client = connection(settings)
    del client["bootstrap_servers"]
    with admin(settings.brokers, client=client, who=Who.of(settings)) as cluster:
        offsets = until_answered(lambda: cluster.list_group_offsets(settings.member_group))
    flat = offsets.get(settings.member_group, offsets)
    return highest(space, (offset.metadata or "" for offset in flat.values()))
