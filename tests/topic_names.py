"""The topics of one test, made through kafka-python's admin client and not through our own code."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from deploy.services.kafka import MAX_MESSAGE_BYTES
from tests.waiting import wait_for

IMAGE_PARTITIONS = 4
_ANSWER_MS = 30_000


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Names of one test's topics; `prefix` ends in a dot and is unique."""

    prefix: str

    @property
    def images(self) -> str:
        """Image events come in here; 4 partitions."""
        return f"{self.prefix}images"

    @property
    def verdicts(self) -> str:
        """One verdict for each image event that can be judged."""
        return f"{self.prefix}verdicts"

    @property
    def alerts(self) -> str:
        """One alert for each flagged verdict."""
        return f"{self.prefix}alerts"

    @property
    def dead_letters(self) -> str:
        """Image events that can never be judged."""
        return f"{self.prefix}dead-letters"

    @property
    def fingerprints(self) -> str:
        """Fingerprint records, for later attribution."""
        return f"{self.prefix}fingerprints"

    @property
    def redrives(self) -> str:
        """Dead letters to be judged again."""
        return f"{self.prefix}redrives"

    @property
    def decisions(self) -> str:
        """What was decided on dead letters."""
        return f"{self.prefix}dead-letter-decisions"

    @property
    def notify_dead_letters(self) -> str:
        """Alerts that a receiver did not get."""
        return f"{self.prefix}notify-dead-letters"

    def inputs(self) -> tuple[str, str]:
        """What a worker reads; the broker unpacks it, and so bounds it."""
        return self.images, self.redrives

    def all(self) -> dict[str, int]:
        """Every topic with its number of partitions."""
        return {
            self.images: IMAGE_PARTITIONS,
            self.verdicts: 1,
            self.alerts: 1,
            self.dead_letters: 1,
            self.fingerprints: 1,
            self.redrives: 1,
            self.decisions: 1,
            self.notify_dead_letters: 1,
        }


def create(admin: KafkaAdminClient) -> TopicNames:
    """Create one test's topics under a prefix nobody used, and wait until each has its leaders."""
    names = TopicNames(prefix=f"test-{uuid.uuid4().hex[:12]}.")
    admin.create_topics(
        {
            name: {
                "num_partitions": partitions,
                "replication_factor": 1,
                "configs": {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
                | ({"compression.type": "uncompressed"} if name in names.inputs() else {}),
            }
            for name, partitions in names.all().items()
        },
        timeout_ms=_ANSWER_MS,
        wait_for_metadata=True,
    )
    return names


def impose(admin: KafkaAdminClient, topic: str, configs: Mapping[str, str]) -> None:
    """Alter a topic, and wait until the broker shows it, which hears of it a moment later."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)

    def shown() -> bool:
        [described] = admin.describe_configs([resource], config_filter="all").values()
        return all(described[topic][name]["value"] == value for name, value in configs.items())

    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, dict(configs))])
    wait_for(shown, f"{topic} to show {configs}")


def delete(admin: KafkaAdminClient, names: TopicNames) -> None:
    """Delete one test's topics, those that are still there."""
    there = [name for name in admin.list_topics() if name.startswith(names.prefix)]
    if there:
        admin.delete_topics(there, timeout_ms=_ANSWER_MS)
