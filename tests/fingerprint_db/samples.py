"""Small model fingerprints and a clock for the registry's tests."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint, Status

SPACE = "a1" * 32
OTHER_SPACE = "b2" * 32


def statistics(condition: str, seed: int, dimension: int = 3) -> ConditionStatistics:
    """Statistics of made-up numbers; the same for the same arguments."""
    numbers = np.random.default_rng(seed)
    return ConditionStatistics(
        condition=condition,
        count=8,
        mean=as_stored(numbers.normal(size=dimension)),
        variance=as_stored(numbers.uniform(0.5, 1.5, size=dimension)),
        distance_limit=float(numbers.uniform(1, 9)),
    )


def as_stored(numbers: NDArray[np.floating]) -> NDArray[np.float32]:
    """The nearest numbers that float16 holds, which come back from storage bit for bit."""
    return numbers.astype(np.float16).astype(np.float32)


def model(
    model_id: str,
    *,
    name: str | None = None,
    status: Status = "shadow",
    space: str = SPACE,
    seed: int = 0,
    dimension: int = 3,
    conditions: Sequence[str] = ("unchanged", "jpeg-75"),
) -> ModelFingerprint:
    """A model fingerprint; its content depends on the arguments alone."""
    return ModelFingerprint(
        model_id=model_id,
        name=name or model_id.upper(),
        family="gan",
        space=space,
        status=status,
        statistics=tuple(statistics(c, seed + i, dimension) for i, c in enumerate(conditions)),
        sample_count=8 * len(conditions),
        registered_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        registered_by="ada",
        reason="first sighting",
    )


class TickingClock:
    """A clock that is one second further at each call."""

    def __init__(self) -> None:
        self._ticks = 0
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self._ticks += 1
            return datetime(2026, 5, 1, tzinfo=UTC) + timedelta(seconds=self._ticks)
