"""The eight topics: their names, and what each must allow.

Workers never create topics; `latentprint topics create` does, and an operator may.
"""

import re
from dataclasses import dataclass

from worker.errors import StopError
from worker.events.image_event import MAX_IMAGE_BYTES
from worker.settings.delivery import HEADROOM_BYTES

DEFAULT_PREFIX = "latentprint."
DEFAULT_PARTITIONS = 12
"""Twelve divides evenly among 1, 2, 3, 4, 6 and 12 workers. Kafka never shrinks a topic, and
growing one moves keys to other partitions, so it is worth starting with room."""

_DAY_MS = 24 * 60 * 60 * 1000
_MIB = 1024 * 1024

NOTIFY_LETTER_BYTES = _MIB + HEADROOM_BYTES
"""An alert, which its topic holds to a MiB, and the `notify.*` headers beside it."""


UNCOMPRESSED = "uncompressed"

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,200}")


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of the eight topics under one prefix.

    A worker in shadow reads the same inputs and writes to outputs of its own.
    """

    prefix: str = DEFAULT_PREFIX
    shadow: bool = False

    def __post_init__(self) -> None:
        if self.prefix and not _NAME.fullmatch(self.prefix):
            raise StopError(
                f"topic prefix {self.prefix!r} does not suit Kafka; expected at most 200 of"
                " a-z A-Z 0-9 . _ -, for example 'latentprint.'",
                exit_code=2,
            )

    @property
    def _output(self) -> str:
        return f"{self.prefix}shadow." if self.shadow else self.prefix

    @property
    def images(self) -> str:
        """Image events: the input."""
        return f"{self.prefix}images"

    @property
    def verdicts(self) -> str:
        """One verdict for every image that could be read."""
        return f"{self._output}verdicts"

    @property
    def alerts(self) -> str:
        """One alert for every flagged verdict."""
        return f"{self._output}alerts"

    @property
    def dead_letters(self) -> str:
        """Image events that will never work, as they came, with the reason."""
        return f"{self._output}dead-letters"

    @property
    def fingerprints(self) -> str:
        """One small record for every image fingerprint, kept for later attribution."""
        return f"{self._output}fingerprints"

    @property
    def redrives(self) -> str:
        """Dead letters to be judged again: the other input."""
        return f"{self.prefix}redrives"

    @property
    def decisions(self) -> str:
        """What was decided on each dead letter: redriven or discarded, by whom and why."""
        return f"{self.prefix}dead-letter-decisions"

    @property
    def notify_dead_letters(self) -> str:
        """Alerts that a receiver of `latentprint notify` did not get."""
        return f"{self.prefix}notify-dead-letters"

    @property
    def inputs(self) -> tuple[str, str]:
        """What a worker reads."""
        return self.images, self.redrives

    @property
    def outputs(self) -> tuple[str, str, str, str]:
        """What a worker writes."""
        return self.verdicts, self.alerts, self.dead_letters, self.fingerprints

    def of_worker(self) -> tuple[str, ...]:
        """What must be there before a worker starts, the first input first."""
        return (self.images, *self.outputs, self.redrives, self.decisions)

    def all(self) -> tuple[str, ...]:
        """All eight."""
        return (*self.of_worker(), self.notify_dead_letters)


def images_max_message_bytes(max_image_bytes: int = MAX_IMAGE_BYTES) -> int:
    """What the images topic takes: the largest image in binary mode, with key and headers.

    The reader takes a key of 32 KiB and attributes of 4 KiB each. Structured mode spends four
    bytes on three, so its images must be a quarter smaller.
    """
    return max_image_bytes + HEADROOM_BYTES


def dead_letters_max_message_bytes(max_image_bytes: int = MAX_IMAGE_BYTES) -> int:
    """What the dead-letter topic takes: any image event, and the `dlq.*` headers beside it."""
    return images_max_message_bytes(max_image_bytes) + HEADROOM_BYTES


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """How one topic is to be made; `replication` None leaves the factor to the cluster.

    `uncompressed` has the broker unpack what it is sent, and so hold each record to its own size;
    otherwise `max.message.bytes` bounds batches as they are compressed, and 19 KB of zstd can be
    600 MiB. Images are compressed already.
    """

    name: str
    partitions: int
    replication: int | None
    retention_ms: int
    max_message_bytes: int
    uncompressed: bool = False

    def configs(self) -> dict[str, str]:
        """The topic's settings, as Kafka names them."""
        configs = {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
        }
        if self.uncompressed:
            configs["compression.type"] = UNCOMPRESSED
        if self.replication is not None and self.replication >= 3:
            # acks=all means nothing while one replica alone may answer.
            configs["min.insync.replicas"] = "2"
        return configs


def plan_topics(
    topics: Topics,
    *,
    partitions: int = DEFAULT_PARTITIONS,
    replication: int | None = None,
    max_image_bytes: int = MAX_IMAGE_BYTES,
) -> tuple[TopicPlan, ...]:
    """The eight topics as they should be.

    Images stay a week, for a replay after an outage; verdicts and fingerprints 30 days, so that a
    generator registered tomorrow is found in this month's uploads; alerts 180 days, for appeals;
    dead letters 14 days, since they hold whole images, and redrives as long; decisions on them 180
    days; alerts that a receiver did not get 30 days.
    """

    def plan(name: str, partitions: int, days: int, max_message_bytes: int) -> TopicPlan:
        uncompressed = name in topics.inputs
        days_ms = days * _DAY_MS
        return TopicPlan(name, partitions, replication, days_ms, max_message_bytes, uncompressed)

    few = min(partitions, 3)  # alerts and dead letters are rare
    return (
        plan(topics.images, partitions, 7, images_max_message_bytes(max_image_bytes)),
        plan(topics.verdicts, partitions, 30, _MIB),
        plan(topics.alerts, few, 180, _MIB),
        plan(topics.dead_letters, few, 14, dead_letters_max_message_bytes(max_image_bytes)),
        plan(topics.fingerprints, partitions, 30, _MIB),
        plan(topics.redrives, few, 14, dead_letters_max_message_bytes(max_image_bytes)),
        plan(topics.decisions, 1, 180, _MIB),
        plan(topics.notify_dead_letters, 1, 30, NOTIFY_LETTER_BYTES),
    )
