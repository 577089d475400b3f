"""Models that fill a registry: to see whether rates grow with it.

A thousand generators cannot be had. Fillers are drawn so that they lie as far out as the enrolled
models lie: each number of a filler's mean under a condition is normal, with the mean and the
deviation that it has over the enrolled models. Under each condition it is drawn anew, so that a
filler has as many places of its own as an enrolled model and photographs meet more of them than of
an enrolled one, whose places lie together. Its mean is as uncertain as that of fifty samples, and
its limit and variance are those of a model that was really enrolled, taken in turn.
"""

from collections.abc import Mapping, Sequence
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

    ValueError where fewer than two were enrolled to be like.
    """
    if count and len(like) < 2:
        raise ValueError(
            f"{len(like)} enrolled models to take places and limits from: fillers need two at least"
        )
    rng = np.random.default_rng(seed)
    places = {condition: np.array(means, np.float32) for condition, means in _means(like).items()}
    return [
        _filler(background, number, like[number % len(like)], places, rng)
        for number in range(count)
    ]


def _means(like: Sequence[ModelFingerprint]) -> dict[str, list[Floats]]:
    found: dict[str, list[Floats]] = {}
    for model in like:
        for entry in model.statistics:
            found.setdefault(entry.condition, []).append(entry.mean)
    return found


def _filler(
    background: Background,
    number: int,
    like: ModelFingerprint,
    places: Mapping[str, Floats],
    rng: np.random.Generator,
) -> ModelFingerprint:
    return replace(
        like,
        model_id=f"filler-{number:04d}",
        name=f"filler {number:04d}",
        family=f"filler {number:04d}",
        sample_count=SAMPLES,
        statistics=tuple(
            _statistics(background, entry, places[entry.condition], rng)
            for entry in like.statistics
        ),
        reason="filler",
    )


def _statistics(
    background: Background,
    like: ConditionStatistics,
    places: Floats,
    rng: np.random.Generator,
) -> ConditionStatistics:
    """`places` (M, D) are the enrolled models' means under the condition."""
    space = background.codecs[_CODEC_OF[like.condition]]
    drawn = rng.standard_normal((2, places.shape[1])).astype(np.float32)
    mean = places.mean(0) + places.std(0, ddof=min(1, len(places) - 1)) * drawn[0]
    mean += np.sqrt(space.made_variance / SAMPLES) * drawn[1]
    return replace(like, count=SAMPLES, mean=_half(mean))


def _half(array: Floats) -> Floats:
    """Such as float16 holds, as entries are kept."""
    return array.astype(np.float16).astype(np.float32)
