"""What happens when the group gives this worker partitions or takes them away."""

import time
from collections.abc import Callable
from typing import Any

import structlog
from kafka import ConsumerRebalanceListener
from kafka.structs import TopicPartition

from worker.failpoints import Failpoint
from worker.metrics import Figures
from worker.stream.in_flight import Ownership


class RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs on the client's I/O thread: it changes tags and waits a bounded time, nothing else."""

    def __init__(
        self,
        consumer: Callable[[], Any],
        ownership: Ownership[Any],
        revoke_deadline_s: float,
        figures: Figures,
        failpoint: Failpoint,
    ) -> None:
        self._consumer = consumer
        self._failpoint = failpoint
        self._ownership = ownership
        self._revoke_deadline_s = revoke_deadline_s
        self._figures = figures
        self._log = structlog.get_logger("worker")

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        member_id = self._consumer().group_metadata().member_id
        self._ownership.assign(assigned, member_id)
        self._figures.add("rebalances")
        self._log.info("assigned", partitions=_names(assigned))

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        started = time.monotonic()
        self._failpoint("in_revoke")
        complete = self._ownership.revoke(revoked, self._revoke_deadline_s)
        self._figures.add("rebalances")
        if not complete:
            self._figures.add("revocations_cut")
        self._log.info(
            "revoked",
            partitions=_names(revoked),
            complete=complete,
            seconds=round(time.monotonic() - started, 3),
        )

    def on_partitions_lost(self, lost: set[TopicPartition]) -> None:
        self._ownership.lose(lost)
        self._figures.add("rebalances")
        self._log.warning("lost", partitions=_names(lost))


def _names(partitions: set[TopicPartition]) -> list[str]:
    return sorted(f"{tp.topic}-{tp.partition}" for tp in partitions)
