"""Models that fill a registry: to see whether rates grow with it.

A thousand generators cannot be had. Fillers are drawn so that they lie as generators lie: the mean
of a filler under a codec is a mixture of the deviations of the background's generators from their
common mean, with normal weights, which gives it their mean and their covariance exactly. Under each
treatment of the codec it is drawn anew, so that a filler has as many places of its own as an
enrolled model and photographs meet more of them than of an enrolled one, whose places lie together.
Its mean is as uncertain as that of fifty samples, and its limit and variance are those of a model
that was really enrolled, taken in turn.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fingerprint_db.background import Background, Floats
from fingerprint_db.conditions import CONDITIONS, Codec
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint

SAMPLES = 50
_CODEC_OF: dict[str, Codec] = {condition.name: condition.codec for condition in CONDITIONS}


def draw_fillers(
    background: Background, count: int, like: Sequence[ModelFingerprint], seed: int
) -> list[ModelFingerprint]:
    """`count` fillers with the limits and variances of `like`; the same seed, the same fillers.

    ValueError where none was enrolled to be like.
    """
    if count and not like:
        raise ValueError("no enrolled model to take limits from: fillers need one at least")
    rng = np.random.default_rng(seed)
    return [_filler(background, number, like[number % len(like)], rng) for number in range(count)]


def _filler(
    background: Background, number: int, like: ModelFingerprint, rng: np.random.Generator
) -> ModelFingerprint:
    return replace(
        like,
        model_id=f"filler-{number:04d}",
        name=f"filler {number:04d}",
        family=f"filler {number:04d}",
        sample_count=SAMPLES,
        statistics=tuple(_statistics(background, entry, rng) for entry in like.statistics),
        reason="filler",
    )


def _statistics(
    background: Background, like: ConditionStatistics, rng: np.random.Generator
) -> ConditionStatistics:
    space = background.codecs[_CODEC_OF[like.condition]]
    generators = space.generators.astype(np.float32)
    centre = generators.mean(0)
    weights = rng.standard_normal(len(generators)).astype(np.float32)
    mean = centre + weights @ (generators - centre) / np.sqrt(max(1, len(generators) - 1))
    mean += np.sqrt(space.made_variance / SAMPLES) * rng.standard_normal(len(mean))
    return replace(like, count=SAMPLES, mean=_half(mean))


def _half(array: Floats) -> Floats:
    """Such as float16 holds, as entries are kept."""
    return array.astype(np.float16).astype(np.float32)
