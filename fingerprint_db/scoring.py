"""Distances and likelihood ratios between image fingerprints and model fingerprints.

Letters: B images, N samples, D fingerprint size. Under one condition an image of a model is taken
as normal around the model's mean with the model's covariance C, and any picture at all as normal
with the background's total covariance T (two-covariance model; Brummer and de Villiers, "The
speaker partitioning problem", Odyssey 2010, of which this is the case of known class means).

C is the model's own scatter S of N samples, shrunk towards the background's within-class
covariance W as if W had been seen in PRIOR_SAMPLES samples (the mean of an inverse-Wishart
posterior): C = (PRIOR_SAMPLES W + S) / (PRIOR_SAMPLES + N - 1).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Background
from fingerprint_db.model_fingerprint import ConditionStatistics

Doubles = NDArray[np.float64]
Vectors = NDArray[np.floating]

# Of 5, 15, 30, 100 and the shared W alone, 15 to 30 told two seeds of one GAN apart best without
# losing the model's own images (docs/decisions/0002-own-covariance.md).
PRIOR_SAMPLES = 15


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
    return Metric.of((PRIOR_SAMPLES * within + scatter) / (PRIOR_SAMPLES + count - 1))


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
    samples = PRIOR_SAMPLES + count - 1
    without = lengths / (1 - grown / samples * lengths) * (samples - 1) / samples
    distances: Doubles = without * grown**2 / (1 + 1 / (count - 1))
    return distances
