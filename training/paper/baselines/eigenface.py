"""Baseline: eigenfaces, principal components of the pixels and a linear SVM on them.

Yu, Davis and Fritz 2019, arXiv 1811.08180, section 4, after Sirovich and Kirby 1987 and Turk and
Pentland 1991. Grid and details are those of RUB-SysSec/GANDCTAnalysis: pixels in [-1, 1], centred
by the components' own mean and not whitened; one-against-the-rest LinearSVC.

Deviations: at most `COMPONENTS` components, by randomised projection (Halko, Martinsson and Tropp
2011, arXiv 0909.4061), so that where these hold less than the asked variance all of them are
used; the grid is searched on `SEARCHED` images of each source; classes weigh the same in the SVM,
since there are fewer real images than made ones.

Axes: N images, D pixel values, P principal components, S sources.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.svm import LinearSVC

from training.paper.accuracy import measure
from training.paper.baselines.selections import some_of_each
from training.paper.images import LabelledImages

VARIANCES = (0.25, 0.5, 0.75, 0.95)
COSTS = (1e-4, 1e-3, 1e-2, 1e-1)
"""C of the SVM: the price of an image on the wrong side of the margin."""

WIDER_VARIANCES = (*VARIANCES, 0.99)
WIDER_COSTS = (1e-5, *COSTS, 1.0)
"""What lies beyond the edges of the published grid."""

COMPONENTS = 512
SEARCHED = 400

_CHUNK = 2000  # images held as float32 at a time where they are projected
_POWER_STEPS = 2  # the variance of natural pictures falls fast: more change nothing visible


@dataclass(frozen=True, eq=False)
class Components:
    """Principal axes: `mean` float32 (D,), `axes` float32 (P,D), the most varying first.

    `held` float64 (P,), ascending: the share of the variance that the first axes hold together.
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    held: NDArray[np.float64]

    def holding(self, variance: float) -> int:
        """How many axes hold this share (0 to 1) of the variance; all, where not even these do."""
        return min(int(np.searchsorted(self.held, variance)) + 1, len(self.held))

    def first(self, count: int) -> "Components":
        """The first `count` axes alone."""
        return Components(self.mean, self.axes[:count], self.held[:count])

    def project(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Images uint8 (N,3,R,R) to their coordinates, float32 (N,P)."""
        chunks = (images[i : i + _CHUNK] for i in range(0, len(images), _CHUNK))
        return np.concatenate([(_flat(chunk) - self.mean) @ self.axes.T for chunk in chunks])


@dataclass(frozen=True, eq=False)
class Eigenface:
    """Components and the SVM on them.

    `settings` holds `variance` and `C` of the grid, `components` (how many are used),
    `variance_held` (by these, 0 to 1) and `validation_accuracy` (0 to 1, of the search, which
    sees fewer training images than the final fit).
    """

    components: Components
    svm: LinearSVC
    settings: dict[str, float]

    def answers(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Images uint8 (N,3,R,R) to places in `train.sources`, int64 (N,)."""
        return np.asarray(self.svm.predict(self.components.project(images)), np.int64)


def fit_eigenface(
    train: LabelledImages,
    validation: LabelledImages,
    variances: tuple[float, ...] = VARIANCES,
    costs: tuple[float, ...] = COSTS,
) -> Eigenface:
    """Choose the variance held and C on `validation`, the first of ties; fit on all of `train`."""
    some = some_of_each(train, SEARCHED)
    components = components_of(some.images)
    seen, asked = components.project(some.images), components.project(validation.images)
    grid = list(product(variances, costs))
    found = []
    for variance, cost in grid:
        count = components.holding(variance)
        svm = _fit_svm(seen[:, :count], some.labels, cost)
        answers = np.asarray(svm.predict(asked[:, :count]), np.int64)
        found.append(measure(validation, answers).mean)
    best = int(np.argmax(found))
    variance, cost = grid[best]

    components = components_of(train.images)
    components = components.first(components.holding(variance))
    settings = {
        "variance": variance,
        "C": cost,
        "components": float(len(components.axes)),
        "variance_held": float(components.held[-1]),
        "validation_accuracy": found[best],
    }
    svm = _fit_svm(components.project(train.images), train.labels, cost)
    return Eigenface(components, svm, settings)


def components_of(images: NDArray[np.uint8], most: int = COMPONENTS) -> Components:
    """The first principal axes, at most `most`, of images uint8 (N,3,R,R)."""
    pixels = _flat(images)
    pca = PCA(
        min(most, *pixels.shape),
        copy=False,  # a gigabyte at 20,000 images of 64 pixels a side
        svd_solver="randomized",
        iterated_power=_POWER_STEPS,
        random_state=0,
    )
    pca.fit(pixels)
    held = np.cumsum(pca.explained_variance_ratio_, dtype=np.float64)
    return Components(pca.mean_, pca.components_, held)


def _fit_svm(coordinates: NDArray[np.float32], labels: NDArray[np.int64], cost: float) -> LinearSVC:
    """One against the rest, on coordinates (N,P) and labels (N,).

    The primal problem, which is the faster one where there are more images than components.
    """
    svm = LinearSVC(C=cost, class_weight="balanced", dual=False, random_state=0, max_iter=10_000)
    return svm.fit(coordinates, labels)


def _flat(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pixel values in [-1, 1]: float32 (N,D)."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(127.5) - np.float32(1)
