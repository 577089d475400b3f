"""Distances and likelihood ratios between image fingerprints and model fingerprints.

And the quantile of Student's t that thresholds are set by, without scipy, which this package does
not need otherwise.

Letters: B images, N samples, D fingerprint size. Under one condition an image of a model is taken
as normal around the model's mean with the model's covariance C, and any picture at all as normal
with the background's total covariance T (two-covariance model; Brummer and de Villiers, "The
speaker partitioning problem", Odyssey 2010, of which this is the case of known class means).

C is the model's own scatter S of N samples, shrunk towards the background's within-class
covariance W as if W had been seen in P samples, the bundle's `prior_samples` (the mean of an
inverse-Wishart posterior): C = (P W + S) / (P + N - 1).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Background
from fingerprint_db.model_fingerprint import ConditionStatistics

Doubles = NDArray[np.float64]
Vectors = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A covariance: `root.T @ root` is its inverse, `log_det` the logarithm of its determinant."""

    root: Doubles
    log_det: float

    @classmethod
    def of(cls, covariance: Doubles) -> "Metric":
        """From a positive definite covariance (D, D)."""
        lower = np.linalg.cholesky(covariance)
        return cls(np.linalg.inv(lower), float(2 * np.log(np.diag(lower)).sum()))

    def squares(self, deviations: Vectors) -> Doubles:
        """Squared Mahalanobis lengths (B,) of deviations (B, D)."""
        lengths: Doubles = ((deviations @ self.root.T) ** 2).sum(1)
        return lengths


@dataclass(frozen=True, slots=True, eq=False)
class Alternative:
    """Any picture at all, under one condition: what a model's likelihood is held against."""

    mean: Doubles
    metric: Metric

    @classmethod
    def of(cls, background: Background, condition: str) -> "Alternative":
        """From the background's total statistics of `condition`."""
        at = background.index(condition)
        return cls(
            background.total_mean[at].astype(np.float64),
            Metric.of(background.total[at].astype(np.float64)),
        )


def model_metric(background: Background, condition: str, scatter: Vectors, count: int) -> Metric:
    """The metric of a model with `scatter` (D, D) over `count` samples; see the module."""
    within = background.within[background.index(condition)].astype(np.float64)
    prior = background.constants.prior_samples
    return Metric.of((prior * within + scatter) / (prior + count - 1))


def squared_distances(metric: Metric, vectors: Vectors, entry: ConditionStatistics) -> Doubles:
    """Squared Mahalanobis distances (B,) of `vectors` (B, D) to a model.

    A mean of N samples is itself uncertain by C/N, so the distance is divided by 1 + 1/N and has
    the same expectation whatever N is.
    """
    deviations = vectors.astype(np.float64) - entry.mean
    return metric.squares(deviations) / (1 + 1 / entry.count)


def log_likelihood_ratios(
    alternative: Alternative, metric: Metric, vectors: Vectors, distances: Doubles, count: int
) -> Doubles:
    """Log-likelihood ratios (B,), nats: made by this model against any picture at all.

    log N(f; m, C(1 + 1/N)) - log N(f; mean, T), with `distances` from `squared_distances`.
    """
    dimension = vectors.shape[1]
    against = alternative.metric.squares(vectors.astype(np.float64) - alternative.mean)
    spread = metric.log_det + dimension * np.log1p(1 / count)
    ratios: Doubles = 0.5 * (against + alternative.metric.log_det - distances - spread)
    return ratios


def leave_one_out_distances(background: Background, condition: str, vectors: Vectors) -> Doubles:
    """For each of N samples (N, D) its squared distance to the model of the others: (N,).

    Closed form of really leaving each out. With x the deviation from the mean of all, the mean of
    the others is further away by N/(N - 1), and their scatter is S - x x' N/(N - 1), whose shrunk
    inverse follows from the whole one by Sherman and Morrison (1950).
    """
    count = len(vectors)
    deviations = (vectors - vectors.mean(0)).astype(np.float64)
    metric = model_metric(background, condition, deviations.T @ deviations, count)
    lengths = metric.squares(deviations)
    grown = count / (count - 1)
    samples = background.constants.prior_samples + count - 1
    without = lengths / (1 - grown / samples * lengths) * (samples - 1) / samples
    distances: Doubles = without * grown**2 / (1 + 1 / (count - 1))
    return distances


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
