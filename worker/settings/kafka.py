"""How the worker reaches Kafka and who it is there."""

import re
import ssl
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from fingerprint_db.redis_store.address import masked
from worker.settings.group import MOST, Group, Seconds


class KafkaSettings(Group):
    """How the worker reaches Kafka and who it is there."""

    brokers: str = Field(
        default="127.0.0.1:9092", description="host:port of one or more brokers, commas"
    )
    prefix: str = Field(default="latentprint.", description="what all eight topic names begin with")
    group: str = Field(
        default="latentprint-worker",
        description="consumer group; with the slot it also names member and transactional id",
    )
    shadow: bool = Field(
        default=False,
        description="judge beside the workers that count: the group is GROUP-shadow, and outputs go"
        " to topics PREFIXshadow.*",
    )
    slot: int = Field(
        default=0,
        ge=0,
        le=MOST,
        description="this process's place in the group; two with one slot fence each other",
    )
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="security protocol; SASL_SSL wherever a network is between"
    )
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "OAUTHBEARER"] = Field(
        default="SCRAM-SHA-512", description="used when security is SASL_*"
    )
    sasl_username: str | None = Field(
        default=None, description="used when security is SASL_*, but for OAUTHBEARER"
    )
    sasl_password: SecretStr | None = Field(default=None, description="secret; never printed")
    sasl_oauth_token: SecretStr | None = Field(
        default=None,
        description="secret; for OAUTHBEARER; in a file, since it runs out and is to be replaced",
    )
    tls_ca_file: Path | None = Field(
        default=None,
        description="PEM of the authority that signed brokers; empty: the system's own",
    )
    tls_cert_file: Path | None = Field(
        default=None, description="PEM of our own certificate, where brokers ask for one (mTLS)"
    )
    tls_key_file: Path | None = Field(
        default=None, description="PEM of its key; empty: in the file of the certificate"
    )
    tls_key_password: SecretStr | None = Field(
        default=None, description="secret; of the key, where it is encrypted"
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

    @property
    def member_group(self) -> str:
        """The consumer group of the worker; in shadow another one, so that it takes no event."""
        return f"{self.group}-shadow" if self.shadow else self.group

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

    @field_validator("tls_cert_file", "tls_key_file")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                value.read_bytes()
            except OSError as error:
                raise ValueError(f"expected a PEM file ({error.strerror})") from None
        return value

    @field_validator("group", "prefix")
    @classmethod
    def _kafka_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", value):
            raise ValueError("expected 1 to 200 of A-Z, a-z, 0-9, '.', '_', '-'")
        return value
