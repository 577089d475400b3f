"""The Frechet distance between two sets of features, and the paper's ratio of such distances.

Heusel et al. 2017, arXiv 1706.08500: with a Gaussian fitted to each set,
FD = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).

The FD ratio (Yu, Davis and Fritz 2019, section 4.2) divides the distance between classes by the
distance between random halves of one class: how far apart the classes lie, in units of how much
one class varies. Halves of one class differ by chance alone, so that the lower distance falls like
one over the number of samples and the ratio grows with it
(`training.paper.studies.fingerprints.ratio`).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HALVINGS = 5
"""Random halvings of each class, averaged."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """What FD sees of N features: `mean` (F,) and `root` (min(N,F),F), root'root = covariance."""

    mean: NDArray[np.float64]
    root: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Distances:
    """`between` (K,K) of pairs of classes, zero on the diagonal; `within` (K,) of their halves."""

    between: NDArray[np.float64]
    within: NDArray[np.float64]

    def ratio(self, classes: Sequence[int] | None = None) -> float:
        """Mean FD over pairs, divided by the mean FD between halves; of some classes, or of all."""
        chosen = range(len(self.within)) if classes is None else classes
        pairs = [self.between[a, b] for a, b in itertools.combinations(chosen, 2)]
        return float(np.mean(pairs) / np.mean(self.within[list(chosen)]))


def frechet_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """FD between features (N,F) and (M,F), N and M >= 2; zero for equal sets, never negative."""
    return distance(fitted(first), fitted(second))


def fitted(features: NDArray[np.float32]) -> Gaussian:
    """The Gaussian of features (N,F), N >= 2."""
    values = features.astype(np.float64)
    mean = values.mean(0)
    root = (values - mean) / np.sqrt(len(values) - 1)  # (N,F)
    if len(root) > root.shape[1]:
        root = np.linalg.qr(root, mode="r")  # (F,F), of the same covariance
    return Gaussian(mean, root)


def distance(a: Gaussian, b: Gaussian) -> float:
    """FD between two Gaussians.

    tr (C1 C2)^(1/2) is the sum of the singular values of A B' where C1 = A'A and C2 = B'B, which
    also holds for fewer samples than features, and needs no root of a matrix.
    """
    cross = float(np.linalg.svd(a.root @ b.root.T, compute_uv=False).sum())
    means = float(((a.mean - b.mean) ** 2).sum())
    return max(0.0, means + float((a.root**2).sum() + (b.root**2).sum()) - 2 * cross)


def distances(features: NDArray[np.float32], labels: NDArray[np.int64], seed: int = 0) -> Distances:
    """All pairs of classes, and each class's `HALVINGS` random halvings.

    `features` (N,F) and `labels` (N,); each class needs four samples or more.
    """
    classes = [features[labels == label] for label in np.unique(labels)]
    gaussians = [fitted(members) for members in classes]
    between = np.zeros((len(classes), len(classes)))
    for a, b in itertools.combinations(range(len(classes)), 2):
        between[a, b] = between[b, a] = distance(gaussians[a], gaussians[b])
    rng = np.random.default_rng(seed)
    within = [
        np.mean(
            [
                frechet_distance(*np.array_split(members[rng.permutation(len(members))], 2))
                for _ in range(HALVINGS)
            ]
        )
        for members in classes
    ]
    return Distances(between, np.array(within))


def fd_ratio(features: NDArray[np.float32], labels: NDArray[np.int64], seed: int = 0) -> float:
    """Mean FD over all pairs of classes, divided by the mean FD between halves of a class."""
    return distances(features, labels, seed).ratio()
