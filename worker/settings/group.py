"""What every group of settings is made of: frozen, nothing unknown, no number that is none."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MEBIBYTE = 1024 * 1024


class Group(BaseModel):
    """One group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
