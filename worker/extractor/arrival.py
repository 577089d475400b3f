"""How an image arrived: the codec that it shows, in its file or in its pixels.

A JPEG that was saved as PNG shows in its pixels what it was. Such a picture is held against models
and photographs under that JPEG's codec, and is read on that JPEG's grid, as if the file still were
one. What a lossy file was before it is not looked for: its own codec covers it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.conditions import Codec, codec_of
from worker.decoder.decode import DecodedImage, ImageFacts
from worker.decoder.jpeg_quality import nearest_quality
from worker.extractor.blocks.planes import SMALLEST_SIDE, Planes, to_planes
from worker.extractor.earlier_jpeg import Grid, find_earlier

Regions = tuple[NDArray[np.uint8], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """What is to be read of an image, and as what.

    `regions` are uint8 (3, H, W), sides of 32 and more, each beginning on the codec's 8x8 grid;
    `planes` are what blocks and nuisances read of them.
    `facts` are the file's, or what they would be if the earlier JPEG had come itself;
    `earlier_quality`, 8..98, is that JPEG's where the pixels of a lossless file tell of one.
    """

    codec: Codec
    regions: Regions
    planes: tuple[Planes, ...]
    facts: ImageFacts
    earlier_quality: int | None


def arrival(image: DecodedImage) -> Arrival:
    """Of an image with at least one region."""
    facts, regions = image.facts, image.regions
    planes = tuple(to_planes(region) for region in regions)
    if facts.lossy:
        return Arrival(file_codec(facts), regions, planes, facts, None)
    earlier = find_earlier(planes)
    if earlier is None:
        return Arrival("lossless", regions, planes, facts, None)
    if earlier.offset != (0, 0):
        regions = on_grid(regions, earlier.offset)
        planes = tuple(to_planes(region) for region in regions)
    return Arrival(
        codec_of(True, earlier.quality),
        regions,
        planes,
        replace(facts, lossy=True, jpeg_quality=earlier.quality),
        earlier.quality,
    )


def on_grid(regions: Sequence[NDArray[np.uint8]], offset: Grid) -> Regions:
    """Regions without what lies before the first row and column of an 8x8 grid at `offset` (y, x).

    One that would be narrower than a region may be is mirrored at the bottom and the right, as
    small pictures are when they are decoded.
    """
    if offset == (0, 0):
        return tuple(regions)
    found = []
    for region in regions:
        part = region[:, offset[0] :, offset[1] :]
        below, beside = (max(0, SMALLEST_SIDE - side) for side in part.shape[1:])
        found.append(np.pad(part, ((0, 0), (0, below), (0, beside)), mode="reflect"))
    return tuple(found)


def file_codec(facts: ImageFacts) -> Codec:
    """What a file shows; of a JPEG the quality is told by the distance between tables."""
    jpeg = facts.jpeg
    quality = facts.jpeg_quality if jpeg is None else nearest_quality(jpeg.luma)[0]
    return codec_of(facts.lossy, quality, full_chroma=jpeg is not None and jpeg.sampling == "4:4:4")
