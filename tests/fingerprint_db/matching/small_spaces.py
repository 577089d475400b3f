"""Made-up fingerprint spaces whose photographs and generators are drawn from what they state."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import (
    Background,
    CodecSpace,
    Cohort,
    DecisionConstants,
    Floats,
)
from fingerprint_db.conditions import Codec
from fingerprint_db.matching.limits import distance_limit
from fingerprint_db.matching.rows.scoring import leave_one_out_distances
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint, Status

SPACE = "c3" * 32
DIMENSION, GENERATORS, NUMBERS = 24, 60, 15
PHOTOGRAPHS, SOURCES = 700, 8
LOSSLESS: tuple[Codec, Codec] = ("lossless", "half_lossless")
CONSTANTS = DecisionConstants(
    margin=6.0,
    atypical=0.02,
    reach=1.0,
    own_scatter=0.2,
    impostors=20,
    impostor_weight=0.5,
    unfamiliar_distance=3.0,
)


def small_space(seed: int = 0, *, photographs: int = PHOTOGRAPHS, views: int = 1) -> CodecSpace:
    """Photographs of eight sources, two in five of them behind the models' norm."""
    rng = np.random.default_rng(seed)
    variance = rng.uniform(0.3, 1.7, DIMENSION).astype(np.float32)
    numbers = np.repeat(np.arange(photographs), views)
    real = rng.normal(size=(len(numbers), DIMENSION)) * np.sqrt(variance)
    cohort = Cohort(
        real.astype(np.float32),
        numbers,
        numbers % SOURCES,
        np.where(numbers % 10 == 9, 2, 3),  # one in ten is smaller
        rng.normal(size=(len(numbers), NUMBERS)).astype(np.float32),
        numbers % 5 < 2,
        np.ones(len(numbers), np.float32),
    )
    common = rng.normal(0, 0.6, DIMENSION)
    generators = (common + rng.normal(0, 0.6, (GENERATORS, DIMENSION))).astype(np.float32)
    return CodecSpace(variance, generators, common.astype(np.float32), cohort)


def small_background(*codecs: Codec, seed: int = 0) -> Background:
    """A space for each codec, no two alike."""
    spaces = {codec: small_space(seed + i) for i, codec in enumerate(codecs)}
    return Background(SPACE, spaces, CONSTANTS)


ASIDE_SIZE = 0.7  # of 24 numbers each, so that it lies 3.4 deviations of photographs away


def lossless_background(photographs: int = PHOTOGRAPHS) -> Background:
    """Both spaces of lossless files; half of the photographs had been halved.

    In each space those of the other kind lie around `aside`.
    """
    spaces: dict[Codec, CodecSpace] = {}
    for number, codec in enumerate(LOSSLESS):
        space = small_space(number, photographs=photographs)
        cohort = space.cohort
        other = halved(cohort) != (codec == "half_lossless")
        vectors = np.where(other[:, None], cohort.vectors + aside(codec), cohort.vectors)
        spaces[codec] = replace(space, cohort=replace(cohort, vectors=vectors))
    return Background(SPACE, spaces, CONSTANTS)


def halved(cohort: Cohort) -> NDArray[np.bool_]:
    """Which of the photographs of `lossless_background` had been halved: half of each source's."""
    found: NDArray[np.bool_] = cohort.photographs // SOURCES % 2 == 1
    return found


def aside(codec: Codec) -> Floats:
    """Where photographs of the other kind lie in this space, (D,)."""
    return mean_of(70 + LOSSLESS.index(codec), ASIDE_SIZE)


def photographs(of: CodecSpace, count: int, seed: int = 1) -> Floats:
    """Further photographs (N, D)."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(count, DIMENSION)) * np.sqrt(of.real_variance)
    return drawn.astype(np.float32)


def images(of: CodecSpace, mean: Floats, count: int, seed: int = 2) -> Floats:
    """Images (N, D) of the generator at `mean` (D,)."""
    rng = np.random.default_rng(seed)
    drawn = mean + rng.normal(size=(count, DIMENSION)) * np.sqrt(of.made_variance)
    return drawn.astype(np.float32)


def mean_of(seed: int, size: float = 2.0) -> Floats:
    """Where a generator lies, (D,); far from photographs and from other seeds."""
    return np.random.default_rng(1000 + seed).normal(0, size, DIMENSION).astype(np.float32)


def squared_distances(
    of: CodecSpace, means: Floats, counts: NDArray[np.int64], vectors: Floats
) -> NDArray[np.float64]:
    """(B, R) of images (B, D) to means (R, D) of so many samples (R,), under the variance of one
    generator's images."""
    apart = vectors[:, None].astype(np.float64) - means
    found: NDArray[np.float64] = (apart**2 / of.made_variance).sum(2) / (1 + 1 / counts)
    return found


def entry(
    of: CodecSpace, mean: Floats, condition: str, *, count: int = 50, seed: int = 3
) -> ConditionStatistics:
    """Statistics as they are enrolled from `count` images around `mean` (D,)."""
    samples = images(of, mean, count, seed)
    limit = distance_limit(leave_one_out_distances(of, samples), CONSTANTS.atypical)
    return ConditionStatistics(condition, count, samples.mean(0), samples.var(0), limit)


def model(
    name: str,
    *entries: ConditionStatistics,
    status: Status = "live",
    family: str | None = None,
    samples: int = 50,
) -> ModelFingerprint:
    """An entry of this name; its family has the same name unless given."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    return ModelFingerprint(
        name, name, family or name, SPACE, status, entries, samples, at, "ada", "a test"
    )


def models_at(
    of: CodecSpace, means: Mapping[str, Floats], condition: str
) -> list[ModelFingerprint]:
    """A live model for each mean (D,), by name."""
    return [model(name, entry(of, mean, condition)) for name, mean in means.items()]
