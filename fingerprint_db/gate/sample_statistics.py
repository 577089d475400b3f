"""Mean, variance and limit of one generator's samples under one condition.

Letters: N samples, B images, D fingerprint size.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import CodecSpace, Floats
from fingerprint_db.matching.limits import distance_limit, t_quantile
from fingerprint_db.matching.rows.scoring import leave_one_out_distances
from fingerprint_db.model_fingerprint import ConditionStatistics

OUTLYING = 0.001
"""Of a generator's own images so many lie beyond the limit at which a sample is set aside."""
MOST_OUTLIERS = 0.1
"""Of the samples; where more lie apart, the folder is of several origins and not one with odd
pictures in it."""


def statistics_of(
    condition: str, vectors: Floats, space: CodecSpace, atypical: float
) -> ConditionStatistics:
    """Of N samples (N, D): an entry whose numbers are such as float16 holds."""
    mean = vectors.mean(0, dtype=np.float64)
    variance = np.square(vectors - mean).mean(0)
    limit = distance_limit(leave_one_out_distances(space, vectors), atypical)
    return ConditionStatistics(
        condition, len(vectors), _as_stored(mean), _as_stored(variance), limit
    )


def distances_to(entry: ConditionStatistics, vectors: Floats, space: CodecSpace) -> Floats:
    """(B,) squared distances of images (B, D) to the entry, as they are held against its limit."""
    squares: Floats = np.square(vectors - entry.mean) @ (1.0 / space.made_variance)
    squares /= np.float32(1.0 + 1.0 / entry.count)
    return squares


def spread_of(vectors: Floats, space: CodecSpace) -> float:
    """How widely the samples scatter, against one generator's images in the background: about 1."""
    squares = np.square(vectors - vectors.mean(0)) @ (1.0 / space.made_variance)
    return float(squares.sum() / (len(vectors) - 1) / vectors.shape[1])


def outliers(vectors: Floats, space: CodecSpace) -> NDArray[np.bool_]:
    """(N,) which samples lie too far from the mean of the others to be of one generator.

    One after another, the furthest first, each against the samples that remain without it: cube
    roots of distances are nearly normal, as for `distance_limit`, and a sample must not widen the
    limit by which it is judged. At most MOST_OUTLIERS of the samples.
    """
    apart = np.zeros(len(vectors), np.bool_)
    for _ in range(int(MOST_OUTLIERS * len(vectors))):
        kept = np.flatnonzero(~apart)
        roots = np.cbrt(leave_one_out_distances(space, vectors[kept]).astype(np.float64))
        furthest = int(roots.argmax())
        others = np.delete(roots, furthest)
        width = others.std(ddof=1) * math.sqrt(1 + 1 / len(others))
        if roots[furthest] <= others.mean() + t_quantile(OUTLYING, len(others) - 1) * width:
            break
        apart[kept[furthest]] = True
    return apart


def _as_stored(numbers: NDArray[np.floating]) -> Floats:
    return numbers.astype(np.float16).astype(np.float32)
