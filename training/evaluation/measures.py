"""Shares with their intervals, open-set curves, and how well p-values keep their word.

Letters: N pictures, B resamples.
"""

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.matching.photographs import clopper_pearson_upper

_RESAMPLES = 1000
_TAIL = 2.5  # percent on each side

Numbers = NDArray[np.floating[Any]] | NDArray[np.bool_]
Names = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Share:
    """A share, 0 to 1, with the interval of 95 % by the bootstrap, and what it rests on."""

    share: float
    low: float
    high: float
    units: int

    def document(self) -> dict[str, Any]:
        """As JSON, rounded to what the counts can carry."""
        return {k: round(v, 5) if isinstance(v, float) else v for k, v in asdict(self).items()}


def share_of(values: Numbers, inner: Names, outer: Names | None = None) -> Share:
    """The mean of N values, with an interval that resamples who they are of.

    `inner` (N,) are photographs, which are drawn with replacement, all of one's values together;
    with `outer` (N,), families or sources, those are drawn first, and photographs within them
    (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8). `units`
    counts the outermost. ValueError without any value.
    """
    if not len(values):
        raise ValueError("no share can be told of no pictures")
    numbers = np.asarray(values, np.float64)
    groups = np.zeros(len(numbers), np.int64) if outer is None else _positions(outer)
    # The same values give the same interval, whatever was computed before.
    rng = np.random.default_rng(zlib.crc32(numbers.tobytes()))
    sums = np.empty((_RESAMPLES, int(groups.max()) + 1))
    counts = np.empty_like(sums)
    units = 0
    for group in range(sums.shape[1]):
        rows = groups == group
        position = _positions(inner[rows])
        size = int(position.max()) + 1
        units += size
        drawn = rng.multinomial(size, np.full(size, 1 / size), _RESAMPLES)  # (B, size)
        sums[:, group] = drawn @ np.bincount(position, numbers[rows], size)
        counts[:, group] = drawn @ np.bincount(position, minlength=size)
    if outer is not None:
        many = sums.shape[1]
        weights = rng.multinomial(many, np.full(many, 1 / many), _RESAMPLES)
        sums, counts, units = weights * sums, weights * counts, many
    means = sums.sum(1) / counts.sum(1)
    low, high = np.percentile(means, [_TAIL, 100 - _TAIL])
    return Share(float(numbers.mean()), float(low), float(high), units)


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of photographs, each of one vote whatever the number of its views.

    `bound` is Clopper and Pearson's upper one of 95 % for as many photographs; `worst` the largest
    share of a source of `LEAST` photographs, None where there is none.
    """

    share: Share
    by_source: Share
    bound: float
    worst: tuple[str, float] | None
    sources: dict[str, tuple[float, int]]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            **self.share.document(),
            "interval_by_source": [round(self.by_source.low, 5), round(self.by_source.high, 5)],
            "bound": round(self.bound, 5),
            "worst": None
            if self.worst is None
            else {"source": self.worst[0], "share": round(self.worst[1], 5)},
            "sources": {
                name: {"share": round(share, 5), "photographs": count}
                for name, (share, count) in self.sources.items()
            },
        }


LEAST = 8
"""Photographs of a source of which a rate is told: the issue's number."""


def rate_of(events: NDArray[np.bool_], photographs: Names, sources: Names) -> Rate:
    """Of N views what share of photographs has the event: of each the share of its views."""
    unique, first, position = np.unique(photographs, return_index=True, return_inverse=True)
    each = np.bincount(position, events.astype(float)) / np.bincount(position)
    whose = sources[first]
    by_source = {
        str(name): (float(each[whose == name].mean()), int((whose == name).sum()))
        for name in np.unique(whose)
    }
    told = [(share, name) for name, (share, count) in by_source.items() if count >= LEAST]
    worst = max(told, default=None)
    total = float(each.sum())
    return Rate(
        share_of(each, unique),
        share_of(each, unique, whose),
        clopper_pearson_upper(int(np.ceil(round(total, 9))), len(unique)),
        None if worst is None else (worst[1], worst[0]),
        by_source,
    )


def open_set_curve(
    correct: NDArray[np.bool_], known: NDArray[np.floating[Any]], real: NDArray[np.floating[Any]]
) -> tuple[list[tuple[float, float]], float]:
    """The open-set classification rate, and the area under it (Dhamija, Guenther, Boult 2018).

    `known` (N,) are scores of pictures of registered generators, -inf where none is accepted, and
    `correct` (N,) whether the nearest model is theirs; `real` (M,) scores of photographs. Points
    are (share of photographs at or above a score, share of known ones right and at or above it).
    """
    levels = np.unique(np.concatenate([known, real]))[::-1]
    levels = levels[np.isfinite(levels)]
    points = [(0.0, 0.0)]
    for level in levels:
        points.append((float((real >= level).mean()), float((correct & (known >= level)).mean())))
    points.append((1.0, points[-1][1]))
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))
    return _thinned(points), float(area)


def calibration(
    p_values: NDArray[np.floating[Any]], levels: Sequence[float]
) -> tuple[list[dict[str, float]], float]:
    """For each level the share of photographs whose p-value is at or below it; and their mean gap.

    A valid p-value keeps the share at or below the level; the gap is the expected calibration
    error of what a verdict states.
    """
    shares = [float((p_values <= level).mean()) for level in levels]
    rows = [{"level": level, "share": round(s, 5)} for level, s in zip(levels, shares, strict=True)]
    return rows, float(np.mean([abs(s - level) for s, level in zip(shares, levels, strict=True)]))


def reliability(
    confidences: NDArray[np.floating[Any]], right: NDArray[np.bool_], bins: int = 10
) -> tuple[list[dict[str, float]], float]:
    """Confidence and accuracy in equal steps of confidence, and their mean gap weighed by count.

    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", 2017, equation 3.
    """
    place = np.minimum((confidences * bins).astype(int), bins - 1)
    rows, error = [], 0.0
    for number in np.unique(place):
        own = place == number
        confidence, accuracy = float(confidences[own].mean()), float(right[own].mean())
        error += own.mean() * abs(confidence - accuracy)
        rows.append(
            {
                "confidence": round(confidence, 5),
                "right": round(accuracy, 5),
                "pictures": int(own.sum()),
            }
        )
    return rows, float(error)


def _positions(names: Names) -> NDArray[np.int64]:
    return np.unique(names, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _thinned(points: list[tuple[float, float]], most: int = 200) -> list[tuple[float, float]]:
    if len(points) <= most:
        return [(round(x, 5), round(y, 5)) for x, y in points]
    # Where few photographs are flagged is where the product works: half of the points stand there.
    early = [p for p in points if p[0] <= 0.05]
    late = [p for p in points if p[0] > 0.05]
    kept = [
        part[i]
        for part in (early, late)
        if part
        for i in np.unique(np.linspace(0, len(part) - 1, most // 2).round().astype(int))
    ]
    return [(round(x, 5), round(y, 5)) for x, y in kept]
