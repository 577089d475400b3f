"""Where the registry is and who we are there."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from fingerprint_db.redis_store.address import RedisAddress, url_problem
from worker.settings.group import MOST_SECONDS, Group


class RedisSettings(Group):
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
        le=MOST_SECONDS,
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
            self.password,
            self.tls_ca_file,
            self.tls_cert_file,
            self.tls_key_file,
        )
