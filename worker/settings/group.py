"""What every group of settings is made of: frozen, nothing unknown, no number that is none."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

MEBIBYTE = 1024 * 1024


class Group(BaseModel):
    """One group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        """Refuse `slot = true` of a file, which would count as 1."""
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and field.annotation in (int, float):
            raise ValueError("expected a number")
        return value


MOST_SECONDS = 86_400
"""A day: more than anything here waits, and in ms still below what Kafka's 32 bits hold."""

MOST = 2**31 - 1
"""What the 32 bits hold in which Kafka and the kernel take numbers; more ends in a traceback."""

Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS)]
Count = Annotated[int, Field(ge=1, le=MOST)]


def _listening(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("expected HOST:PORT, such as 127.0.0.1:9464")
    return value


Listen = Annotated[str, AfterValidator(_listening)]
"""HOST:PORT at which a process listens."""


def listens_at(listen: str | None, above: int) -> tuple[str, int] | None:
    """Host and port, so many ports above; None where nobody listens."""
    if listen is None:
        return None
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port) + above
