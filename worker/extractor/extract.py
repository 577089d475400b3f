"""Batched extraction: decoded images to image fingerprints, on the CPU.

Block statistics of each image are compiled loops on the CPU, in a few threads; one matrix product a
group of codecs follows, and a smaller one for each codec (products.py). On a card, `on_device` does
the same, and takes from here what a fingerprint is and when an image is refused.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.conditions import Codec, readings_of
from worker.decoder.decode import DecodedImage, DecodeLimits, ImageFacts
from worker.errors import RejectError
from worker.extractor.arrival import Arrival, arrival
from worker.extractor.bundle import Bundle, check_golden, golden_arrays
from worker.extractor.document import GROUPS, codecs_of
from worker.extractor.fingerprint_map import Floats, block_statistics
from worker.extractor.nuisance import nuisance
from worker.extractor.products import Products
from worker.settings.cores import usable_cores

LARGEST = float(np.finfo(np.float16).max)
"""Fingerprint records hold float16; a fingerprint has a deviation of about one in each number."""
_MOST_THREADS = 4  # of half the cores: an image takes as long to be decoded


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One image in one codec's space: `vector` (D,), and the standardised statistics (F,)."""

    codec: Codec
    vector: Floats
    standard: Floats


@dataclass(frozen=True, slots=True, eq=False)
class ImageFingerprint:
    """The fingerprint of one image, in each space that its file may belong to.

    `readings` are one or more, the first in the space that the file shows: `codec`, `vector` and
    `standard` are of that. `synthesis_score`, the test with nothing registered, rises with evidence
    of synthesis. `kind` is the nuisance vector (15,) float32.
    `earlier_quality` is that of a JPEG found in a lossless file. `crop_count` is the number of
    regions read, of `pixels_read` pixels together; `crop_agreement` is not measured.
    """

    readings: tuple[Reading, ...]
    synthesis_score: float
    kind: NDArray[np.float32]
    pixels_read: int
    earlier_quality: int | None
    crop_count: int
    crop_agreement: float | None = None

    def reading(self, codec: Codec) -> Reading:
        """That in the space of `codec`, which must be among them."""
        return next(one for one in self.readings if one.codec == codec)

    @property
    def codec(self) -> Codec:
        """The codec that the file shows."""
        return self.readings[0].codec

    @property
    def vector(self) -> Floats:
        """(D,) in the space of `codec`."""
        return self.readings[0].vector

    @property
    def standard(self) -> Floats:
        """(F,) the standardised block statistics of `codec`."""
        return self.readings[0].standard


