"""Background statistics and calibration scores of a fitted network, for the bundle."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fingerprint_db.background import Background
from fingerprint_db.conditions import CONDITIONS, JPEG_QUALITIES
from training.extractor.cohort import Source, features_of
from training.extractor.fit import scatter_matrices
from training.extractor.views import KERNELS, Encoding, read_back, resize, shared_chain, tile, write
from worker.decoder.decode import DecodeLimits
from worker.enrol.recompress import Picture, under_condition
from worker.extractor.architectures import ExtractorNetwork
from worker.extractor.calibration import SMALL_SIDE, TINY_SIDE, Calibration, bin_of
from worker.extractor.document import reachable_bins

_SHRINKAGE = 0.1  # of the within-class covariance towards its mean variance
_JPEG_OF_GROUP = {"jpeg_high": (87, 99), "jpeg_middle": (70, 87), "jpeg_low": (40, 69)}


@dataclass(frozen=True, slots=True)
class CalibrationSizes:
    """How many pictures: per made source and per real source for the background, views per bin."""

    per_made_source: int = 12
    per_real_source: int = 40
    reference_per_bin: int = 600
    held_out_per_bin: int = 300
    real_vectors: int = 300


def vectors_of(
    network: ExtractorNetwork, crops: Sequence[NDArray[np.uint8]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fingerprints (N, D) and scores (N,) of views given as crops (C, 3, S, S)."""
    with torch.inference_mode():
        vectors = network.fingerprint(features_of(network, crops))
        return vectors.numpy(), network.score(vectors).numpy()


