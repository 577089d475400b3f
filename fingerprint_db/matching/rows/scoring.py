"""Names first, against real: does a generator explain a picture, and which one?

Two questions, each with a discriminant of its own. *Made or real*: Fisher's score of a model, in
deviations of what photographs score for it (z-norm), less what the background's generators score,
where these weigh anything (S-norm; Auckenthaler, Carey and Lloyd-Thomas, "Score normalization for
text-independent speaker verification systems", 2000). *Which model*: the log-likelihood under the
covariance of generators' images, with a margin to the next.

Letters: B images, R rows (a model under one condition), G background generators, D fingerprint
size. In a `CodecSpace` both covariances are diagonal and their mean is the identity (Fukunaga,
"Introduction to Statistical Pattern Recognition", 1990, section 2.3), so that Fisher's direction
for a model is its mean, and matching is one matrix product.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import CodecSpace, Cohort, DecisionConstants, Floats

DEGREES = 8.0
"""Of freedom of Student's t that stands for the normal: one odd picture must not win by being far
from everything."""

Rows = slice | NDArray[np.int64]
"""Which of R rows; a slice needs no copy of them."""

EVERY = slice(None)

_LEAST_DEVIATION = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class ScoredDirections:
    """Directions (R, D) scaled so that photographs score with mean 0 and deviation 1.

    `centres` (R,) are what remains to be subtracted.
    """

    scaled: Floats
    centres: Floats

    def scores(self, vectors: Floats, rows: Rows = EVERY) -> Floats:
        """(B, R) in deviations of photographs; for some directions where `rows` says which."""
        found: Floats = vectors @ self.scaled[rows].T - self.centres[rows]
        return found


def normalised_directions(means: Floats, cohort: Cohort) -> ScoredDirections:
    """Fisher's direction of each mean (R, D), normed on the cohort's normalising photographs.

    Views weigh as the cohort says.
    """
    rows = cohort.normalises
    seen = cohort.vectors[rows]
    weights = cohort.weights[rows] / cohort.weights[rows].sum()
    scores = seen @ means.T  # (M, R)
    centres = weights @ scores
    deviations = np.sqrt(np.maximum(weights @ np.square(scores - centres), _LEAST_DEVIATION))
    return ScoredDirections(
        (means / deviations[:, None]).astype(np.float32), (centres / deviations).astype(np.float32)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Impostors:
    """A space's generators that nobody registers: what any generator would score for a picture.

    `directions` are theirs, (G, D), or None where they weigh nothing; the `best` of their scores
    set a picture's level, by `weight`.
    """

    directions: ScoredDirections | None
    best: int
    weight: float

    @classmethod
    def of(cls, space: CodecSpace, constants: DecisionConstants) -> Self:
        """Normed on the space's photographs; not where they weigh nothing, for it costs."""
        weight = constants.impostor_weight
        directions = normalised_directions(space.generators, space.cohort) if weight > 0 else None
        return cls(directions, constants.impostors, weight)

    def level(self, vectors: Floats) -> Floats:
        """(B,) the mean of the best scores, weighed.

        A picture that half the background explains is odd, not made by the model at hand.
        """
        if self.directions is None:
            return np.zeros(len(vectors), np.float32)
        scores = self.directions.scores(vectors)
        best = min(self.best, scores.shape[1])
        top = np.partition(scores, scores.shape[1] - best, axis=1)[:, -best:]
        level: Floats = (self.weight * top.mean(1)).astype(np.float32)
        return level


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """Squared Mahalanobis distances to means of few samples.

    A mean of N samples is uncertain by 1/N of the covariance: distances are divided by 1 + 1/N.
    `inverse` (D,) is of the variance, `lengths` (R,) are the means' own squares under it, `shrunk`
    (R,) one over 1 + 1/N.
    """

    inverse: Floats
    means: Floats
    lengths: Floats
    shrunk: Floats

    @classmethod
    def of(cls, variance: Floats, means: Floats, counts: NDArray[np.int64]) -> Self:
        """To means (R, D) of `counts` (R,) samples; `variance` (D,)."""
        inverse = np.reciprocal(variance)
        lengths: Floats = np.square(means) @ inverse
        return cls(inverse, means, lengths, (1.0 / (1.0 + 1.0 / counts)).astype(np.float32))

    def to(self, vectors: Floats, rows: Rows = EVERY) -> Floats:
        """(B, R) from fingerprints (B, D); to some of the means where `rows` says which."""
        return self.from_products(vectors, self.weighted(vectors) @ self.means[rows].T, rows)

    def weighted(self, vectors: Floats) -> Floats:
        """(B, D) whose products with the means `from_products` takes."""
        found: Floats = vectors * self.inverse
        return found

    def from_products(self, vectors: Floats, products: Floats, rows: Rows = EVERY) -> Floats:
        """`to`, in the place of the products (B, R) of `weighted` and the means."""
        squares = products
        squares *= np.float32(-2)
        squares += (np.square(vectors) @ self.inverse)[:, None]
        squares += self.lengths[rows]
        np.maximum(squares, 0.0, out=squares)
        squares *= self.shrunk[rows]
        return squares


def log_likelihoods(distances: Floats, dimension: int, counts: NDArray[np.int64]) -> Floats:
    """(B, R) nats, up to a constant: a multivariate t of DEGREES degrees of freedom."""
    spread = 0.5 * dimension * np.log1p(1.0 / counts)
    likelihoods: Floats = np.log1p(distances / np.float32(DEGREES))
    likelihoods *= np.float32(-0.5 * (DEGREES + dimension))
    likelihoods -= spread.astype(np.float32)
    return likelihoods


def leave_one_out_distances(space: CodecSpace, vectors: Floats) -> Floats:
    """For each of N samples (N, D) of one generator its squared distance to the mean of the others.

    The others' mean is further away by N/(N - 1); as `Distances` to a mean of N - 1 samples, (N,).
    """
    count = len(vectors)
    deviations = (vectors - vectors.mean(0)) * (count / (count - 1))
    squares: Floats = (deviations**2) @ (1.0 / space.made_variance)
    squares /= np.float32(1.0 + 1.0 / (count - 1))
    return squares
