"""What a fingerprint space is like before anyone registers: shipped with the extractor bundle.

Letters: K conditions, D fingerprint size, M real pictures per condition.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Background statistics of one fingerprint space, per recompression condition.

    `within` (K, D, D) is the covariance of image fingerprints of one generator around its mean,
    pooled over the generators of training: what a model's own covariance is shrunk towards.
    `total_mean` (K, D) and `total` (K, D, D) describe all pictures, real and made: the alternative
    in the log-likelihood ratio.
    `real_vectors` (K, M, D) are fingerprints of real pictures, for the enrolment gate.
    """

    space: str
    conditions: tuple[str, ...]
    within: Floats
    total_mean: Floats
    total: Floats
    real_vectors: Floats

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

    def index(self, condition: str) -> int:
        """Where `condition` stands along the first axis of the arrays."""
        return self.conditions.index(condition)