class Extractor(Protocol):
    """What the pipeline needs of an extractor."""

    @property
    def space(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def limits(self) -> DecodeLimits: ...

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        """One result per image, in order; every image has at least one region.

        Raises RetryError where the device failed and no image is to blame.
        """


class ServingExtractor(Extractor, Protocol):
    """What a worker needs besides, before it serves."""

    @property
    def where(self) -> str:
        """What computes, its version, and the device."""

    def self_test(self) -> None:
        """Compute the golden fingerprints and compare; StopError where this machine differs.

        Raises RetryError where the device failed.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What is told of one image beside its readings; `kind` is the nuisance vector (15,)."""

    earlier_quality: int | None
    regions: int
    pixels: int
    kind: NDArray[np.float32]


def told(image: DecodedImage, seen: Arrival) -> Told:
    """Of an image and how it arrived."""
    return Told(
        seen.earlier_quality,
        len(seen.regions),
        sum(region[0].size for region in image.regions),
        nuisance(seen.planes, seen.facts).vector,
    )


def fingerprint(
    bundle: Bundle, known: Told, readings: tuple[Reading, ...]
) -> ImageFingerprint | RejectError:
    """Of one image, whose readings by the bundle's maps are one or more, what its file shows first.

    RejectError where a number is not finite, or is beyond what a fingerprint record can hold.
    """
    # A comparison with NaN is false, so this refuses NaN as well.
    if not all(np.abs(one.vector).max() <= LARGEST for one in readings):
        return RejectError(
            "model_nan",
            f"the map gave a fingerprint that is not finite, or beyond the {LARGEST:g} that a"
            " fingerprint record can hold, for this image, so nothing can be said of it; report"
            " the image with the bundle's digest",
            stage="extract",
        )
    shown = readings[0]
    return ImageFingerprint(
        readings=readings,
        synthesis_score=float(shown.vector @ bundle.background.codecs[shown.codec].synthesis),
        kind=known.kind,
        pixels_read=known.pixels,
        earlier_quality=known.earlier_quality,
        crop_count=known.regions,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """One image before the products: what is told of it, and its statistics (F,) by codec."""

    told: Told
    standard: Mapping[Codec, Floats]


class BlockExtractor:
    """Runs a bundle's maps; call from one thread only."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._products = Products(bundle)
        threads = max(1, min(_MOST_THREADS, usable_cores() // 2))
        self._threads = ThreadPoolExecutor(threads, "extract") if threads > 1 else None

    @property
    def space(self) -> str:
        """The fingerprint space: the bundle's digest."""
        return self._bundle.digest

    @property
    def dimension(self) -> int:
        """D, the size of a fingerprint."""
        return self._bundle.document.dimension

    @property
    def where(self) -> str:
        """What computes the products, its version, and that it is the CPU."""
        return self._products.where

    @property
    def limits(self) -> DecodeLimits:
        """How images must be decoded for this bundle."""
        return DecodeLimits(self._bundle.reading)

    def self_test(self) -> None:
        """Compute the golden fingerprints and compare; StopError where this machine differs.

        All of the extraction that is compiled is compiled here, or read where it was kept.
        """
        pictures, _ = golden_arrays(self._bundle)
        for picture in pictures:
            self._read(as_decoded(picture))
        vectors = {}
        for group in GROUPS:
            blocks = self._bundle.maps[codecs_of(group)[0]].blocks
            statistics = np.stack([block_statistics([picture], blocks) for picture in pictures])
            for codec in codecs_of(group):
                standard = self._bundle.maps[codec].standard(statistics)
                vectors[codec] = self._products.project([codec] * len(pictures), standard)
        check_golden(self._bundle, vectors)

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        """Fingerprints of a batch; an image whose numbers are not finite fails alone."""
        if self._threads is None or len(images) < 2:
            read = [self._read(image) for image in images]
        else:
            read = list(self._threads.map(self._read, images))
        readings: dict[int, list[Reading]] = {i: [] for i in range(len(read))}
        for group in GROUPS:
            # Codecs in order, so that what a file shows comes before what it may hide.
            own = [
                (i, codec, one.standard[codec])
                for codec in codecs_of(group)
                for i, one in enumerate(read)
                if codec in one.standard
            ]
            if own:
                rows = np.stack([standard for _, _, standard in own])
                vectors = self._products.project([codec for _, codec, _ in own], rows)
                for (i, codec, standard), vector in zip(own, vectors, strict=True):
                    readings[i].append(Reading(codec, vector, standard))
        return [
            fingerprint(self._bundle, one.told, tuple(readings[i])) for i, one in enumerate(read)
        ]

    def _read(self, image: DecodedImage) -> _Read:
        """What is computed of an image alone, on the CPU."""
        seen = arrival(image)
        codecs = readings_of(seen.codec)
        # The codecs of a group read the same blocks.
        statistics = block_statistics(seen.planes, self._bundle.maps[seen.codec].blocks)
        return _Read(
            told(image, seen),
            {codec: self._bundle.maps[codec].standard(statistics[None])[0] for codec in codecs},
        )


def as_decoded(picture: NDArray[np.uint8]) -> DecodedImage:
    """A golden picture (3, H, W) as if it had come in a lossless file."""
    _, height, width = picture.shape
    facts = ImageFacts("", picture.size, "png", width, height, None, False, False, "")
    crops, origins = np.empty((0, 3, 0, 0), np.uint8), np.zeros((1, 2), np.int32)
    return DecodedImage(facts, crops, origins, None, (picture,))
