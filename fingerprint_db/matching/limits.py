"""The quantile of Student's t that limits are set by, without scipy, which this package does not
need otherwise."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def distance_limit(distances: NDArray[np.floating], atypical: float) -> float:
    """The squared distance that a share `atypical` of a model's further images lie beyond.

    `distances` (N,) are the samples' leave-one-out distances. Cube roots of squared distances are
    nearly normal (Wilson and Hilferty 1931), with mean and deviation known from N samples: by
    Student's t with N - 1 degrees of freedom one more image exceeds the limit so often.
    """
    roots = np.cbrt(distances.astype(np.float64))
    width = roots.std(ddof=1) * math.sqrt(1 + 1 / len(roots))
    return float((roots.mean() + t_quantile(atypical, len(roots) - 1) * width) ** 3)


@lru_cache(maxsize=256)
def t_quantile(beyond: float, degrees: int) -> float:
    """The value that a t with `degrees` of freedom exceeds with probability `beyond` (0 to 0.5).

    The distribution function has a closed form for whole degrees of freedom (Abramowitz and Stegun,
    "Handbook of Mathematical Functions", 1964, 26.7.3 and 26.7.4); the quantile is found by
    halving. Raises ValueError for other arguments.
    """
    if degrees < 1 or not 0 < beyond < 0.5:
        raise ValueError(
            f"a t of {degrees} degrees of freedom exceeded with probability {beyond:g}: expected"
            " at least 1 degree and a probability between 0 and 0.5"
        )
    low, high = 0.0, math.pi / 2  # the angle whose tangent is t over the root of the degrees
    for _ in range(60):  # halving 60 times exhausts float64
        middle = (low + high) / 2
        if _beyond(middle, degrees) > beyond:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees) * math.tan((low + high) / 2)


def _beyond(angle: float, degrees: int) -> float:
    """P(T > sqrt(degrees) tan(angle))."""
    steps = np.arange(1, degrees // 2)
    if degrees % 2:
        # The terms cos, 2/3 cos^3, (2*4)/(3*5) cos^5, ...
        ratios = 2 * steps / (2 * steps + 1)
        terms = np.cumprod(np.append(1.0, ratios * math.cos(angle) ** 2))
        series = math.cos(angle) * float(terms.sum()) if degrees > 1 else 0.0
        inside = 2 / math.pi * (angle + math.sin(angle) * series)
    else:
        # The terms 1, 1/2 cos^2, (1*3)/(2*4) cos^4, ...
        ratios = (2 * steps - 1) / (2 * steps)
        terms = np.cumprod(np.append(1.0, ratios * math.cos(angle) ** 2))
        inside = math.sin(angle) * float(terms.sum())
    return (1 - inside) / 2
