"""What a fingerprint space is like before anyone registers: shipped with the extractor bundle.

One space for each codec. Letters: D fingerprint size, G background generators, M views of
photographs, V numbers of a nuisance vector.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.conditions import Codec

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

SIZE_CLASSES: tuple[tuple[str, int], ...] = (
    ("under_96", 0),
    ("96_to_191", 96),
    ("192_to_383", 192),
    ("384_up", 384),
)
"""Name and least side in pixels (square root of the pixels that are read) of each size class;
photographs of one class calibrate pictures of that class."""


def size_class_of(pixels_read: int) -> int:
    """The position in SIZE_CLASSES of a picture of which so many pixels were read."""
    side = pixels_read**0.5
    return max(i for i, (_, least) in enumerate(SIZE_CLASSES) if side >= least)


@dataclass(frozen=True, slots=True)
class DecisionConstants:
    """What the decision computes with, beside the statistics; stands in bundle.json.

    `margin`: nats of log-likelihood by which a model must lead the next to be named. `atypical`:
    the share of a model's own images that its limit leaves outside. `reach`: within so many times
    its limit a model may still tell an image from photographs, without naming it: a sibling's, or
    one of a quality between those that are enrolled. `own_scatter`: the weight of the registered
    models' own scatter in the covariance that tells models apart. `impostors`: how
    many of the background's generators set a picture's level, and `impostor_weight` by how much.
    `unfamiliar_distance`: beyond this distance from the tenth nearest calibration photograph, in
    deviations of the nuisance vector, a picture is unfamiliar.
    """

    margin: float
    atypical: float
    reach: float
    own_scatter: float
    impostors: int
    impostor_weight: float
    unfamiliar_distance: float

    def __post_init__(self) -> None:
        if not (
            self.margin >= 0
            and 0 < self.atypical < 0.5
            and self.reach >= 1
            and 0 <= self.own_scatter < 1
            and self.impostors >= 1
            and 0 <= self.impostor_weight <= 1
            and self.unfamiliar_distance > 0
        ):
            raise ValueError(
                f"{self} cannot be: expected a margin of at least 0, atypical between 0 and 0.5,"
                " a reach of 1 or more, own_scatter from 0 to below 1, an impostor or more of a"
                " weight from 0 to 1 and a positive unfamiliar_distance; export the bundle again"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Fingerprints of real photographs under one codec, none of them behind its statistics.

    `vectors` (M, D); `photographs` and `sources` (M,) say which photograph each view shows and
    whose it is; `size_classes` (M,) are positions in SIZE_CLASSES; `kinds` (M, V) are nuisance
    vectors; `normalises` (M,) bool marks the photographs behind the models' z-norm, which never
    stand behind a p-value. `weights` (M,) say what each view counts, in photographs: views of a
    kind that was taken more often than it is met count less, so that it is represented by many and
    weighs as it should.
    """

    vectors: Floats
    photographs: Labels
    sources: Labels
    size_classes: Labels
    kinds: Floats
    normalises: NDArray[np.bool_]
    weights: Floats

    def __post_init__(self) -> None:
        rows = len(self.vectors)
        others = (
            self.photographs,
            self.sources,
            self.size_classes,
            self.kinds,
            self.normalises,
            self.weights,
        )
        if any(len(column) != rows for column in others):
            raise ValueError(
                f"a cohort of {rows} fingerprints comes with {[len(c) for c in others]}"
                " photographs, sources, size classes, kinds, marks and weights; export the bundle"
                " again"
            )

    def where(self, rows: NDArray[np.bool_]) -> "Cohort":
        """Some of the views, (M,) bool."""
        return Cohort(
            self.vectors[rows],
            self.photographs[rows],
            self.sources[rows],
            self.size_classes[rows],
            self.kinds[rows],
            self.normalises[rows],
            self.weights[rows],
        )


@dataclass(frozen=True, slots=True, eq=False)
class CodecSpace:
    """One codec's statistics, and photographs to hold scores against.

    Fingerprints are whitened: photographs have mean 0 and, in number d, the variance r_d
    (`real_variance` (D,), between 0 and 2); the images of one generator have 2 - r_d around its
    mean, and both covariances are diagonal. `generators` (G, D) are the means of generators that
    nobody registers, none where they weigh nothing; `synthesis` (D,) weighs a fingerprint to the
    score of the test with nothing registered, which rises with evidence of synthesis.
    """

    real_variance: Floats
    generators: Floats
    synthesis: Floats
    cohort: Cohort

    def __post_init__(self) -> None:
        variance, size = self.real_variance, self.real_variance.shape
        shapes = (self.generators.shape[1:], self.synthesis.shape, self.cohort.vectors.shape[1:])
        if len(size) != 1 or any(shape != size for shape in shapes):
            raise ValueError(
                f"variances of shape {size} come with generators, weights and photographs of"
                f" {shapes}; expected (D,) each; export the bundle again"
            )
        if not ((variance > 0) & (variance < 2)).all():
            raise ValueError(
                f"a real variance of {variance.min():g} to {variance.max():g}; expected numbers"
                " between 0 and 2, both excluded; export the bundle again"
            )

    @property
    def made_variance(self) -> Floats:
        """(D,) the variance of one generator's images around their mean."""
        made: Floats = 2.0 - self.real_variance
        return made


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """The spaces of all codecs, of one D, and the constants of the decision."""

    space: str
    codecs: Mapping[Codec, CodecSpace]
    constants: DecisionConstants

    def __post_init__(self) -> None:
        sizes = {len(one.real_variance) for one in self.codecs.values()}
        if len(sizes) != 1:
            raise ValueError(f"codecs of fingerprint sizes {sorted(sizes)}; expected one size")
        without = [codec for codec, one in self.codecs.items() if not len(one.generators)]
        if self.constants.impostor_weight > 0 and without:
            raise ValueError(
                f"an impostor_weight of {self.constants.impostor_weight:g} comes with no"
                f" generators of the background under {', '.join(without)}; export the bundle again"
                " with them, or with a weight of 0"
            )

    @property
    def dimension(self) -> int:
        """D, the size of a fingerprint in this space."""
        return len(next(iter(self.codecs.values())).real_variance)
