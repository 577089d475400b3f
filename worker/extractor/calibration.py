"""The test against real photos: conformal p-values and the error rate that can be stated.

Scores of real photos are kept per bin (codec and size of the file, both known from its header),
since a clean thumbnail and a recompressed photo do not score alike. p = (1 + #{s_i >= s})/(n + 1)
is valid for exchangeable photos (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random
World", 2005). A second, disjoint set of photos states the rate that was really measured.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.conditions import codec_of

Scores = NDArray[np.float32]

# Below a side of 48 an image has one crop or few that overlap, below 96 few that do not: averages
# over them are noisier, and real thumbnails score higher than photos.
TINY_SIDE, SMALL_SIDE = 48, 96
_CODEC_GROUP = {
    "as_received": "lossless",
    "jpeg95": "jpeg_high",
    "jpeg90": "jpeg_high",
    "jpeg85": "jpeg_middle",
    "jpeg75": "jpeg_middle",
    "jpeg60": "jpeg_low",
    "webp80": "webp",
}
BINS: tuple[str, ...] = tuple(
    f"{group}_{size}"
    for group in ("lossless", "jpeg_high", "jpeg_middle", "jpeg_low", "webp")
    for size in ("tiny", "small", "large")
)


def bin_of(lossy: bool, jpeg_quality: int | None, smaller_side: int) -> str:
    """The calibration bin of a file: its codec group, and the size class of its smaller side."""
    group = _CODEC_GROUP[codec_of(lossy, jpeg_quality)]
    if smaller_side < SMALL_SIDE:
        return f"{group}_{'tiny' if smaller_side < TINY_SIDE else 'small'}"
    return f"{group}_large"


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Scores of real photos per bin: `reference` sorted ascending, `held_out` disjoint from it."""

    reference: Mapping[str, Scores]
    held_out: Mapping[str, Scores]

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[np.generic]], bins: tuple[str, ...]
    ) -> "Calibration":
        """From the arrays of calibration.safetensors, `reference.<bin>` and `held_out.<bin>`."""
        return cls(
            {name: np.sort(arrays[f"reference.{name}"].astype(np.float32)) for name in bins},
            {name: arrays[f"held_out.{name}"].astype(np.float32) for name in bins},
        )

    def count(self, bin_name: str) -> int:
        """How many reference photos a bin holds."""
        return len(self.reference[bin_name])

    def p_value(self, bin_name: str, score: float) -> float:
        """The conformal p-value of a score: small where few real photos score as high."""
        reference = self.reference[bin_name]
        as_high = len(reference) - int(np.searchsorted(reference, score, side="left"))
        return (1 + as_high) / (len(reference) + 1)

    def stated_rate(self, bin_name: str, alpha: float) -> tuple[float, float]:
        """The false-positive rate measured on held-out photos at `alpha`, and its upper bound.

        The bound is the one-sided 95 % limit of Clopper and Pearson (1934). Views of one photo
        are not independent, so with few photos the bound is optimistic; the report says so.
        """
        held_out = self.held_out[bin_name]
        exceed = sum(self.p_value(bin_name, float(score)) <= alpha for score in held_out)
        return exceed / max(1, len(held_out)), clopper_pearson_upper(exceed, len(held_out))


def clopper_pearson_upper(events: int, trials: int, confidence: float = 0.95) -> float:
    """The largest rate under which `events` or fewer of `trials` has probability 1 - confidence."""
    if trials == 0 or events >= trials:
        return 1.0
    low, high = events / trials, 1.0
    for _ in range(60):  # halving 60 times exhausts float64
        middle = (low + high) / 2
        if _binomial_cdf(events, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _binomial_cdf(events: int, trials: int, rate: float) -> float:
    """P(X <= events) for X binomial(trials, rate), summed from logarithms."""
    if rate <= 0.0:
        return 1.0
    if rate >= 1.0:
        return 0.0
    total = 0.0
    for k in range(events + 1):
        log_choose = math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        total += math.exp(log_choose + k * math.log(rate) + (trials - k) * math.log1p(-rate))
    return total
