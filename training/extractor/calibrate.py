"""Background statistics and calibration scores of a fitted network, for the bundle."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fingerprint_db.background import Background, DecisionConstants
from fingerprint_db.conditions import CONDITIONS, JPEG_QUALITIES
from training.extractor.cohort import Source, features_of
from training.extractor.fit import scatter_matrices
from training.extractor.sources import Photograph
from training.extractor.views import read_back, shared_chain
from training.histories.encodings import Encoding, write
from training.histories.pictures import KERNELS, resize, tile
from worker.decoder.decode import DecodeLimits
from worker.enrol.recompress import Picture, under_condition
from worker.extractor.architectures import ExtractorNetwork
from worker.extractor.calibration import (
    BINS,
    SMALL_SIDE,
    TINY_SIDE,
    Calibration,
    PhotographScores,
    bin_of,
)
from worker.extractor.document import reachable_bins

_SHRINKAGE = 0.1  # of the within-class covariance towards its mean variance
_TRIES_PER_VIEW = 8
_JPEG_OF_GROUP = {"jpeg_high": (87, 99), "jpeg_middle": (70, 87), "jpeg_low": (40, 69)}


@dataclass(frozen=True, slots=True)
class CalibrationSizes:
    """How many pictures: per made source and per photograph for the background.

    `real_vectors` is how many of the photographs the enrolment gate gets, at most. How many views
    a bin has of a photograph is the photograph's own (training/extractor/sources.py).
    """

    per_made_source: int = 12
    per_photograph: int = 1
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
    real: Sequence[Photograph],
    constants: DecisionConstants,
    limits: DecodeLimits,
    sizes: CalibrationSizes,
    seed: int,
) -> Background:
    """The statistics of every enrolment condition; `space` is filled in when the bundle is read.

    Where halving leaves fewer than half of the made pictures large enough for the crops, a halved
    condition takes the statistics of its codec at full size: nearly no image can be enrolled there.
    """
    pictures = _made_pictures(made, sizes.per_made_source, seed)
    pictures += _real_pictures(real, sizes.per_photograph, seed + 1)
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
        measured[condition.name] = _statistics(vectors, np.array(owners), is_made)
    rows = [measured[condition.name] for condition in CONDITIONS]
    count = min(sizes.real_vectors, *(len(row.real_vectors) for row in rows))
    return Background(
        "0" * 64,
        tuple(condition.name for condition in CONDITIONS),
        np.stack([row.within for row in rows]).astype(np.float32),
        np.stack([row.total_mean for row in rows]).astype(np.float32),
        np.stack([row.total for row in rows]).astype(np.float32),
        np.stack([_some(row.real_vectors, count, seed) for row in rows]).astype(np.float32),
        constants,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Statistics:
    """A row of `Background`; `real_vectors` (M, D) of all photographs that have a view here."""

    within: NDArray[np.float64]
    total_mean: NDArray[np.float64]
    total: NDArray[np.float64]
    real_vectors: NDArray[np.float32]


def _statistics(
    vectors: NDArray[np.float32], names: NDArray[np.str_], is_made: NDArray[np.bool_]
) -> _Statistics:
    """Of fingerprints (N, D) with the name of each one's origin (N,) and whether it is made (N,).

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
    _, first = np.unique(names[~is_made], return_index=True)
    return _Statistics(
        _shrunk(covariance),
        mean,
        _shrunk((centred * weight[:, None]).T @ centred),
        vectors[~is_made][np.sort(first)],
    )


def _some(rows: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """`count` different ones of `rows` (M, D)."""
    return rows[np.random.default_rng(seed).choice(len(rows), count, replace=False)]


def _made_pictures(
    sources: Sequence[Source], count: int, seed: int
) -> list[tuple[str, Picture, bytes]]:
    drawn = []
    for index, source in enumerate(sources):
        rng = np.random.default_rng([seed, index])
        for number in range(count):
            picture = source.draw(number, rng)
            drawn.append((source.name, picture, write(picture, Encoding("png", 0, 0))))
    return drawn


def _real_pictures(
    photographs: Sequence[Photograph], count: int, seed: int
) -> list[tuple[str, Picture, bytes]]:
    drawn = []
    for photograph in photographs:
        rng = np.random.default_rng([seed, photograph.identity])
        for _ in range(count):
            picture = photograph.draw(rng)
            name = f"photograph.{photograph.identity}"
            drawn.append((name, picture, write(picture, Encoding("png", 0, 0))))
    return drawn


def _shrunk(covariance: NDArray[np.floating]) -> NDArray[np.float64]:
    size = covariance.shape[0]
    spread = np.trace(covariance) / size
    shrunk: NDArray[np.float64] = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * spread * np.eye(size)
    return shrunk


def measure_calibration(
    network: ExtractorNetwork,
    reference: Sequence[Photograph],
    held_out: Sequence[Photograph],
    limits: DecodeLimits,
    seed: int,
) -> Calibration:
    """Scores of real photographs per bin that an image may fall into, for crops of this size.

    ValueError where a photograph is in both lists, which must come from disjoint splits.
    """
    if both := {one.identity for one in reference} & {one.identity for one in held_out}:
        raise ValueError(
            f"{len(both)} photographs are both reference and held out, expected none: the stated"
            " rate would be of photographs that the p-values know"
        )
    return Calibration(
        _scores_per_bin(network, reference, limits, seed),
        _scores_per_bin(network, held_out, limits, seed + 1),
    )


def _scores_per_bin(
    network: ExtractorNetwork, photographs: Sequence[Photograph], limits: DecodeLimits, seed: int
) -> dict[str, PhotographScores]:
    """Scores of each photograph's views in each reachable bin.

    A photograph is left out of a bin where none of a few tries gives a view that falls into it:
    a picture cut to a few pixels may be flat.
    """
    scores = {}
    for name in reachable_bins(network.crop_size):
        crops: list[NDArray[np.uint8]] = []
        owners: list[int] = []
        for photograph in photographs:
            rng = np.random.default_rng([seed, BINS.index(name), photograph.identity])
            views = _views_in(name, photograph, limits, rng)
            crops += views
            owners += [photograph.identity] * len(views)
        scored = vectors_of(network, crops)[1]
        scores[name] = PhotographScores.of(scored, np.array(owners, np.int64))
    return scores


def _views_in(
    name: str, photograph: Photograph, limits: DecodeLimits, rng: np.random.Generator
) -> list[NDArray[np.uint8]]:
    """Crops of the views of a photograph that fall into bin `name`: as many as it shall have."""
    group, size = name.rsplit("_", 1)
    crops: list[NDArray[np.uint8]] = []
    for _ in range(_TRIES_PER_VIEW * photograph.views):
        if len(crops) == photograph.views:
            break
        picture = _of_size(shared_chain(photograph.draw(rng), rng), size, rng)
        view = read_back(write(picture, _encoding(group, rng)), limits)
        if view is None:
            continue
        facts = view.facts
        side = min(facts.height, facts.width)
        if bin_of(facts.lossy, facts.jpeg_quality, side) == name:
            crops.append(view.crops)
    return crops


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
