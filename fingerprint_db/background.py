"""What a fingerprint space is like before anyone registers: shipped with the extractor bundle.

Letters: K conditions, D fingerprint size, M real photographs per condition.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DecisionConstants:
    """What the decision computes with, beside the statistics; stands in bundle.json.

    `prior_samples`: a model's covariance is shrunk towards the background's as if that had been
    seen in so many samples. `halved_penalty_per_number`: nats, for each of the D numbers of a
    fingerprint, by which "it was halved" must explain an image better than "it was not".
    `beyond_as_received` and `beyond_reencoded`: the share of a model's own images that its
    threshold leaves outside, as received and after re-encoding.
    """

    prior_samples: float
    halved_penalty_per_number: float
    beyond_as_received: float
    beyond_reencoded: float

    def __post_init__(self) -> None:
        shares = (self.beyond_as_received, self.beyond_reencoded)
        if not (self.prior_samples > 0 and self.halved_penalty_per_number >= 0) or not all(
            0 < share < 0.5 for share in shares
        ):
            raise ValueError(
                f"{self} cannot be: expected a prior above 0 samples, a penalty of at least 0 nats"
                " and shares between 0 and 0.5; export the bundle again"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Background statistics of one fingerprint space, per recompression condition.

    `within` (K, D, D) is the covariance of image fingerprints of one generator around its mean,
    pooled over the generators of training: what a model's own covariance is shrunk towards.
    `total_mean` (K, D) and `total` (K, D, D) describe all pictures, real and made: the alternative
    in the log-likelihood ratio.
    `real_vectors` (K, M, D) are fingerprints of M distinct real photographs under each condition,
    one view of each, for the enrolment gate.
    """

    space: str
    conditions: tuple[str, ...]
    within: Floats
    total_mean: Floats
    total: Floats
    real_vectors: Floats
    constants: DecisionConstants

    def __post_init__(self) -> None:
        count, dimension = len(self.conditions), self.within.shape[-1]
        shapes = {
            "within": (self.within.shape, (count, dimension, dimension)),
            "total_mean": (self.total_mean.shape, (count, dimension)),
            "total": (self.total.shape, (count, dimension, dimension)),
            "real_vectors": (
                self.real_vectors.shape,
                (count, self.real_vectors.shape[1], dimension),
            ),
        }
        for name, (seen, expected) in shapes.items():
            if seen != expected:
                raise ValueError(
                    f"background of space {self.space[:12]}: {name} has shape {seen}, expected"
                    f" {expected}; the bundle is damaged, export it again"
                )

    @property
    def dimension(self) -> int:
        """D, the size of a fingerprint in this space."""
        return int(self.within.shape[-1])

    @property
    def halved_penalty(self) -> float:
        """Nats by which "it was halved" must explain an image better than "it was not"."""
        return self.constants.halved_penalty_per_number * self.dimension

    def index(self, condition: str) -> int:
        """Where `condition` stands along the first axis of the arrays."""
        return self.conditions.index(condition)
