"""Names first, against real: does a registered generator explain a picture, and which one?

Two questions, each with a discriminant of its own. *Made or real*: the score of a model against
photographs, in their deviations, less what the background's generators score (`real_scores`); its
maximum over the registry is what a p-value is taken of. *Which model*: the log-likelihood under the
covariance of generators' images, with a margin to the next (`log_likelihoods`).

Letters: B images, K models, G background generators, D fingerprint size. Fingerprints are whitened
by the bundle: photographs have mean 0 and, in number d, the variance r_d; the images of one
generator have the variance 2 - r_d around its mean, and both covariances are diagonal (Fukunaga,
"Introduction to Statistical Pattern Recognition", 1990, section 2.3: two covariances, one basis).
The mean of the two covariances is then the identity, so that Fisher's direction for a model is its
mean, and matching is one matrix product.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

IMPOSTORS = 40
"""So many of the background's generators, those that explain a picture best, set its level."""

DEGREES = 8.0
"""Of freedom of Student's t that stands for the normal: one odd picture must not win by being far
from everything."""


@dataclass(frozen=True, slots=True, eq=False)
class NamingSpace:
    """One condition's statistics: `real_variance` (D,), above 0 and below 2, and `background`
    (G, D), the means of generators that nobody registers.
    """

    real_variance: Floats
    background: Floats

    def __post_init__(self) -> None:
        variance = self.real_variance
        if variance.ndim != 1 or self.background.shape[1:] != variance.shape:
            raise ValueError(
                f"variances of shape {variance.shape} with background means of shape"
                f" {self.background.shape}; expected (D,) and (G, D); export the bundle again"
            )
        if not ((variance > 0) & (variance < 2)).all():
            raise ValueError(
                f"a real variance of {variance.min():g} to {variance.max():g}; expected numbers"
                " between 0 and 2, both excluded; export the bundle again"
            )

    @property
    def made_variance(self) -> Floats:
        """(D,) the variance of one generator's images around their mean."""
        made: Floats = 2.0 - self.real_variance
        return made


def directions(space: NamingSpace, means: Floats) -> Floats:
    """Fisher's direction of each model (K, D), of such length that photographs score with
    deviation 1; `means` is (K, D)."""
    deviation = np.sqrt((means**2) @ space.real_variance)
    scaled: Floats = means / np.maximum(deviation, 1e-6)[:, None]
    return scaled


def impostor_level(space: NamingSpace, vectors: Floats) -> Floats:
    """(B,) what any generator would score: half the mean of the best background scores (S-norm).

    A picture that half the background explains is odd, not made by the model at hand.
    """
    scores = vectors @ directions(space, space.background).T
    best = min(IMPOSTORS, scores.shape[1])
    top = np.partition(scores, scores.shape[1] - best, axis=1)[:, -best:]
    level: Floats = (0.5 * top.mean(1)).astype(np.float32)
    return level


def synthesis_direction(space: NamingSpace) -> Floats:
    """(D,) Fisher's direction between photographs and generators at large, nobody registered.

    Generators at large scatter around their common mean by their own variance and by that between
    the background's generators; photographs score with deviation 1.
    """
    middle = space.background.mean(0)
    apart = space.background - middle
    both = np.eye(len(middle)) + 0.5 * (apart.T @ apart) / len(apart)
    direction = np.linalg.solve(both, middle)
    deviation = np.sqrt((direction**2) @ space.real_variance)
    return (direction / max(float(deviation), 1e-6)).astype(np.float32)


def real_scores(space: NamingSpace, vectors: Floats, means: Floats) -> Floats:
    """(B, K) how far each model explains an image better than photographs do; rises.

    In deviations of photographs' scores, less `impostor_level`; the maximum over K is calibrated.
    """
    scores: Floats = vectors @ directions(space, means).T - impostor_level(space, vectors)[:, None]
    return scores


def typical_scores(
    space: NamingSpace,
    vectors: Floats,
    means: Floats,
    counts: NDArray[np.int64],
    limits: Floats,
) -> Floats:
    """(B, K) `real_scores` where an image is typical of the model, minus infinity elsewhere.

    Typical is what lies within the model's own limit (K,) of squared distance. Of photographs few
    are, so that the level that they reach is far below that of the bare scores.
    """
    near = squared_distances(space, vectors, means, counts) <= limits
    scores: Floats = np.where(near, real_scores(space, vectors, means), np.float32(-np.inf))
    return scores


def squared_distances(
    space: NamingSpace, vectors: Floats, means: Floats, counts: NDArray[np.int64]
) -> Floats:
    """(B, K) squared Mahalanobis distances to models whose means are of `counts` (K,) samples.

    A mean of N samples is uncertain by 1/N of the covariance: distances are divided by 1 + 1/N.
    """
    inverse = 1.0 / space.made_variance
    own = (vectors**2) @ inverse
    squares = own[:, None] - 2 * (vectors * inverse) @ means.T + (means**2) @ inverse
    distances = np.maximum(squares, 0.0) / (1.0 + 1.0 / counts)
    return distances.astype(np.float32)


def log_likelihoods(
    space: NamingSpace, vectors: Floats, means: Floats, counts: NDArray[np.int64]
) -> Floats:
    """(B, K) nats, up to a constant: a multivariate t of DEGREES degrees of freedom."""
    size = vectors.shape[1]
    distances = squared_distances(space, vectors, means, counts)
    spread = 0.5 * size * np.log1p(1.0 / counts)
    likelihoods: Floats = -0.5 * (DEGREES + size) * np.log1p(distances / DEGREES)
    likelihoods -= spread.astype(np.float32)
    return likelihoods


def leave_one_out_distances(space: NamingSpace, vectors: Floats) -> Floats:
    """For each of N samples (N, D) of one generator its squared distance to the mean of the others.

    The others' mean is further away by N/(N - 1); `squared_distances` of N - 1 samples, (N,).
    """
    count = len(vectors)
    deviations = (vectors - vectors.mean(0)) * (count / (count - 1))
    squares: Floats = (deviations**2) @ (1.0 / space.made_variance)
    squares /= np.float32(1.0 + 1.0 / (count - 1))
    return squares
