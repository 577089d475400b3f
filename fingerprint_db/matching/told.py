"""What is told of an image: what models say of it, all of them or the few that matter.

Letters: B images, K models, R rows (a model under one condition), T models of one image.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Floats
from fingerprint_db.matching.rows.pairs import Scored


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

    @classmethod
    def of(
        cls,
        scored: Scored,
        rows: NDArray[np.int64],
        many: NDArray[np.integer],
        limits: Floats,
        reach: Floats,
        live: NDArray[np.bool_],
        images: int,
    ) -> Self:
        """From B times R pairs, image by image, of all R `rows`, of which each model has so `many`.

        Of each row (R,) the limit of its distance, how far it reaches, and whether it is `live`.
        """
        shape = (images, len(rows))
        scores, distances = scored.scores.reshape(shape), scored.distances.reshape(shape)
        likelihoods = scored.likelihoods.reshape(shape)
        counts = (distances <= reach) & live
        # Models have few conditions each: of a table of their rows the likeliest is looked up.
        steps = np.arange(many.max(initial=1))
        table = (np.cumsum(many) - many)[:, None] + np.where(steps < many[:, None], steps, 0)
        best = table[np.arange(len(table)), likelihoods[:, table].argmax(2)]  # (B, K)
        return cls(
            np.take_along_axis(scores, best, 1),
            np.take_along_axis(distances, best, 1),
            np.take_along_axis(distances <= limits, best, 1),
            np.take_along_axis(likelihoods, best, 1),
            rows[best],
            np.where(counts, scores, np.float32(-np.inf)).max(1, initial=-np.inf),
        )

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """Of some images, and of others behind them."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


@dataclass(frozen=True, slots=True, eq=False)
class Closest:
    """The same of the T models that are told of one image, likeliest first; `highest` of all.

    `models` (T,) are places in `Enrolled.models`; `leads` (T,) nats ahead of the best other live
    model, infinite where there is no other.
    """

    models: NDArray[np.integer]
    rows: NDArray[np.int64]
    scores: Floats
    distances: Floats
    typical: NDArray[np.bool_]
    likelihoods: NDArray[np.float64]
    leads: NDArray[np.float64]
    highest: float

    @classmethod
    def of(
        cls,
        scored: Scored,
        rows: NDArray[np.int64],
        places: NDArray[np.integer],
        limits: Floats,
        live: NDArray[np.bool_],
        shown: int,
        margin: float,
        highest: float,
    ) -> Self:
        """From P rows scored against the image, among which is the likeliest of each model that is
        to be told: of each the model's place, the limit, and whether it is `live`.

        Told are the likeliest few (`shown`), live ones within `margin` of the best other live one,
        and shadows that the image is typical of.
        """
        # The likeliest row of each model, then the models, of equals the first of the registry.
        order = np.lexsort((-scored.likelihoods, places))
        by_model = places[order]
        first = np.ones(len(order), np.bool_)
        first[1:] = by_model[1:] != by_model[:-1]
        order = order[first]
        order = order[np.argsort(-scored.likelihoods[order], kind="stable")]
        likelihoods, live = scored.likelihoods[order], live[order]
        typical = scored.distances[order] <= limits[order]
        best = np.append(likelihoods[live][:2], [-np.inf, -np.inf])
        leads = likelihoods - np.where(live & (np.cumsum(live) == 1), best[1], best[0])
        told = (live & (leads > -margin)) | (~live & typical)
        told[:shown] = True
        order = order[told]
        return cls(
            places[order],
            rows[order],
            scored.scores[order],
            scored.distances[order],
            typical[told],
            likelihoods[told],
            leads[told],
            highest,
        )
