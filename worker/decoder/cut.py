"""The pixels of the crops, or of the first stage of regions, cut from a decoded picture.

Converted to RGB piece by piece, so that a large picture is never held twice.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.decoder.crops import CropReading, carries_evidence, choose_origins
from worker.decoder.pixels import Picture, Survey, part_of, rgb, size_of
from worker.decoder.regions import (
    LEAST_SEEN,
    SMALLEST,
    Region,
    RegionReading,
    choose_regions,
    evident_part,
)

_WHOLE_PIXELS: Final = 1 << 18  # up to here one conversion of the whole beats one for each crop


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """What is read of a picture, as worker/decoder/decode.py hands it on in a DecodedImage.

    `few` says that a picture which is not wholly opaque shows less than a verdict needs.
    """

    crops: NDArray[np.uint8]
    regions: tuple[NDArray[np.uint8], ...]
    origins: NDArray[np.int32]
    plain_tiles: int
    few: bool

    @property
    def grey(self) -> bool:
        """R = G = B in all that is read, and something is."""
        parts = [*self.crops, *self.regions]
        return bool(parts) and all(
            np.array_equal(part[0], part[1]) and np.array_equal(part[1], part[2]) for part in parts
        )


def smallest_side(reading: CropReading | RegionReading) -> int:
    """Pixels; down to three quarters of it a side is reflect-padded, below a picture is refused."""
    return reading.crop_size if isinstance(reading, CropReading) else SMALLEST


def cut(picture: Picture, seen: Survey, reading: CropReading | RegionReading) -> Pieces:
    """Return what is to be read of a picture; nothing of one that is too small, or plain."""
    if 4 * min(size_of(picture)) < 3 * smallest_side(reading):
        return nothing(reading)
    if isinstance(reading, CropReading):
        return _crops(picture, seen, reading)
    return _regions(picture, seen, reading)


def nothing(reading: CropReading | RegionReading, plain_tiles: int = 0) -> Pieces:
    """Return no crop and no region."""
    size = smallest_side(reading)
    crops = np.empty((0, 3, size, size), dtype=np.uint8)
    return Pieces(crops, (), np.empty((0, 2), dtype=np.int32), plain_tiles, few=False)


def _crops(picture: Picture, seen: Survey, reading: CropReading) -> Pieces:
    size = reading.crop_size
    taken: dict[tuple[int, int], NDArray[np.uint8]] = {}
    width, height = size_of(picture)
    whole = rgb(picture) if width * height <= _WHOLE_PIXELS else None

    def usable(y: int, x: int) -> bool:
        if whole is None:
            crop = _piece(picture, Region(y, x, size, size))
        else:
            crop = _padded(whole[y : y + size, x : x + size], size, size)
        if not carries_evidence(crop):
            return False
        taken[y, x] = crop
        return True

    origins = choose_origins(
        seen.digest,
        height,
        width,
        crop_size=size,
        max_crops=reading.max_crops,
        usable=usable,
        opaque_blocks=seen.opaque_blocks,
    )
    crops = np.empty((len(origins), 3, size, size), dtype=np.uint8)
    for index, origin in enumerate(origins):
        crops[index] = taken[origin].transpose(2, 0, 1)  # (3, S, S)
    places = np.asarray(origins, dtype=np.int32).reshape(len(origins), 2)
    return Pieces(crops, (), places, 0, len(origins) < reading.max_crops)


def _regions(picture: Picture, seen: Survey, reading: RegionReading) -> Pieces:
    width, height = size_of(picture)

    def look(tile: Region) -> Region | None:
        return evident_part(_piece(picture, tile), tile)

    stage = next(choose_regions(seen.digest, height, width, reading, look, seen.opaque_blocks))
    regions = tuple(
        np.ascontiguousarray(_piece(picture, region).transpose(2, 0, 1))  # (3, H, W)
        for region in stage.regions
    )
    places = np.asarray([(r.top, r.left) for r in stage.regions], dtype=np.int32)
    few = sum(region.pixels for region in stage.regions) < LEAST_SEEN
    return Pieces(
        nothing(reading).crops, regions, places.reshape(len(regions), 2), stage.left_out, few
    )


def _piece(picture: Picture, region: Region) -> NDArray[np.uint8]:
    """Return RGB (H, W, 3) of a region, reflect-padded where it reaches beyond the picture."""
    width, height = size_of(picture)
    bottom = min(region.top + region.height, height)
    right = min(region.left + region.width, width)
    part = rgb(part_of(picture, region.top, region.left, bottom, right))
    return _padded(part, region.height, region.width)


def _padded(part: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return `part` reflect-padded at the bottom and the right to uint8 (height, width, 3)."""
    if part.shape[:2] == (height, width):
        return part
    below, beside = height - part.shape[0], width - part.shape[1]
    return np.pad(part, ((0, below), (0, beside), (0, 0)), mode="reflect")
