"""The settings: every one, in small frozen groups, each passed only to its user.

`worker.settings_sources` reads them from flags, environment, file and the local services' state;
no other setting is read from the environment. What `run` takes from it besides is handed on: to the
processes of its slots, and a failpoint of the scenario tests. `deploy/.env.example` lists them all.
"""

import re
import ssl
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from fingerprint_db.redis_store.address import RedisAddress, masked, url_problem

MEBIBYTE = 1024 * 1024
HEADROOM_BYTES = 64 * 1024
"""What a dead letter may be larger than the event it holds: its `dlq.*` headers."""


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class KafkaSettings(_Group):
    """How the worker reaches Kafka and who it is there."""

    brokers: str = Field(
        default="127.0.0.1:9092", description="host:port of one or more brokers, commas"
    )
    prefix: str = Field(default="latentprint.", description="what all seven topic names begin with")
    group: str = Field(
        default="latentprint-worker",
        description="consumer group; with the slot it also names member and transactional id",
    )
    slot: int = Field(
        default=0,
        ge=0,
        description="this process's place in the group; two with one slot fence each other",
    )
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="security protocol; SASL_SSL wherever a network is between"
    )
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        default="SCRAM-SHA-512", description="used when security is SASL_*"
    )
    sasl_username: str | None = Field(default=None, description="used when security is SASL_*")
    sasl_password: SecretStr | None = Field(default=None, description="secret; never printed")
    tls_ca_file: Path | None = Field(
        default=None, description="PEM of the authority that signed brokers"
    )
    txn_safety: Literal["on_ambiguity", "every_txn"] = Field(
        default="on_ambiguity",
        description="new producer after a lost connection or slow commit, or after every commit",
    )
    session_timeout_s: Seconds = Field(
        default=45.0,
        description="s; a worker silent this long loses its partitions; above a restart",
    )
    heartbeat_interval_s: Seconds = Field(
        default=3.0, description="s; below a third of the session"
    )
    max_poll_interval_s: Seconds = Field(
        default=300.0, description="s; above the longest batch and the drain together"
    )
    transaction_timeout_s: Seconds = Field(
        default=10.0,
        description="s; what an orphaned transaction may hold up its readers and successor",
    )
    commit_deadline_s: Seconds = Field(
        default=8.0,
        description="s; a commit that takes longer ends the process; below the timeout above",
    )
    request_timeout_s: Seconds = Field(
        default=5.0,
        description="s; producer requests; below the commit deadline, so rebuild comes first",
    )

    @field_validator("brokers")
    @classmethod
    def _addresses(cls, value: str) -> str:
        for address in value.split(","):
            host, _, port = address.strip().rpartition(":")
            if "/" in host or not host or not port.isdigit() or not 0 < int(port) < 65536:
                shown = masked(address.strip()) if "@" in value else address.strip()
                raise ValueError(f"expected host:port[,host:port…], {shown!r} is none")
        return value

    @field_validator("tls_ca_file")
    @classmethod
    def _authority(cls, value: Path | None) -> Path | None:
        try:
            ssl.create_default_context(cafile=value)
        except OSError as error:
            raise ValueError(f"expected a PEM file of certificates ({error})") from None
        return value

    @field_validator("group", "prefix")
    @classmethod
    def _kafka_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", value):
            raise ValueError("expected 1 to 200 of A-Z, a-z, 0-9, '.', '_', '-'")
        return value


