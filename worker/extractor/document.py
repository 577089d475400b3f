"""bundle.json: what a bundle says of itself."""

from pydantic import BaseModel, ConfigDict, Field

from fingerprint_db.background import DecisionConstants
from worker.extractor.calibration import BINS, SMALL_SIDE, TINY_SIDE


class BundleDocument(BaseModel):
    """bundle.json, checked; digests are SHA-256 in hexadecimal.

    Every architecture has `crop_size` and `dimension`. The residual sizes are those of
    `NetworkSizes`; `sources` are the classes of an attribution network in the order of its logits,
    real first. `vector_spread` and `score_spread` are what one deviation of a fingerprint's number
    (within one generator) and of a real photo's score comes to, the units of the self-test.
    `crop_rule` names how the worker chose the crops that all this was measured on
    (worker/decoder/crops.py); `decision` are the constants of enrolment and attribution.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str
    architecture: str
    crop_size: int
    max_crops: int
    crop_rule: str
    residual_width: int = 0
    residual_features: int = 0
    dimension: int
    sources: tuple[str, ...] = ()
    vector_spread: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    score_spread: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    decision: DecisionConstants
    conditions: tuple[str, ...]
    calibration_bins: tuple[str, ...]
    provenance: dict[str, str | int | float]
    files: dict[str, str]


def reachable_bins(crop_size: int) -> tuple[str, ...]:
    """The calibration bins that images may fall into: none below 3/4 of the crops' side.

    Smaller images are `too_small` (worker/decoder/decode.py) and get no score.
    """
    limits = {"tiny": TINY_SIDE, "small": SMALL_SIDE}  # exclusive; large images have none
    found = []
    for name in BINS:
        limit = limits.get(name.rsplit("_", 1)[1])
        if limit is None or 4 * (limit - 1) >= 3 * crop_size:
            found.append(name)
    return tuple(found)
