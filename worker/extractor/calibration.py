"""The test against real photos: conformal p-values and the error rate that can be stated.

Scores of views of real photographs are kept per bin (codec and size of the file, both known from
its header), since a clean thumbnail and a recompressed photo do not score alike. Views of one
photograph are alike, so that photographs are counted and not views: with K photographs of which
the k-th has n_k views,

    p = (1 + sum_k (1/n_k) #{i: s_ki >= s}) / (K + 1),

valid for one view of a further photograph that is exchangeable with them (Dunn, Wasserman and
Ramdas, "Distribution-free prediction sets for two-layer hierarchical models", 2018; Lee, Barber
and Willett, "Distribution-free inference with hierarchical data", 2023). A second, disjoint set of
photographs states the rate that was really measured.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

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
class PhotographScores:
    """Scores (N,) float32 of views, ascending, and which photograph each shows, (N,) int64.

    `count` is the number of distinct photographs; `as_high` (N + 1,) the sum, over the views from
    the i-th on, of their shares of a photograph (one over its views, unless given): in photographs.
    """

    scores: Scores
    photographs: NDArray[np.int64]
    count: int
    as_high: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        scores: NDArray[np.generic],
        photographs: NDArray[np.generic],
        shares: NDArray[np.float64] | None = None,
    ) -> Self:
        """From N scores and as many photographs, in any order; ValueError where N differs.

        `shares` (N,) sum to 1 over the views of each photograph: equal ones unless given.
        """
        if scores.ndim != 1 or scores.shape != photographs.shape:
            raise ValueError(
                f"{scores.shape} scores of views come with {photographs.shape} photographs;"
                " expected one photograph for each score"
            )
        order = np.lexsort((photographs, scores))
        _, position, views = np.unique(photographs, return_inverse=True, return_counts=True)
        share = 1 / views[position[order]] if shares is None else shares[order]
        # Rounded, so that a photograph whose views all score higher counts as exactly one.
        as_high = np.append(share[::-1].cumsum()[::-1], 0.0).round(9)
        return cls(
            scores[order].astype(np.float32),
            photographs[order].astype(np.int64),
            len(views),
            as_high,
        )

    def photographs_as_high(self, score: float) -> float:
        """How many photographs score at least as high, one with some such views in part."""
        return float(self.as_high[np.searchsorted(self.scores, score, side="left")])

    def p_value(self, score: float) -> float:
        """The conformal p-value of a score: small where few photographs score as high."""
        return (1 + self.photographs_as_high(score)) / (self.count + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Scores of real photographs per bin; those of `held_out` are none of `reference`."""

    reference: Mapping[str, PhotographScores]
    held_out: Mapping[str, PhotographScores]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], bins: tuple[str, ...]) -> Self:
        """From the arrays of calibration.safetensors; see `arrays`."""
        reference, held_out = (
            {
                name: PhotographScores.of(
                    arrays[f"{part}.{name}"], arrays[f"{part}_photographs.{name}"]
                )
                for name in bins
            }
            for part in ("reference", "held_out")
        )
        return cls(reference, held_out)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """As calibration.safetensors holds them, per bin and part (`reference`, `held_out`).

        `<part>.<bin>` (N,) float32 are scores and `<part>_photographs.<bin>` (N,) int64 name the
        photograph of each.
        """
        found: dict[str, NDArray[np.generic]] = {}
        for part, bins in (("reference", self.reference), ("held_out", self.held_out)):
            for name, scored in bins.items():
                found[f"{part}.{name}"] = scored.scores
                found[f"{part}_photographs.{name}"] = scored.photographs
        return found

    def count(self, bin_name: str) -> int:
        """How many distinct reference photographs a bin holds."""
        return self.reference[bin_name].count

    def p_value(self, bin_name: str, score: float) -> float:
        """The conformal p-value of a score: small where few real photographs score as high."""
        return self.reference[bin_name].p_value(score)

    def stated_rate(self, bin_name: str, alpha: float) -> tuple[float, float]:
        """The false-positive rate measured on held-out photographs at `alpha`, and a bound of it.

        The rate is the mean, over photographs, of the share of a photograph's views that pass. The
        bound is the one-sided 95 % limit of Clopper and Pearson (1934) for as many trials as there
        are photographs, with the sum of these shares rounded up to whole photographs.
        """
        held_out = self.held_out[bin_name]
        passing = [self.p_value(bin_name, float(score)) <= alpha for score in held_out.scores]
        first = passing.index(True) if True in passing else len(passing)
        flagged = float(held_out.as_high[first])  # p falls as the score rises
        bound = clopper_pearson_upper(math.ceil(flagged), held_out.count)
        return flagged / max(1, held_out.count), bound


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
