"""What is told of an image: what models say of it, all of them or the few that matter.

Letters: B images, K models, T models of one image.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Floats


@dataclass(frozen=True, slots=True, eq=False)
class ModelScores:
    """What each of K models says of B images; of a model's conditions the likeliest one counts.

    `scores` (B, K) in deviations of photographs, rises; `distances` (B, K) squared Mahalanobis,
    falls; `typical` (B, K) whether the distance is within the model's limit; `likelihoods` (B, K)
    nats; `rows` (B, K) the condition that counts, a row of `Enrolled`. `highest` (B,) is
    `Enrolled.highest`.
    """

    scores: Floats
    distances: Floats
    typical: NDArray[np.bool_]
    likelihoods: NDArray[np.float64]
    rows: NDArray[np.int64]
    highest: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Closest:
    """The same of the T models that are told of one image, likeliest first; `highest` of all.

    `models` (T,) are places in `Enrolled.models`; `leads` (T,) nats ahead of the best other live
    model, infinite where there is no other.
    """

    models: NDArray[np.int64]
    rows: NDArray[np.int64]
    scores: Floats
    distances: Floats
    typical: NDArray[np.bool_]
    likelihoods: NDArray[np.float64]
    leads: NDArray[np.float64]
    highest: float
