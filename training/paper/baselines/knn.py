"""Baseline: the k nearest training images vote, by Euclidean distance of raw pixels.

Yu, Davis and Fritz 2019, arXiv 1811.08180, section 4; the grid is that of
RUB-SysSec/GANDCTAnalysis. Deviation: the vote of a training image weighs one over the
number of its source's training images, since there are fewer real ones than made ones and a
majority of many neighbours would favour the larger sources.

Axes: N images asked about, T training images, D pixel values, K neighbours, S sources.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.paper.accuracy import measure
from training.paper.images import LabelledImages

NEIGHBOURS = (1, *(2**power + 1 for power in range(1, 11)))
"""1, 3, 5, 9, 17 ... 1025."""

_ASKED = 1000  # images whose distances are held at a time: 88 MB for 22,000 training images
_TRAINED = 2000  # training images held as float32 at a time: 98 MB at 64 pixels a side


@dataclass(frozen=True, eq=False)
class Knn:
    """The training images and how many of the nearest are asked.

    `settings` holds `k` and `validation_accuracy` (0 to 1).
    """

    train: LabelledImages
    neighbours: int
    settings: dict[str, float]

    def answers(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Images uint8 (N,3,R,R) to places in `train.sources`, int64 (N,)."""
        return vote(nearest_labels(self.train, images, self.neighbours), self.train)


def fit_knn(train: LabelledImages, validation: LabelledImages) -> Knn:
    """Choose k of `NEIGHBOURS`, where not above T, by accuracy on `validation`; the first of ties.

    Distances are computed once and the neighbours sorted once, for the largest k.
    """
    grid = [k for k in NEIGHBOURS if k <= len(train.images)]
    nearest = nearest_labels(train, validation.images, grid[-1])
    found = [measure(validation, vote(nearest[:, :k], train)).mean for k in grid]
    best = int(np.argmax(found))
    return Knn(train, grid[best], {"k": float(grid[best]), "validation_accuracy": found[best]})


def nearest_labels(
    train: LabelledImages, images: NDArray[np.uint8], count: int
) -> NDArray[np.int64]:
    """The labels of the `count` nearest training images, nearest first: int64 (N,count).

    Distances within the rounding of float32 (some 1e-6 of the squared distance) count as equal
    and come in any order.
    """
    found = []
    for start in range(0, len(images), _ASKED):
        squared = _squared_distances(images[start : start + _ASKED], train.images)
        near = np.argpartition(squared, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(squared, near, axis=1), axis=1)
        found.append(train.labels[np.take_along_axis(near, order, axis=1)])
    return np.concatenate(found)


def vote(nearest: NDArray[np.int64], train: LabelledImages) -> NDArray[np.int64]:
    """The source with most votes, given neighbours' labels (N,K): int64 (N,); the first of ties.

    A vote weighs one over the number of training images of its source.
    """
    sizes = np.bincount(train.labels, minlength=len(train.sources))
    votes = np.stack([(nearest == place).sum(axis=1) for place in range(len(sizes))], axis=1)
    answers: NDArray[np.int64] = (votes / np.maximum(sizes, 1)).argmax(axis=1)
    return answers


def _squared_distances(images: NDArray[np.uint8], train: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Squared Euclidean distances of pixel values in 0 to 255: float32 (N,T)."""
    asked = _flat(images)
    own = np.einsum("nd,nd->n", asked, asked)[:, None]
    blocks = []
    for start in range(0, len(train), _TRAINED):
        trained = _flat(train[start : start + _TRAINED])
        blocks.append(own + np.einsum("td,td->t", trained, trained) - 2 * (asked @ trained.T))
    return np.concatenate(blocks, axis=1)


def _flat(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pixel values about the middle of their range, where float32 rounds least: (N,D)."""
    return images.reshape(len(images), -1).astype(np.float32) - np.float32(127.5)