def measure_background(
    network: ExtractorNetwork,
    made: Sequence[Source],
    real: Sequence[Source],
    limits: DecodeLimits,
    sizes: CalibrationSizes,
    seed: int,
) -> Background:
    """The statistics of every enrolment condition; `space` is filled in when the bundle is read.

    Where halving leaves fewer than half of the made pictures large enough for the crops, a halved
    condition takes the statistics of its codec at full size: nearly no image can be enrolled there.
    """
    pictures = _pictures(made, sizes.per_made_source, seed)
    pictures += _pictures(real, sizes.per_real_source, seed + 1)
    made_names = {source.name for source in made}
    measured: dict[str, _Statistics] = {}
    for condition in CONDITIONS:
        crops, owners = [], []
        for name, picture, received in pictures:
            view = read_back(under_condition(received, picture, condition), limits)
            if view is not None:
                crops.append(view.crops)
                owners.append(name)
        is_made = np.array([name in made_names for name in owners])
        if condition.scale == "half" and 2 * is_made.sum() < len(made) * sizes.per_made_source:
            measured[condition.name] = measured[condition.codec]
            continue
        vectors, _ = vectors_of(network, crops)
        measured[condition.name] = _statistics(vectors, np.array(owners), is_made, sizes, seed)
    rows = [measured[condition.name] for condition in CONDITIONS]
    return Background(
        "0" * 64,
        tuple(condition.name for condition in CONDITIONS),
        np.stack([row.within for row in rows]).astype(np.float32),
        np.stack([row.total_mean for row in rows]).astype(np.float32),
        np.stack([row.total for row in rows]).astype(np.float32),
        np.stack([row.real_vectors for row in rows]).astype(np.float32),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Statistics:
    """A row of `Background`: what it holds of one condition."""

    within: NDArray[np.float64]
    total_mean: NDArray[np.float64]
    total: NDArray[np.float64]
    real_vectors: NDArray[np.float32]


def _statistics(
    vectors: NDArray[np.float32],
    names: NDArray[np.str_],
    is_made: NDArray[np.bool_],
    sizes: CalibrationSizes,
    seed: int,
) -> _Statistics:
    """Of fingerprints (N, D) with the name of each one's source (N,) and whether it is made (N,).

    Made and real pictures weigh half each. Both covariances are shrunk, so that they have an
    inverse with fewer pictures than D as well.
    """
    _, label = np.unique(names[is_made], return_inverse=True)
    covariance, _ = scatter_matrices(vectors[is_made].astype(np.float64), label)
    weight = np.array(
        [1 / (2 * is_made.sum()) if m else 1 / (2 * (~is_made).sum()) for m in is_made]
    )
    mean = weight @ vectors.astype(np.float64)
    centred = vectors - mean
    chosen = vectors[~is_made]
    rows = np.random.default_rng(seed).choice(len(chosen), sizes.real_vectors)
    return _Statistics(
        _shrunk(covariance), mean, _shrunk((centred * weight[:, None]).T @ centred), chosen[rows]
    )


def _pictures(sources: Sequence[Source], count: int, seed: int) -> list[tuple[str, Picture, bytes]]:
    drawn = []
    for index, source in enumerate(sources):
        rng = np.random.default_rng([seed, index])
        for number in range(count):
            picture = source.draw(number, rng)
            drawn.append((source.name, picture, write(picture, Encoding("png", 0, 0))))
    return drawn


def _shrunk(covariance: NDArray[np.floating]) -> NDArray[np.float64]:
    size = covariance.shape[0]
    spread = np.trace(covariance) / size
    shrunk: NDArray[np.float64] = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * spread * np.eye(size)
    return shrunk


def measure_calibration(
    network: ExtractorNetwork,
    reference: Sequence[Source],
    held_out: Sequence[Source],
    limits: DecodeLimits,
    sizes: CalibrationSizes,
    seed: int,
) -> Calibration:
    """Scores of real pictures per bin that an image may fall into, for crops of this size.

    The two lists must come from disjoint splits.
    """
    return Calibration(
        _scores_per_bin(network, reference, sizes.reference_per_bin, limits, seed),
        _scores_per_bin(network, held_out, sizes.held_out_per_bin, limits, seed + 1),
    )


def _scores_per_bin(
    network: ExtractorNetwork,
    sources: Sequence[Source],
    count: int,
    limits: DecodeLimits,
    seed: int,
) -> dict[str, NDArray[np.float32]]:
    """`count` scores in each reachable bin, sources in turn; photos twice, since they vary most."""
    rng = np.random.default_rng(seed)
    turns = (sources[0], *sources)
    scores = {}
    for name in reachable_bins(limits.crop_size):
        group, size = name.rsplit("_", 1)
        crops: list[NDArray[np.uint8]] = []
        number = 0
        while len(crops) < count:
            source = turns[number % len(turns)]
            number += 1
            picture = _of_size(shared_chain(source.draw(number, rng), rng), size, rng)
            view = read_back(write(picture, _encoding(group, rng)), limits)
            if view is None:
                continue
            facts = view.facts
            side = min(facts.height, facts.width)
            if bin_of(facts.lossy, facts.jpeg_quality, side) == name:
                crops.append(view.crops)
        scores[name] = vectors_of(network, crops)[1]
    return scores


def _of_size(picture: Picture, size: str, rng: np.random.Generator) -> Picture:
    """`picture` brought into a size class, by reduction or as a tile; large ones stay."""
    low, high = {"tiny": (26, TINY_SIDE), "small": (TINY_SIDE, SMALL_SIDE)}.get(size, (0, 0))
    smaller = min(picture.shape[1:])
    if smaller < high or high == 0:
        return picture
    side = int(rng.integers(low, high))
    if rng.random() < 0.5:
        return tile(picture, side, side, rng)
    return resize(picture, (side + 0.5) / smaller, KERNELS[int(rng.integers(len(KERNELS)))])


def _encoding(group: str, rng: np.random.Generator) -> Encoding:
    if group == "lossless":
        return Encoding("png", 0, 0)
    if group == "webp":
        return Encoding("webp", int(rng.integers(60, 95)), 0)
    low, high = _JPEG_OF_GROUP[group]
    if rng.random() < 0.5:
        standard = [q for q in JPEG_QUALITIES.values() if low <= q < high]
        return Encoding("jpeg", int(rng.choice(standard)), 2)
    return Encoding("jpeg", int(rng.integers(low, high)), 2 if rng.random() < 0.7 else 0)
