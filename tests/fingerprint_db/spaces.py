"""A small fingerprint space with known covariances, and generators that live in it."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Background, DecisionConstants
from fingerprint_db.enrolment import Registration, Samples

SPACE = "c3" * 32
CONDITIONS = ("as_received", "jpeg75")
DIMENSION = 4
REAL_MEAN = np.array([-12.0, 0.0, 0.0, 0.0])
REAL_PHOTOS = 400
CONSTANTS = DecisionConstants(
    prior_samples=15.0,
    halved_penalty_per_number=10.0,
    beyond_as_received=0.005,
    beyond_reencoded=0.025,
)


@dataclass(frozen=True, eq=False)
class Generator:
    """Images of one generator are normal around `mean` (D,), with the space's own covariance."""

    mean: NDArray[np.float64]
    background: Background

    def draw(
        self, count: int, seed: int, condition: str = CONDITIONS[0], spread: float = 1.0
    ) -> NDArray[np.float32]:
        """`count` fingerprints (N, D); `spread` multiplies their standard deviation."""
        at = self.background.index(condition)
        numbers = np.random.default_rng([seed, at])
        covariance = self.background.within[at] * spread**2
        return numbers.multivariate_normal(self.mean, covariance, count).astype(np.float32)

    def samples(self, count: int, seed: int, p_value: float = 0.001) -> Samples:
        """`count` samples under every condition, all with the same p-value."""
        return Samples(
            {name: self.draw(count, seed, name) for name in self.background.conditions},
            {name: np.full(count, p_value) for name in self.background.conditions},
        )


def covariance(seed: int, size: float = 1.0) -> NDArray[np.float64]:
    """A covariance (D, D) that is neither diagonal nor near singular."""
    numbers = np.random.default_rng(seed)
    root = numbers.normal(size=(DIMENSION, 3 * DIMENSION))
    return size * root @ root.T / (3 * DIMENSION)


def small_background() -> Background:
    """Two conditions, four dimensions, real photos around REAL_MEAN."""
    numbers = np.random.default_rng(5)
    within = np.stack([covariance(1), covariance(2, 1.5)])
    total = np.stack([covariance(3, 40.0), covariance(4, 30.0)])
    reals = numbers.normal(size=(len(CONDITIONS), REAL_PHOTOS, DIMENSION)) + REAL_MEAN
    return Background(
        SPACE,
        CONDITIONS,
        within.astype(np.float32),
        numbers.normal(size=(len(CONDITIONS), DIMENSION)).astype(np.float32),
        total.astype(np.float32),
        reals.astype(np.float32),
        CONSTANTS,
    )


def registration(name: str) -> Registration:
    """Who registers `name`, and when; always the same."""
    return Registration(
        model_id=name,
        name=name,
        family=f"family of {name}",
        by="ada",
        reason="first sighting",
        at=datetime(2026, 1, 2, tzinfo=UTC),
    )