class RedisSettings(_Group):
    """Where the registry is."""

    url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="redis:// or rediss:// address; may hold a password, so it is never printed",
    )
    username: str | None = Field(default=None, description="user of Redis; not in the address too")
    password: SecretStr | None = Field(default=None, description="secret; never printed")
    tls_ca_file: Path | None = Field(
        default=None, description="PEM of the authority that signed Redis; with rediss://"
    )
    tls_cert_file: Path | None = Field(
        default=None, description="PEM of our own certificate, where Redis asks for one"
    )
    tls_key_file: Path | None = Field(
        default=None, description="PEM of its key; empty: in the file of the certificate"
    )
    poll_s: float = Field(
        default=1.0,
        gt=0,
        le=5,
        description="s; how long one read of the change stream blocks; above 1 it counts as 1",
    )
    start_wait_s: float = Field(
        default=60.0,
        ge=0,
        description="s; how long a worker that starts waits for Redis before it gives up (exit 3)",
    )
    required: bool = Field(
        default=True,
        description="false: start without a usable registry too; all is then undetermined",
    )

    @field_validator("url")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr:
        if problem := url_problem(value.get_secret_value()):
            raise ValueError(problem)
        return value

    def address(self) -> RedisAddress:
        """Where Redis is and who we are there, for a client."""
        return RedisAddress(
            self.url.get_secret_value(),
            self.username,
            self.password.get_secret_value() if self.password else None,
            self.tls_ca_file,
            self.tls_cert_file,
            self.tls_key_file,
        )


class DecodeSettings(_Group):
    """What one image may cost in the sandboxed decoders."""

    processes: int = Field(
        default=2, ge=1, le=256, description="decoder children; about one a core"
    )
    max_image_bytes: int = Field(
        default=10 * MEBIBYTE,
        ge=1024,
        description="bytes; the one size limit, held by the topics too",
    )
    max_pixels: int = Field(
        default=100_000_000, ge=65_536, description="pixels; larger images are refused unread"
    )
    memory_mib: int = Field(
        default=1024, ge=64, description="MiB; what decoding one image may allocate"
    )
    cpu_s: Seconds = Field(default=2.0, description="s of processor time for one image")
    images_per_child: Count = Field(
        default=16,
        description="images; of one source alone; 1: no image is decoded where another was",
    )
    sandbox: Literal["required", "warn"] = Field(
        default="required",
        description="warn decodes without a full sandbox; only for images you trust",
    )


class ExtractSettings(_Group):
    """The extractor bundle and its batches."""

    bundle: Path | None = Field(
        default=None, description="folder of the bundle; empty: the one inside"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where torch computes"
    )
    batch_max_images: int = Field(
        default=16, ge=1, le=1024, description="images in one micro-batch"
    )
    batch_wait_ms: float = Field(
        default=20.0,
        ge=0,
        le=10_000,
        description="ms; how long a batch waits to fill; adds to every latency",
    )
    batch_deadline_s: Seconds = Field(
        default=120.0, description="s; a batch that takes longer ends the process"
    )


class DecisionSettings(_Group):
    """From scores to outcomes."""

    policy: Path | None = Field(
        default=None, description="TOML of the policy; empty: the one inside"
    )
    max_registry_age_s: Seconds | None = Field(
        default=None,
        description="s; an older registry view gives undetermined; empty: what the policy says",
    )


class DeliverySettings(_Group):
    """How much is in flight, when it is committed, and when too much is rejected."""

    mode: Literal["exactly_once", "at_least_once"] = Field(
        default="exactly_once",
        description="at_least_once may publish a verdict twice after a crash",
    )
    commit_interval_ms: float = Field(
        default=100.0,
        ge=1,
        le=10_000,
        description="ms; a transaction costs about 25 ms; adds to every latency",
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


class LoggingSettings(_Group):
    """What is written to stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level"
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: console on a terminal, one JSON object a line elsewhere"
    )


class MetricsSettings(_Group):
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


class Settings(_Group):
    """All groups. Build it with `worker.settings_sources.load_settings`."""

    profile: Literal["auto", "local", "production"] = Field(
        default="auto",
        description="local only warns about replication; auto: local when all brokers are loopback",
    )
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    decode: DecodeSettings = DecodeSettings()
    extract: ExtractSettings = ExtractSettings()
    decision: DecisionSettings = DecisionSettings()
    delivery: DeliverySettings = DeliverySettings()
    logging: LoggingSettings = LoggingSettings()
    metrics: MetricsSettings = MetricsSettings()

    @property
    def is_local(self) -> bool:
        """Whether weak replication is only worth a warning."""
        if self.profile != "auto":
            return self.profile == "local"
        hosts = [a.strip().rpartition(":")[0].strip("[]") for a in self.kafka.brokers.split(",")]
        return all(h in ("localhost", "::1") or h.startswith("127.") for h in hosts)
