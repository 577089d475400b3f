"""Names first, against real: does a generator explain a picture, and which one?

Two questions, each with a discriminant of its own. *Made or real*: Fisher's score of a model, in
deviations of what photographs score for it (z-norm), less what the background's generators score,
where these weigh anything (S-norm; Auckenthaler, Carey and Lloyd-Thomas, "Score normalization for
text-independent speaker verification systems", 2000). *Which model*: the log-likelihood under the
covariance of generators' images, with a margin to the next.

Letters: B images, R rows (a model under one condition), G background generators, D fingerprint
size. In a `CodecSpace` both covariances are diagonal and their mean is the identity (Fukunaga,
"Introduction to Statistical Pattern Recognition", 1990, section 2.3), so that Fisher's direction
for a model is its mean, and a score is one product of vectors.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import CodecSpace, Cohort, DecisionConstants, Floats

DEGREES = 8.0
"""Of freedom of Student's t that stands for the normal: one odd picture must not win by being far
from everything."""

_LEAST_DEVIATION = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class ScoredDirections:
    """Directions (R, D) scaled so that photographs score with mean 0 and deviation 1.

    `centres` (R,) are what remains to be subtracted.
    """

    scaled: Floats
    centres: Floats

    def scores(self, vectors: Floats) -> Floats:
        """(B, R) in deviations of photographs."""
        found: Floats = vectors @ self.scaled.T - self.centres
        return found


def norms(means: Floats, cohort: Cohort) -> tuple[Floats, Floats]:
    """(R,) the deviation of what the cohort's normalising photographs score for each mean (R, D),
    and (R,) their centre; views weigh as the cohort says.

    Summed in 64 bits, so that a mean's do not hang on the others beside it.
    """
    rows = cohort.normalises
    seen = cohort.vectors[rows].astype(np.float64)
    weights = cohort.weights[rows].astype(np.float64)
    weights /= weights.sum()
    scores = seen @ means.T.astype(np.float64)  # (M, R)
    centres = weights @ scores
    deviations = np.sqrt(np.maximum(weights @ np.square(scores - centres), _LEAST_DEVIATION))
    return deviations.astype(np.float32), centres.astype(np.float32)


def normalised_directions(means: Floats, cohort: Cohort) -> ScoredDirections:
    """Fisher's direction of each mean (R, D), normed on the cohort's normalising photographs."""
    deviations, centres = norms(means, cohort)
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
        scores = self.directions.scores(vectors.astype(np.float64))
        best = min(self.best, scores.shape[1])
        top = np.partition(scores, scores.shape[1] - best, axis=1)[:, -best:]
        level: Floats = (self.weight * top.mean(1)).astype(np.float32)
        return level


def log_likelihoods(
    distances: NDArray[np.float64], dimension: int, counts: NDArray[np.integer]
) -> NDArray[np.float64]:
    """(P,) nats, up to a constant: a multivariate t of DEGREES degrees of freedom.

    `distances` (P,) are to means of `counts` (P,) samples, which are uncertain by 1/N of the
    covariance.
    """
    spread = 0.5 * dimension * np.log1p(1.0 / counts)
    found: NDArray[np.float64] = -0.5 * (DEGREES + dimension) * np.log1p(distances / DEGREES)
    return found - spread


def leave_one_out_distances(space: CodecSpace, vectors: Floats) -> Floats:
    """For each of N samples (N, D) of one generator its squared distance to the mean of the others.

    The others' mean is further away by N/(N - 1). (N,), as `Scored` has it of a mean of N - 1.
    """
    count = len(vectors)
    deviations = (vectors - vectors.mean(0)) * (count / (count - 1))
    squares: Floats = (deviations**2) @ (1.0 / space.made_variance)
    squares /= np.float32(1.0 + 1.0 / (count - 1))
    return squares
