"""bundle.json: what a bundle says of itself."""

from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fingerprint_db.background import DecisionConstants
from fingerprint_db.conditions import CODECS, Codec, readings_of

Group = Literal["lossless", "lossy"]
GROUPS: tuple[Group, ...] = ("lossless", "lossy")
"""Of codecs: those of a group share their block statistics and one basis."""
ARCHITECTURE = "block-statistics-1"


def group_of(codec: Codec) -> Group:
    """The group that a codec belongs to."""
    return "lossless" if codec in readings_of("lossless") else "lossy"


def codecs_of(group: Group) -> tuple[Codec, ...]:
    """The codecs of a group, in order."""
    return tuple(codec for codec in CODECS if group_of(codec) == group)


def default_bundle_path() -> Path:
    """Where the bundle that comes with the package lies."""
    return Path(str(resources.files("worker.extractor"))) / "default_bundle"


class BundleDocument(BaseModel):
    """bundle.json, checked; digests are SHA-256 in hexadecimal.

    `region_rule` names how the worker chose the regions that all this was measured on
    (worker/decoder/regions.py), `first_pixels` and `most_pixels` how many of them. `blocks` are the
    statistics that each group of codecs reads, in the order of their numbers; `clip` bounds them,
    in deviations. `dimension` is D. `decision` are the constants of enrolment and attribution,
    `conditions` those that models may be enrolled under, `size_classes` those of the photographs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str
    architecture: str
    region_rule: str
    first_pixels: int
    most_pixels: int
    clip: float = Field(gt=0, allow_inf_nan=False)
    dimension: int = Field(ge=1)
    blocks: dict[Group, tuple[str, ...]]
    decision: DecisionConstants
    conditions: tuple[str, ...]
    size_classes: tuple[str, ...]
    provenance: dict[str, str | int | float]
    files: dict[str, str]
