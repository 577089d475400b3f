"""The cohort: every view that the extractor learns from, decoded and described once.

A view keeps its class (which generator, or which source of real pictures), the condition its own
file shows, and the fixed features of its crops; the crops themselves are kept too, for the
residual branch. Letters: N views, F fixed features, C crops, S crop side.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fingerprint_db.conditions import codec_of
from training.extractor.views import random_encoding, read_back, shared_chain
from training.histories.encodings import write
from worker.decoder.decode import DecodedImage, DecodeLimits
from worker.enrol.recompress import Picture
from worker.extractor.architectures import ExtractorNetwork
from worker.extractor.extract import bf16_is_fast

# Views are cut to this many crops for training; the worker takes up to its limits.
TRAINING_CROPS = 16


@dataclass(frozen=True, slots=True)
class Source:
    """One class: `draw` gives a picture (3, H, W), already a real or made view, for a number."""

    name: str
    real: bool
    draw: Callable[[int, np.random.Generator], Picture]


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """N views: crops as a list of (C, 3, S, S) uint8, labels (N,), and what each file showed."""

    sources: tuple[str, ...]
    real: NDArray[np.bool_]  # (N,)
    label: NDArray[np.int64]  # (N,) index into sources
    codec: tuple[str, ...]  # N codec names of fingerprint_db.conditions
    side: NDArray[np.int64]  # (N,) smaller side of the view, pixels
    crops: tuple[NDArray[np.uint8], ...]

    def __len__(self) -> int:
        return len(self.label)


def collect(
    sources: Sequence[Source], views_per_source: Sequence[int], limits: DecodeLimits, seed: int
) -> Cohort:
    """Draw, degrade, write and read back views of every source; see Cohort."""
    labels, reals, codecs, sides, crops = [], [], [], [], []
    for index, (source, count) in enumerate(zip(sources, views_per_source, strict=True)):
        rng = np.random.default_rng([seed, index])
        for view in _views(source, count, rng, limits):
            labels.append(index)
            reals.append(source.real)
            codecs.append(codec_of(view.facts.lossy, view.facts.jpeg_quality))
            sides.append(min(view.facts.height, view.facts.width))
            crops.append(view.crops[:TRAINING_CROPS])
    return Cohort(
        tuple(source.name for source in sources),
        np.array(reals),
        np.array(labels),
        tuple(codecs),
        np.array(sides),
        tuple(crops),
    )


def _views(
    source: Source, count: int, rng: np.random.Generator, limits: DecodeLimits
) -> Iterator[DecodedImage]:
    made = 0
    for number in range(4 * count):
        if made == count:
            return
        picture = shared_chain(source.draw(number, rng), rng)
        view = read_back(write(picture, random_encoding(rng)), limits)
        if view is not None:
            made += 1
            yield view


def features_of(
    network: ExtractorNetwork, crops: Sequence[NDArray[np.uint8]], batch: int = 16
) -> torch.Tensor:
    """Raw features (N, F) of views given as crops (C, 3, S, S), in batches of `batch` views.

    The convolutions run in bfloat16 where the worker's would.
    """
    rows = []
    bf16 = bf16_is_fast(torch.device("cpu"))
    with torch.inference_mode():
        for start in range(0, len(crops), batch):
            part = crops[start : start + batch]
            owner = torch.repeat_interleave(
                torch.arange(len(part)), torch.tensor([len(view) for view in part])
            )
            stacked = torch.from_numpy(np.concatenate(part))
            parts = network.crop_features(stacked, autocast_bf16=bf16)
            rows.append(network.pool(parts, owner, len(part)))
    return torch.cat(rows)
