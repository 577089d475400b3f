"""ModelFingerprint: one registered generator, frozen and checked.

In Yu, Davis and Fritz (ICCV 2019) a model fingerprint is the 512-d row of the classifier that
belongs to a source. Here it is the class statistics of the generator's image fingerprints, kept
apart for each recompression condition, so that a new generator needs no retraining.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

Status = Literal["shadow", "live", "retired"]

_MODEL_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SPACE = re.compile(r"[0-9a-f]{64}")
_KEPT = (np.dtype(np.float16), np.dtype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class ConditionStatistics:
    """The class statistics of one generator's images under one recompression condition.

    `mean` (D,) and `variance` (D,), the mean square of the deviations from it in each number, are
    float32. `distance_limit` is the largest squared Mahalanobis distance at which an image still
    counts as this model's; it rests on `count` leave-one-out distances. The numbers of both arrays
    are such as float16 holds, so that an entry comes back from storage bit for bit.
    """

    condition: str
    count: int
    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    distance_limit: float

    def __post_init__(self) -> None:
        dimension = self.mean.shape[0] if self.mean.ndim == 1 else -1
        if dimension < 1 or self.variance.shape != (dimension,):
            raise ValueError(
                f"statistics of condition {self.condition!r}: mean has shape {self.mean.shape} and"
                f" variance {self.variance.shape}; expected (D,) each"
            )
        if self.mean.dtype != np.float32 or self.variance.dtype != np.float32:
            raise ValueError(
                f"statistics of condition {self.condition!r}: dtypes {self.mean.dtype} and"
                f" {self.variance.dtype}; expected float32"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.variance).all()):
            raise ValueError(f"statistics of condition {self.condition!r} hold NaN or infinity")
        if self.count < 2:
            raise ValueError(f"condition {self.condition!r} rests on {self.count} samples, needs 2")


@dataclass(frozen=True, slots=True, eq=False)
class Statistics(Sequence[ConditionStatistics]):
    """Those of one generator under all of its conditions, in as few bytes as they are stored in.

    `means` and `variances` (C, D) are float16 where that holds them, which it does of all that is
    enrolled; what is asked for comes as float32.
    """

    conditions: tuple[str, ...]
    counts: tuple[int, ...]
    limits: tuple[float, ...]
    means: NDArray[np.floating]
    variances: NDArray[np.floating]

    def __post_init__(self) -> None:
        known = ", ".join(self.conditions)
        if self.means.ndim != 2 or self.means.shape[1] < 1:
            raise ValueError(f"means of shape {self.means.shape}; expected (C, D)")
        if self.variances.shape != self.means.shape:
            raise ValueError(
                f"means of shape {self.means.shape} come with variances of {self.variances.shape};"
                " expected (C, D) of both"
            )
        lengths = [len(self.conditions), len(self.counts), len(self.limits), len(self.means)]
        if len(set(lengths)) != 1:
            raise ValueError(
                f"{lengths[0]} conditions ({known}) come with {lengths[1]} counts, {lengths[2]}"
                f" limits and {lengths[3]} means; expected as many of each"
            )
        for array in (self.means, self.variances):
            if array.dtype not in _KEPT or not array.flags.c_contiguous:
                raise ValueError(
                    f"statistics of {known} lie as {array.dtype} with steps of {array.strides}"
                    " bytes; expected float16 or float32 in one piece, from which rows are read"
                    " (numpy.ascontiguousarray)"
                )
        for name, count in zip(self.conditions, self.counts, strict=True):
            if count < 2:
                raise ValueError(f"condition {name!r} rests on {count} samples, needs 2")
        if not (np.isfinite(self.means).all() and np.isfinite(self.variances).all()):
            raise ValueError(f"statistics of {known} hold NaN or infinity")

    @classmethod
    def of(cls, entries: Iterable[ConditionStatistics]) -> Self:
        """The same of these, which are of one size."""
        every = tuple(entries)
        return cls(
            tuple(sys.intern(one.condition) for one in every),
            tuple(one.count for one in every),
            tuple(one.distance_limit for one in every),
            _halved([one.mean for one in every]),
            _halved([one.variance for one in every]),
        )

    def __len__(self) -> int:
        return len(self.conditions)

    @overload
    def __getitem__(self, place: int) -> ConditionStatistics: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[ConditionStatistics, ...]: ...

    def __getitem__(
        self, place: int | slice
    ) -> ConditionStatistics | tuple[ConditionStatistics, ...]:
        if isinstance(place, slice):
            return tuple(self[i] for i in range(*place.indices(len(self))))
        return ConditionStatistics(
            self.conditions[place],
            self.counts[place],
            _single(self.means[place]),
            _single(self.variances[place]),
            self.limits[place],
        )


def _halved(arrays: Sequence[NDArray[np.float32]]) -> NDArray[np.floating]:
    """(C, D), read-only; float32 where float16 would round."""
    whole = np.stack(arrays)
    with np.errstate(over="ignore"):
        half = whole.astype(np.float16)
    kept: NDArray[np.floating] = half if np.array_equal(half, whole) else whole
    kept.flags.writeable = False
    return kept


def _single(array: NDArray[np.floating]) -> NDArray[np.float32]:
    found = array.astype(np.float32)
    found.flags.writeable = False
    return found


@dataclass(frozen=True, slots=True, eq=False)
class ModelFingerprint:
    """One registered generator in one fingerprint space.

    `space` is the digest of the extractor bundle: fingerprints of different spaces are never
    compared. `statistics` holds one entry per condition, in the order they were enrolled; from
    whatever sequence it is given, it is kept as `Statistics`.
    """

    model_id: str
    name: str
    family: str
    space: str
    status: Status
    statistics: Sequence[ConditionStatistics]
    sample_count: int
    registered_at: datetime
    registered_by: str
    reason: str

    def __post_init__(self) -> None:
        if not _MODEL_ID.fullmatch(self.model_id):
            raise ValueError(
                f"model id {self.model_id!r}: expected 1 to 64 of a-z, 0-9, '.', '_', '-', starting"
                " with a letter or a digit"
            )
        if not _SPACE.fullmatch(self.space):
            raise ValueError(f"space {self.space!r}: expected a bundle's SHA-256 in hexadecimal")
        if not self.name.strip():
            raise ValueError("the model's name is empty; give the generator a name")
        if not self.statistics:
            raise ValueError(f"model {self.name!r} has no statistics; enrol it from samples")
        if not isinstance(self.statistics, Statistics):
            if len({entry.mean.shape[0] for entry in self.statistics}) != 1:
                raise ValueError(f"model {self.name!r} mixes fingerprint sizes between conditions")
            object.__setattr__(self, "statistics", Statistics.of(self.statistics))
        conditions = self.packed.conditions
        if len(set(conditions)) != len(conditions):
            raise ValueError(f"model {self.name!r} has a condition twice: {list(conditions)}")
        if self.registered_at.tzinfo is None:
            raise ValueError(f"model {self.name!r}: registered_at has no time zone")

    @property
    def packed(self) -> Statistics:
        """`statistics`, as they are kept."""
        assert isinstance(self.statistics, Statistics), "a model that was not checked"
        return self.statistics

    @property
    def dimension(self) -> int:
        """D, the size of a fingerprint in this space."""
        return int(self.packed.means.shape[1])

    def under(self, condition: str) -> ConditionStatistics | None:
        """The statistics for `condition`, or None where the model was not enrolled under it."""
        known = self.packed.conditions
        return self.statistics[known.index(condition)] if condition in known else None

    def with_status(self, status: Status) -> "ModelFingerprint":
        """A copy with another status."""
        return replace(self, status=status)
