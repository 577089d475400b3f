"""Rows that a search leaves, scored in full, each against one image.

Letters: P pairs of an image and a row, B images, D fingerprint size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fingerprint_db.background import Floats
from fingerprint_db.matching.rows import scoring, search
from fingerprint_db.matching.rows.shelf import Shelf
from fingerprint_db.matching.rows.stored import half_at, single_at

_AT_ONCE = 1 << 20  # pairs: 100 MB


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What P pairs give: scores in deviations of photographs, squared Mahalanobis distances under
    the variance of one generator's images, and likelihoods in nats."""

    scores: Floats
    distances: Floats
    likelihoods: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        shelf: Shelf,
        vectors: Floats,
        images: NDArray[np.int64],
        rows: NDArray[np.int64],
        apart: Floats,
        level: Floats,
    ) -> Self:
        """Of the pairs that `images` (P,) and `rows` (P,) name; images (B, D) score less by `level`
        (B,). `apart` (D,) is the variance that tells models apart."""
        made, wide = shelf.space.made_variance, shelf.wide[rows]
        sums = sums_of_pairs(vectors, shelf.addresses[rows], wide, images, made, apart)
        scores = sums[:, 0] * shelf.numbers(search.INVERSE, rows)
        scores -= shelf.numbers(search.CENTRE, rows)
        scores -= level[images]
        counts = shelf.counts[rows]
        shrunk = 1 / (1 + 1 / counts)
        return cls(
            scores.astype(np.float32),
            (sums[:, 1] * shrunk).astype(np.float32),
            scoring.log_likelihoods(sums[:, 2] * shrunk, vectors.shape[1], counts),
        )

    def between(self, first: int, end: int) -> Self:
        """Some of the pairs."""
        some = slice(first, end)
        return type(self)(self.scores[some], self.distances[some], self.likelihoods[some])


@njit(cache=True, nogil=True, fastmath=True)
def sums_of_pairs(
    vectors: Floats,
    addresses: NDArray[np.int64],
    wide: NDArray[np.bool_],
    images: NDArray[np.int64],
    made: Floats,
    apart: Floats,
) -> NDArray[np.float64]:
    """(P, 3) of images (B, D) and means at `addresses` (P,), of float32 where `wide` (P,) and else
    of float16: their product, and the squared distance under the variance of one generator's images
    and under that which tells models apart, (D,) each.

    What a pair says hangs on the two alone: equal means give equal numbers.
    """
    size = vectors.shape[1]
    found = np.empty((len(images), 3), np.float64)
    weigh_made, weigh_apart = 1 / made.astype(np.float64), 1 / apart.astype(np.float64)
    mean = np.empty(size, np.float32)
    for pair in range(len(images)):
        vector, address = vectors[images[pair]], addresses[pair]
        if wide[pair]:
            for d in range(size):
                mean[d] = single_at(address, d)
        else:
            for d in range(size):
                mean[d] = half_at(address, d)
        product = near = far = 0.0
        for d in range(size):
            x, m = np.float64(vector[d]), np.float64(mean[d])
            product += x * m
            near += (x - m) * (x - m) * weigh_made[d]
            far += (x - m) * (x - m) * weigh_apart[d]
        found[pair, 0], found[pair, 1], found[pair, 2] = product, near, far
    return found


def portions(many: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where each portion of images begins and ends that have so `many` pairs (B,): of _AT_ONCE at
    most, or one image."""
    first = pairs = 0
    for image, own in enumerate(many):
        if image > first and pairs + own > _AT_ONCE:
            yield first, image
            first, pairs = image, 0
        pairs += own
    yield first, len(many)
