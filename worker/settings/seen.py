"""What is written to stderr, and where the worker can be seen from outside."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from worker.settings.group import Group, Listen, listens_at


class LoggingSettings(Group):
    """What is written to stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level"
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: console on a terminal, one JSON object a line elsewhere"
    )


class MetricsSettings(Group):
    """Where figures and health are served, over HTTP."""

    listen: Listen | None = Field(
        default=None,
        description="HOST:PORT for Prometheus and probes, such as 127.0.0.1:9464; slot N listens N"
        " ports above; empty: nobody listens",
    )
    port_per_slot: bool = Field(
        default=True,
        description="false: every slot listens at that very port, where each has an address of its"
        " own, as pods have",
    )

    def address(self, slot: int) -> tuple[str, int] | None:
        """Host and port where the process with this slot, or first slot, listens."""
        return listens_at(self.listen, slot if self.port_per_slot else 0)


class TracingSettings(Group):
    """Where spans of batches and commits are sent."""

    endpoint: str | None = Field(
        default=None,
        description="URL of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318;"
        " empty: none are made; needs the extra otel",
    )

    @field_validator("endpoint")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        expected = "expected http://HOST:PORT or https://HOST, such as http://127.0.0.1:4318"
        try:
            parts = urlsplit(value)
            sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound:
            raise ValueError(expected)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(f"{expected}; credentials go into OTEL_EXPORTER_OTLP_HEADERS")
        return value

    @property
    def traces_url(self) -> str | None:
        """The whole address; a collector's own path for spans where none is given."""
        if self.endpoint is None:
            return None
        bare = urlsplit(self.endpoint).path in ("", "/")
        return self.endpoint.rstrip("/") + ("/v1/traces" if bare else "")
