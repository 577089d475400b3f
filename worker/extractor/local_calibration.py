"""p-values against photographs of the same kind, and how many of those there are.

Scores of real photographs differ with what kind of picture they are (`nuisance`), so that a level
that holds on average is exceeded among those that were noised or enlarged. Here photographs vote
by their likeness to the picture in question (Guan, "Localized conformal prediction", 2023): with
the view i of the photograph k at g_ki and scoring s_ki, and the picture at g and scoring s,

    K_ki = exp(-|g_ki - g|^2 / 2 h^2),    w_ki = K_ki / max(1, sum_j K_kj),
    p = (1 + sum_ki w_ki 1{s_ki >= s}) / (1 + sum_ki w_ki).

So a photograph has one vote at most, however many of its views resemble the picture, and one with
as much of a vote as the picture itself is worth; p is never below 1 / (1 + photographs that
resemble it): where that is above the level, the picture is unfamiliar and can never be flagged.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from worker.extractor.calibration import PhotographScores

_LEAST_DEVIATION = 0.05
"""Of a number that hardly differs among the photographs: in its own unit, a twentieth of an octave
or of a root of a share, so that what it never showed is far and what rounding does is not."""


@dataclass(frozen=True, slots=True)
class LocalResult:
    """`p_value`; how many photographs resemble the picture, and how many equal votes that is worth.

    `resembling` is the sum of votes, each at most 1; `effective` is its square by the sum of their
    squares (Kish 1965), at most the number of photographs.
    """

    p_value: float
    resembling: float
    effective: float

    def unfamiliar(self, alpha: float) -> bool:
        """Whether too few photographs resemble the picture for any score to reach this level."""
        return 1 / (1 + self.resembling) > alpha


@dataclass(frozen=True, slots=True, eq=False)
class LocalCalibration:
    """Views of real photographs: (N,) scores, (N, G) standardised nuisance, float32 both.

    `photographs` (N,) int64 are positions from 0; `centre` and `scale` (G,) float32 standardise a
    picture's vector. `bandwidth` is h, in standard deviations, root mean square over the G numbers;
    two photographs drawn at random are about 1.4 apart.
    """

    scores: NDArray[np.float32]
    photographs: NDArray[np.int64]
    standardised: NDArray[np.float32]
    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    bandwidth: float

    @classmethod
    def of(
        cls,
        scores: NDArray[np.generic],
        photographs: NDArray[np.generic],
        vectors: NDArray[np.float32],
        bandwidth: float,
    ) -> Self:
        """From N >= 1 scores, as many photographs (of any numbers, one each), and vectors (N, G).

        Photographs weigh the same in centre and scale, whatever their number of views. ValueError
        where N differs, where anything is not finite, and where the bandwidth is not positive.
        """
        if not scores.ndim == 1 <= len(scores) == len(photographs) == len(vectors):
            raise ValueError(
                f"{scores.shape} scores come with {photographs.shape} photographs and"
                f" {vectors.shape} vectors; expected one of each for every view, and a view or more"
            )
        if not (np.isfinite(scores.astype(float)).all() and np.isfinite(vectors).all()):
            raise ValueError("a score or a vector of the calibration is not finite")
        if not 0 < bandwidth < float("inf"):
            raise ValueError(f"the bandwidth is {bandwidth}, expected a positive number")
        _, positions, views = np.unique(photographs, return_inverse=True, return_counts=True)
        share = (1 / views[positions] / len(views))[:, None]
        exact = vectors.astype(np.float64)
        centre = (share * exact).sum(axis=0)
        spread = np.sqrt((share * np.square(exact - centre)).sum(axis=0))
        scale = np.maximum(spread, _LEAST_DEVIATION)
        return cls(
            scores.astype(np.float32),
            positions.astype(np.int64),
            ((exact - centre) / scale).astype(np.float32),
            centre.astype(np.float32),
            scale.astype(np.float32),
            bandwidth,
        )

    def distances(self, vector: NDArray[np.float32]) -> NDArray[np.float64]:
        """From a picture's vector (G,) to every view (N,): in deviations, root mean square."""
        apart = self.standardised - (vector - self.centre) / self.scale
        found: NDArray[np.float64] = np.sqrt(np.square(apart).mean(axis=1, dtype=np.float64))
        return found

    def judge(self, vector: NDArray[np.float32], score: float) -> LocalResult:
        """A picture's p-value among the photographs that resemble it, by its vector (G,)."""
        kernel = np.exp(-0.5 * np.square(self.distances(vector) / self.bandwidth))  # (N,)
        whole = np.bincount(self.photographs, kernel)
        weight = kernel / np.maximum(1, whole)[self.photographs]
        votes = np.minimum(1, whole)
        resembling, squares = float(votes.sum()), float(np.square(votes).sum())
        as_high = float(weight[self.scores >= np.float32(score)].sum())
        return LocalResult(
            min(1.0, (1 + as_high) / (1 + resembling)),
            resembling,
            resembling**2 / squares if squares > 0 else 0.0,
        )


def by_source(
    scores: NDArray[np.generic], sources: NDArray[np.generic], photographs: NDArray[np.generic]
) -> PhotographScores:
    """Scores (N,) of views for a picture of a source never seen: `p_value` of what is returned.

    Of K sources each has one vote, within it each photograph, and within that each view (Lee,
    Barber and Willett 2023), so that the p-value is never below 1 / (K + 1). `sources` (N,) and
    `photographs` (N,) are numbers of any kind; photographs of two sources are never the same.
    """
    _, pair = np.unique(np.stack([sources, photographs]), axis=1, return_inverse=True)
    pair = pair.reshape(-1)
    _, first = np.unique(pair, return_index=True)
    _, source = np.unique(sources, return_inverse=True)
    in_source = np.bincount(source[first])  # photographs of each
    share = 1 / (np.bincount(pair)[pair] * in_source[source])
    return PhotographScores.of(scores, sources, share)
