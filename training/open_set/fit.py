"""From block statistics to fingerprints: one condition's map, and its statistics of both sides.

1. Each number less its mean, over its deviation, clipped: one odd number must not decide.
2. The leading directions of the total covariance, all pictures together (several hundred are kept:
   unseen generators differ in directions in which those of the background do not).
3. Two covariances there: of photographs, each source weighing the same and the scatter between
   sources included, and of one generator's images, each generator weighing the same.
4. The basis in which both are diagonal and their mean is the identity
   (training/open_set/naming.py).

Letters: N pictures, F block statistics, D fingerprint size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from training.open_set.naming import NamingSpace

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FitRecipe:
    """`clip` is in deviations; `dimension` is D; `shrinkage` (0 to 1) mixes each covariance with
    its own diagonal; `between_sources` is the weight of the scatter between sources of photographs.
    """

    clip: float = 3.0
    dimension: int = 600
    shrinkage: float = 0.1
    between_sources: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class FingerprintMap:
    """Block statistics (N, F) to fingerprints (N, D): clip((x - mean) / scale) @ projection + b."""

    mean: Floats
    scale: Floats
    clip: float
    projection: Floats
    offset: Floats

    def __call__(self, features: NDArray[np.floating]) -> Floats:
        """(N, F) to (N, D)."""
        fingerprints: Floats = self._standard(features) @ self.projection + self.offset
        return fingerprints

    def _standard(self, features: NDArray[np.floating]) -> Floats:
        return standardised(features, self.mean, self.scale, self.clip)


def standardised(
    features: NDArray[np.floating], mean: Floats, scale: Floats, clip: float
) -> Floats:
    """(N, F), each number in deviations from its mean, at most `clip` of them."""
    standard = features.astype(np.float32)
    standard -= mean
    standard /= scale
    np.clip(standard, -clip, clip, out=standard)
    return standard


def fit(
    real: NDArray[np.floating],
    sources: Labels,
    made: NDArray[np.floating],
    generators: Labels,
    recipe: FitRecipe,
) -> tuple[FingerprintMap, NamingSpace]:
    """The map and the space of photographs (N, F) of `sources` (N,), and of `generators`' images.

    The background of the space is the mean fingerprint of each generator.
    """
    mean, scale = _centre(real, sources, made, generators)
    rows = standardised(real, mean, scale, recipe.clip)
    others = standardised(made, mean, scale, recipe.clip)
    leading = _leading(rows, others, recipe.dimension)
    rows, others = rows @ leading, others @ leading
    middle = _class_means(rows, sources).mean(0)
    within_real, real_means = _within(rows, sources)
    scatter = np.cov(real_means.T, bias=True)
    of_real = _shrunk(within_real + recipe.between_sources * scatter, recipe.shrinkage)
    of_made = _shrunk(_within(others, generators)[0], recipe.shrinkage)
    # scipy gives V with V' (R + G)/2 V = I and V' R V = diag(r).
    variances, basis = eigh(of_real, (of_real + of_made) / 2)
    projection = (leading @ basis).astype(np.float32)
    offset = (-middle @ basis).astype(np.float32)
    found = FingerprintMap(mean, scale, recipe.clip, projection, offset)
    background = _class_means((others @ basis + offset).astype(np.float32), generators)
    variances = np.clip(variances, 1e-3, 2 - 1e-3).astype(np.float32)
    return found, NamingSpace(variances, background.astype(np.float32))


def _centre(
    real: NDArray[np.floating],
    sources: Labels,
    made: NDArray[np.floating],
    generators: Labels,
) -> tuple[Floats, Floats]:
    """Mean and deviation (F,) of each number; both sides weigh the same, and classes in a side."""
    weights = [_weights(sources), _weights(generators)]
    firsts, seconds = [], []
    for rows, weight in zip((real, made), weights, strict=True):
        wide = rows.astype(np.float32)
        firsts.append(weight @ wide)
        seconds.append(weight @ np.square(wide))
    mean = np.mean(firsts, 0)
    variance = np.mean(seconds, 0) - mean**2
    return mean.astype(np.float32), np.sqrt(np.maximum(variance, 1e-8)).astype(np.float32)


def _weights(labels: Labels) -> Floats:
    """(N,) weights that sum to 1, every class weighing the same."""
    _, position, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights: Floats = (1.0 / (counts[position] * len(counts))).astype(np.float32)
    return weights


def _leading(real: Floats, made: Floats, dimension: int) -> Floats:
    """The leading eigenvectors (F, D) of the covariance of both sides, which weigh the same."""
    size = real.shape[1]
    covariance = np.zeros((size, size), np.float32)
    for rows in (real, made):
        covariance += (rows.T @ rows) / (2 * len(rows))
    dimension = min(dimension, size)
    _, vectors = eigh(covariance, subset_by_index=[size - dimension, size - 1])
    leading: Floats = vectors[:, ::-1].astype(np.float32)
    return leading


def _class_means(rows: NDArray[np.floating], labels: Labels) -> Doubles:
    """(classes, D) means, in the order of the labels."""
    return np.stack(
        [rows[labels == label].mean(0, dtype=np.float64) for label in np.unique(labels)]
    )


def _within(rows: Floats, labels: Labels) -> tuple[Doubles, Doubles]:
    """Covariance within classes (D, D), every class weighing the same, and the classes' means."""
    size = rows.shape[1]
    within, classes = np.zeros((size, size)), 0
    for label in np.unique(labels):
        own = rows[labels == label].astype(np.float64)
        if len(own) < 2:
            continue
        own -= own.mean(0)
        within += own.T @ own / (len(own) - 1)
        classes += 1
    return within / max(1, classes), _class_means(rows, labels)


def _shrunk(covariance: Doubles, share: float) -> Doubles:
    diagonal = np.diag(np.diag(covariance))
    mixed: Doubles = (1 - share) * covariance + share * diagonal
    return mixed + 1e-6 * float(np.trace(covariance)) / len(covariance) * np.eye(len(covariance))
