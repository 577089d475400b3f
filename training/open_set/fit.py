"""From block statistics to fingerprints: one codec's map, and its statistics of both sides.

1. Each number less its mean, over its deviation, clipped: one odd number must not decide.
2. The leading directions of the total covariance, all pictures together (several hundred are kept:
   unseen generators differ in directions in which those of the background do not). All codecs that
   read the same blocks share them.
3. Two covariances there: of photographs, each source weighing the same and the scatter between
   sources included, and of one generator's images, each generator weighing the same.
4. The basis in which both are diagonal and their mean is the identity

Letters: N pictures, F block statistics, D fingerprint size.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from sklearn.utils.extmath import randomized_svd

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FitRecipe:
    """`clip` is in deviations; `dimension` is D; `shrinkage` (0 to 1) mixes each covariance with
    its own diagonal; `between_sources` is the weight of the scatter between sources of photographs.
    """

    clip: float = 3.0
    dimension: int = 512
    shrinkage: float = 0.1
    between_sources: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Block statistics (N, F) of one codec, real or made, and the class of each (N,): a source of
    photographs, or a generator under one treatment."""

    features: NDArray[np.floating]
    classes: Labels


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """Block statistics to deviations: `mean` and `scale` (F,), and the clip in deviations."""

    mean: Floats
    scale: Floats
    clip: float

    @classmethod
    def of(cls, real: Pictures, made: Pictures, clip: float) -> "Standard":
        """Both sides weigh the same, and in a side every class."""
        firsts, seconds = [], []
        for side in (real, made):
            weight, wide = _weights(side.classes), side.features.astype(np.float32)
            firsts.append(weight @ wide)
            seconds.append(weight @ np.square(wide))
        mean = np.mean(firsts, 0)
        variance = np.maximum(np.mean(seconds, 0) - mean**2, 1e-8)
        return cls(mean.astype(np.float32), np.sqrt(variance).astype(np.float32), clip)

    def __call__(self, features: NDArray[np.floating]) -> Floats:
        """(N, F), each number in deviations from its mean, at most `clip` of them."""
        standard = features.astype(np.float32)
        standard -= self.mean
        standard /= self.scale
        np.clip(standard, -self.clip, self.clip, out=standard)
        return standard


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """`projection` (D, D) and `offset` (D,) from leading directions to fingerprints.

    `real_variance` (D,) and `generators` (G, D) as in fingerprint_db.background.CodecSpace.
    """

    projection: Floats
    offset: Floats
    real_variance: Floats
    generators: Floats


def leading(sides: Iterable[tuple[Floats, Floats]], dimension: int) -> Floats:
    """The leading eigenvectors (F, D) of the covariance of standardised statistics.

    `sides` are real and made pictures of each codec; all four, codecs and sides, weigh the same.
    """
    covariance: Floats | None = None
    for pair in sides:
        for rows in pair:
            own = (rows.T @ rows) / np.float32(len(rows))
            covariance = own if covariance is None else covariance + own
    assert covariance is not None, "leading directions of no pictures"
    # All eigenvectors of thousands of numbers would take minutes, of which a few hundred are kept.
    vectors, _, _ = randomized_svd(
        covariance, min(dimension, len(covariance)), n_oversamples=100, n_iter=4, random_state=0
    )
    found: Floats = np.ascontiguousarray(vectors, np.float32)
    return found


def fit(real: Pictures, made: Pictures, recipe: FitRecipe) -> Fitted:
    """From both sides along the leading directions, (N, D) each."""
    rows, others = real.features, made.features
    means = _class_means(rows, real.classes)
    scatter = np.cov(means.T, bias=True)
    of_real = _shrunk(
        _within(rows, real.classes) + recipe.between_sources * scatter, recipe.shrinkage
    )
    of_made = _shrunk(_within(others, made.classes), recipe.shrinkage)
    # scipy gives V with V' (R + G)/2 V = I and V' R V = diag(r).
    variances, basis = eigh(of_real, (of_real + of_made) / 2)
    offset = -means.mean(0) @ basis
    generators = _class_means(others @ basis + offset, made.classes)
    return Fitted(
        basis.astype(np.float32),
        offset.astype(np.float32),
        np.clip(variances, 1e-3, 2 - 1e-3).astype(np.float32),
        generators.astype(np.float32),
    )


def _weights(labels: Labels) -> Floats:
    """(N,) weights that sum to 1, every class weighing the same."""
    _, position, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights: Floats = (1.0 / (counts[position] * len(counts))).astype(np.float32)
    return weights


def _class_means(rows: NDArray[np.floating], labels: Labels) -> Doubles:
    """(classes, D) means, in the order of the labels."""
    return np.stack(
        [rows[labels == label].mean(0, dtype=np.float64) for label in np.unique(labels)]
    )


def _within(rows: NDArray[np.floating], labels: Labels) -> Doubles:
    """Covariance within classes, every class of two pictures or more weighing the same."""
    size = rows.shape[1]
    within, classes = np.zeros((size, size)), 0
    for label in np.unique(labels):
        own = rows[labels == label].astype(np.float32)
        if len(own) < 2:
            continue
        own -= own.mean(0)
        within += own.T @ own / (len(own) - 1)
        classes += 1
    return within / max(1, classes)


def _shrunk(covariance: Doubles, share: float) -> Doubles:
    diagonal = np.diag(np.diag(covariance))
    mixed: Doubles = (1 - share) * covariance + share * diagonal
    return mixed + 1e-6 * float(np.trace(covariance)) / len(covariance) * np.eye(len(covariance))
