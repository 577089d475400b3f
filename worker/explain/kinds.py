"""What kind of picture it is, number by number, beside the photographs that it is judged by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Cohort, Floats
from worker.extractor.nuisance import Nuisance

MIDDLE = 0.95

MEANINGS: dict[str, str] = {
    "noise": "noise, log2 of grey levels",
    "calm_noise": "noise in calm places, log2 of grey levels",
    "flat": "blocks of one level, root of their share",
    "edge_width": "width of edges, log2 of pixels",
    "detail": "fine detail against coarse, log2",
    "dark": "samples at 0, root of their share",
    "bright": "samples at 255, root of their share",
    "comb": "levels that never occur, share",
    "saturation": "saturation, root of the mean",
    "colours": "distinct colours per pixel, log2",
    "on_grid": "steps across the 8x8 grid",
    "off_grid": "steps across a shifted grid",
    "resampled": "traces of resizing, log2",
    "side": "smaller side, log2 of pixels",
    "file_step": "coarseness of the file's tables, log2",
}


@dataclass(frozen=True, slots=True)
class KindNumber:
    """One number of the picture's kind, and where photographs have it.

    `low` to `high` is the middle 95 % of photographs, `least` to `most` all of them.
    """

    name: str
    value: float
    low: float
    high: float
    least: float
    most: float

    @property
    def unusual(self) -> bool:
        """Outside the middle 95 % of photographs."""
        return not self.low <= self.value <= self.high

    @property
    def unseen(self) -> bool:
        """Outside what any photograph showed."""
        return not self.least <= self.value <= self.most


def kind_numbers(
    kind: Floats, cohort: Cohort, own: Floats | None = None, *, alone: bool = False
) -> tuple[KindNumber, ...]:
    """Each of the fifteen numbers (15,) beside the photographs that stand behind p-values.

    Of all sizes, one vote a photograph, as the distance that makes a picture unfamiliar has them:
    the cohort's, and a tenant's `own` (N, 15), or these `alone`. Empty without photographs.
    """
    held = cohort.where(~cohort.normalises)
    _, position, views = np.unique(held.photographs, return_inverse=True, return_counts=True)
    kinds, weights = held.kinds, 1.0 / views[position]
    if own is not None:
        kinds = own if alone else np.concatenate([kinds, own])
        weights = np.append(weights[:0] if alone else weights, np.ones(len(own)))
    if not len(kinds):
        return ()
    tail = (1 - MIDDLE) / 2
    found = []
    for name, value, column in zip(Nuisance.NAMES, kind, kinds.T, strict=True):
        low, high = _quantiles(column, weights, (tail, 1 - tail))
        found.append(
            KindNumber(name, float(value), low, high, float(column.min()), float(column.max()))
        )
    return tuple(found)


def _quantiles(
    values: Floats, weights: NDArray[np.float64], shares: Sequence[float]
) -> list[float]:
    order = np.argsort(values, kind="stable")
    passed = weights[order].cumsum() / weights.sum()
    # Rounded, so that a share that is reached exactly is not missed by the sum's last digits.
    at = np.searchsorted(passed.round(9), shares).clip(max=len(values) - 1)
    return [float(one) for one in values[order[at]]]
