"""From raw times to figures: the rate and cost of a run, medians and ranges over rounds, ratios."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

WARM_S: Final = 10.0
"""Seconds after a run's first verdict that are left out: a process that joins a group is told to
the others by their heartbeats, every 3 s, and what is in flight ends before partitions move."""

END_SHARE: Final = 0.1
"""The last tenth of the verdicts is left out: one process may have no partition left to read."""

_FEWEST: Final = 100


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and the least and the most that it is of."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        return cls(median(values), min(values), max(values))


def measured(
    made_at_s: Sequence[float], used: Sequence[tuple[float, float]]
) -> dict[str, float | int]:
    """Images a second and processor ms an image between the end of warming up and the last tenth.

    `made_at_s` is when each verdict was made, in any order; `used` (time, processor seconds) of the
    process tree, by the same clock. ValueError where too few verdicts are left.
    """
    times = sorted(made_at_s)
    began, ended = times[0] + WARM_S, times[round((1 - END_SHARE) * len(times)) - 1]
    counted = sum(began < made <= ended for made in times)
    if counted < _FEWEST:
        raise ValueError(
            f"{counted} of {len(times)} verdicts came later than {WARM_S:g} s after the first and"
            f" before the last tenth, expected at least {_FEWEST}; raise --images"
        )
    spent = at(used, ended) - at(used, began)
    return {
        "counted": counted,
        "seconds": round(ended - began, 3),
        "images_per_s": round(counted / (ended - began), 2),
        "cpu_ms": round(1000 * spent / counted, 2),
    }


def at(line: Sequence[tuple[float, float]], when: float) -> float:
    """A line's value at a time, straight between its points; its ends go on level."""
    before = [point for point in line if point[0] <= when]
    after = [point for point in line if point[0] > when]
    if not before:
        return after[0][1]
    if not after:
        return before[-1][1]
    (t0, v0), (t1, v1) = before[-1], after[0]
    return v0 + (v1 - v0) * (when - t0) / (t1 - t0)


def of(runs: Sequence[Mapping[str, Any]], contender: str, slots: int, what: str) -> list[float]:
    """A figure of a contender in each round, in the order of rounds."""
    found = [r for r in runs if r["contender"] == contender and r["slots"] == slots]
    return [float(run[what]) for run in sorted(found, key=lambda run: int(run["round"]))]


def over(one: Sequence[float], other: Sequence[float]) -> Spread:
    """How many times the other, round by round, so that what a round met falls on both."""
    return Spread.of([a / b for a, b in zip(one, other, strict=True)])
