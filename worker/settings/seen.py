"""What is written to stderr, and where the figures can be scraped."""

from typing import Literal

from pydantic import Field, field_validator

from worker.settings.group import Group


class LoggingSettings(Group):
    """What is written to stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level"
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: console on a terminal, one JSON object a line elsewhere"
    )


class MetricsSettings(Group):
    """Where the figures can be scraped."""

    listen: str | None = Field(
        default=None,
        description="HOST:PORT for Prometheus, such as 127.0.0.1:9464; slot N listens N ports"
        " above; empty: nobody listens",
    )

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None:
            host, _, port = value.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65536:
                raise ValueError("expected HOST:PORT, such as 127.0.0.1:9464")
        return value
