"""How much is in flight, when it is committed, and when too much is rejected."""

from typing import Literal

from pydantic import Field

from worker.settings.group import Count, Group, Seconds

HEADROOM_BYTES = 64 * 1024
"""What a dead letter may be larger than the event it holds: its `dlq.*` headers."""


class DeliverySettings(Group):
    """How much is in flight, when it is committed, and when too much is rejected."""

    mode: Literal["exactly_once", "at_least_once"] = Field(
        default="exactly_once",
        description="at_least_once may publish a verdict twice after a crash",
    )
    commit_interval_ms: float = Field(
        default=200.0,
        ge=1,
        le=10_000,
        description="ms from one transaction to the next; what is answered meanwhile is in it",
    )
    commit_records: Count = Field(
        default=256, description="events; commit at once when so many are ready"
    )
    max_in_flight_records: Count = Field(
        default=1024, description="events; above it partitions pause"
    )
    max_in_flight_mib: Count = Field(
        default=24, description="MiB of images; above it partitions pause"
    )
    on_lost_records: Literal["stop", "continue"] = Field(
        default="stop",
        description="when records were deleted before they were judged: stop, or count and go on",
    )
    drain_deadline_s: Seconds = Field(
        default=12.0, description="s; SIGTERM to last commit; exit 0 follows within 20 s"
    )
    max_consecutive_rejects: Count = Field(
        default=100,
        description="events; more dead letters in a row put their sender into quarantine",
    )
    max_reject_ratio: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="share of dead letters in the window, above which the same is done",
    )
    reject_window: int = Field(
        default=500, ge=10, le=5000, description="events; the window of the share above"
    )
    quarantine_s: float = Field(
        default=300.0,
        ge=0,
        le=86_400,
        description="s; then one event of that sender is tried; 0: the worker stops instead",
    )
    max_quarantined: Count = Field(
        default=3, description="senders; so many quarantines within an hour stop the worker"
    )
