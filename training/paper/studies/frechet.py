"""The Frechet distance between two sets of features, and the paper's ratio of such distances.

Heusel et al. 2017, arXiv 1706.08500: with a Gaussian fitted to each set,
FD = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).

The FD ratio (Yu, Davis and Fritz 2019, section 4.2) divides the distance between classes by the
distance between random halves of one class: how far apart the classes lie, in units of how much
one class varies. Few samples make the lower distance too large and so the ratio too small.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

HALVINGS = 5
"""Random halvings of each class, averaged."""


def frechet_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """FD between features (N,F) and (M,F), N and M >= 2; zero for equal sets, never negative.

    tr (C1 C2)^(1/2) is the sum of the singular values of A B' where C1 = A'A and C2 = B'B, which
    also holds for fewer samples than features, and needs no root of a matrix.
    """
    a, b = _centred(first), _centred(second)  # (N,F), (M,F), scaled so that C = A'A
    cross = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
    means = float(((first.mean(0, np.float64) - second.mean(0, np.float64)) ** 2).sum())
    return max(0.0, means + float((a**2).sum() + (b**2).sum()) - 2 * cross)


def _centred(features: NDArray[np.float32]) -> NDArray[np.float64]:
    values = features.astype(np.float64)
    centred: NDArray[np.float64] = (values - values.mean(0)) / np.sqrt(len(values) - 1)
    return centred


def fd_ratio(features: NDArray[np.float32], labels: NDArray[np.int64], seed: int = 0) -> float:
    """Mean FD over all pairs of classes, divided by the mean FD between halves of a class.

    `features` (N,F) and `labels` (N,); each class needs four samples or more.
    """
    classes = [features[labels == label] for label in np.unique(labels)]
    between = [frechet_distance(a, b) for a, b in itertools.combinations(classes, 2)]
    rng = np.random.default_rng(seed)
    within = [
        frechet_distance(*np.array_split(members[rng.permutation(len(members))], 2))
        for members in classes
        for _ in range(HALVINGS)
    ]
    return float(np.mean(between) / np.mean(within))
