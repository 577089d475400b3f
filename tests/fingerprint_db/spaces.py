"""A small fingerprint space with known covariances, and generators and photographs that live in it.

Every codec has the same space. Photographs have mean 0; `REAL_VARIANCE` rises over the numbers, so
that photographs hardly vary in the first and the images of one generator hardly in the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import (
    SIZE_CLASSES,
    Background,
    CodecSpace,
    Cohort,
    DecisionConstants,
    Floats,
)
from fingerprint_db.conditions import CODECS, CONDITIONS, Codec
from fingerprint_db.gate.enrolment import Registration, Samples

SPACE = "c3" * 32
DIMENSION = 24
REAL_VARIANCE = np.linspace(0.4, 1.6, DIMENSION).astype(np.float32)
BETWEEN_SOURCES = 0.3  # of the variance of photographs, the share that parts their sources
KINDS = 15
SOURCES, PHOTOGRAPHS_OF_ONE = 20, 25
SIZE_CLASS = 2  # of samples, unless said otherwise
CONSTANTS = DecisionConstants(
    margin=3.0,
    atypical=0.02,
    reach=1.0,
    own_scatter=0.0,
    impostors=5,
    impostor_weight=0.5,
    unfamiliar_distance=3.0,
)


def along(number: int, far: float) -> NDArray[np.float64]:
    """The mean (D,) of a generator that lies `far` from photographs in one number alone."""
    mean = np.zeros(DIMENSION)
    mean[number] = far
    return mean


@dataclass(frozen=True, eq=False)
class Generator:
    """Images of one generator are normal around `mean` (D,), with the variance of the space.

    Under every condition they lie at the same place, each sample a little off.
    """

    mean: NDArray[np.float64]

    def draw(self, count: int, seed: int, spread: float = 1.0) -> Floats:
        """`count` fingerprints (N, D); `spread` multiplies their standard deviation."""
        numbers = np.random.default_rng(seed)
        deviation = np.sqrt(2.0 - REAL_VARIANCE) * spread
        drawn = self.mean + deviation * numbers.normal(size=(count, DIMENSION))
        found: Floats = drawn.astype(np.float32)
        return found

    def samples(self, count: int, seed: int) -> Samples:
        """`count` ordinary samples under every condition."""
        return under_every_condition(
            [self.draw(count, 1000 * seed + i) for i in range(len(CONDITIONS))]
        )


def under_every_condition(vectors: Sequence[Floats]) -> Samples:
    """Samples named 0.png, 1.png … whose fingerprints (N, D) are given, one for each condition."""
    return samples_of({c.name: v for c, v in zip(CONDITIONS, vectors, strict=True)})


def samples_of(vectors: dict[str, Floats], kinds: Floats | None = None) -> Samples:
    """Samples named 0.png, 1.png … of the kind of ordinary photographs, unless `kinds` are given.

    `vectors` are (N, D) by condition, of the first N samples each.
    """
    most = max((len(rows) for rows in vectors.values()), default=0)
    ordinary = kinds_of(most, 0) if kinds is None else kinds
    return Samples(
        tuple(f"{number}.png" for number in range(most)),
        vectors,
        {name: np.arange(len(rows)) for name, rows in vectors.items()},
        {name: np.full(len(rows), SIZE_CLASS) for name, rows in vectors.items()},
        {name: ordinary[: len(rows)] for name, rows in vectors.items()},
    )


def kinds_of(count: int, seed: int) -> Floats:
    """Nuisance vectors (N, 15) of ordinary pictures."""
    return np.random.default_rng([seed, 7]).normal(size=(count, KINDS)).astype(np.float32)


def photographs_of_one_source(count: int, seed: int) -> Floats:
    """Fingerprints (N, D) of photographs of a source, another for every seed."""
    numbers = np.random.default_rng(seed)
    between = np.sqrt(BETWEEN_SOURCES * REAL_VARIANCE)
    within = np.sqrt((1 - BETWEEN_SOURCES) * REAL_VARIANCE)
    source = between * numbers.normal(size=DIMENSION)
    found: Floats = (source + within * numbers.normal(size=(count, DIMENSION))).astype(np.float32)
    return found


def cohort() -> Cohort:
    """SOURCES of PHOTOGRAPHS_OF_ONE each, a view of every size class; two fifths normalise."""
    views = len(SIZE_CLASSES)
    each = [photographs_of_one_source(PHOTOGRAPHS_OF_ONE, 500 + k) for k in range(SOURCES)]
    photographs = np.repeat(np.concatenate(each), views, axis=0)  # (M, D), views side by side
    numbers = np.random.default_rng(3)
    vectors = photographs + 0.1 * numbers.normal(size=photographs.shape)
    of_view = np.repeat(np.arange(SOURCES * PHOTOGRAPHS_OF_ONE), views)
    return Cohort(
        vectors.astype(np.float32),
        of_view,
        of_view // PHOTOGRAPHS_OF_ONE,
        np.tile(np.arange(views), SOURCES * PHOTOGRAPHS_OF_ONE),
        kinds_of(len(of_view), 1),
        of_view % 5 < 2,
        np.ones(len(of_view), np.float32),
    )


def small_background(
    codecs: Sequence[Codec] = CODECS, constants: DecisionConstants = CONSTANTS
) -> Background:
    """The same space for each codec: photographs around 0, forty generators around them."""
    numbers = np.random.default_rng(5)
    generators = (6.0 * numbers.normal(size=(40, DIMENSION)) / np.sqrt(DIMENSION)).astype(
        np.float32
    )
    synthesis = np.full(DIMENSION, 1 / np.sqrt(DIMENSION), np.float32)
    space = CodecSpace(REAL_VARIANCE, generators, synthesis, cohort())
    return Background(SPACE, dict.fromkeys(codecs, space), constants)


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
