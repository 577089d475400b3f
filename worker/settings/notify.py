"""How alerts are told to others: `latentprint notify`."""

import re
from pathlib import Path

from pydantic import Field, field_validator

from worker.settings.group import Count, Group, Listen, Seconds, listens_at


class NotifySettings(Group):
    """How alerts are told to others; who they are stands in a file of its own."""

    file: Path | None = Field(
        default=None, description="TOML of the receivers; deploy/notify.example.toml explains it"
    )
    group: str = Field(
        default="latentprint-notify",
        description="consumer group; with kafka.slot it also names member and transactional id",
    )
    budget_s: Seconds = Field(
        default=300.0,
        description="s; an alert that a receiver has not taken by then becomes a dead letter",
    )
    timeout_s: float = Field(
        default=10.0, gt=0, le=12, description="s; one try, from connecting to the answer"
    )
    queue_messages: Count = Field(
        default=1000,
        description="messages; what waits for one receiver, beyond it dead letters at once",
    )
    listen: Listen | None = Field(
        default=None,
        description="HOST:PORT of figures and health, such as 127.0.0.1:9474; slot N listens N"
        " ports above; empty: nobody listens",
    )

    @field_validator("group")
    @classmethod
    def _kafka_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", value):
            raise ValueError("expected 1 to 200 of A-Z, a-z, 0-9, '.', '_', '-'")
        return value

    def address(self, slot: int) -> tuple[str, int] | None:
        """Host and port where the process with this slot listens."""
        return listens_at(self.listen, slot)
