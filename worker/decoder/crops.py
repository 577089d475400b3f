"""Where the crops of an image are taken, and which of them carry no evidence.

Origins are multiples of 8, the JPEG block grid, and depend on nothing but the decoded picture (its
digest, worker/decoder/pixels.py): the same pixels always give the same crops, on every machine and
with every version of numpy, so a verdict can be computed again. It also follows that a picture sent
a thousand times, in other containers or with other comments, gets no second opinion.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.decoder.pixels import GRID

CROP_RULE: Final = "pixels-1"  # stated by the bundle; another rule needs another calibration
CANDIDATES_PER_CROP: Final = 8  # bounds the work on an image that is mostly sky
FLAT_LUMINANCE_DEVIATION: Final = 2  # of 255; below it only quantisation is left to look at
DARK, BRIGHT = 1, 254  # luminance at which the sensor or the generator has clipped
_LEVELS: Final = np.arange(256, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class CropReading:
    """Crops are read: at most `max_crops`, `crop_size` pixels a side."""

    crop_size: int = 32
    max_crops: int = 16

    def __post_init__(self) -> None:
        if self.crop_size < GRID or self.crop_size % GRID:
            raise ValueError(f"crop_size is {self.crop_size}, expected a positive multiple of 8")
        if self.max_crops < 1:
            raise ValueError(f"max_crops is {self.max_crops}, expected at least 1")

    @property
    def most_bytes(self) -> int:
        """All crops together have no more bytes."""
        return self.max_crops * 3 * self.crop_size**2


def digest_stream(digest: bytes) -> Iterator[int]:
    """Yield 64-bit numbers for ever: sha256(digest + counter), four big-endian numbers a block.

    The counter is 8 bytes, big-endian, from 0. No library's random generator is used, because
    their streams may change between versions.
    """
    counter = 0
    while True:
        block = hashlib.sha256(digest + counter.to_bytes(8, "big")).digest()
        for start in range(0, 32, 8):
            yield int.from_bytes(block[start : start + 8], "big")
        counter += 1


def candidate_origins(
    digest: bytes,
    height: int,
    width: int,
    crop_size: int,
    count: int,
    opaque_blocks: NDArray[np.bool_] | None = None,
) -> list[tuple[int, int]]:
    """Return up to `count` different 8-aligned origins (y, x), in the order the digest gives.

    A Fisher-Yates shuffle of all aligned positions, stopped after `count`; only the positions
    touched are kept, so a 100-megapixel image costs no more than a small one. Where a side is
    shorter than the crop (it will be padded) its only position is 0. An image with no more than
    `count` positions has all of them looked at. The remainder's bias is below 2**-40.
    `opaque_blocks` (see Survey) leaves only the positions where every pixel of the crop is seen.
    """
    rows = max(0, height - crop_size) // GRID + 1
    columns = max(0, width - crop_size) // GRID + 1
    seen: NDArray[np.intp] | None = None
    if opaque_blocks is not None:
        seen = np.flatnonzero(_all_opaque(opaque_blocks, rows, columns, crop_size))
    positions = rows * columns if seen is None else len(seen)
    moved: dict[int, int] = {}
    origins: list[tuple[int, int]] = []
    for index, number in zip(range(min(count, positions)), digest_stream(digest), strict=False):
        pick = index + number % (positions - index)
        position = moved.get(pick, pick)
        moved[pick] = moved.get(index, index)
        if seen is not None:
            position = int(seen[position])
        origins.append((position // columns * GRID, position % columns * GRID))
    return origins


def _all_opaque(
    blocks: NDArray[np.bool_], rows: int, columns: int, crop_size: int
) -> NDArray[np.bool_]:
    """Return bool (rows, columns): True where the crop at that position has opaque blocks only."""
    opaque = blocks
    for axis, positions in enumerate((rows, columns)):
        window = min(crop_size // GRID, opaque.shape[axis])  # blocks; fewer where it is padded
        views = np.lib.stride_tricks.sliding_window_view(opaque, window, axis=axis)
        opaque = views.all(axis=-1).take(range(positions), axis=axis)
    return opaque


def choose_origins(
    digest: bytes,
    height: int,
    width: int,
    *,
    crop_size: int,
    max_crops: int,
    usable: Callable[[int, int], bool],
    opaque_blocks: NDArray[np.bool_] | None = None,
) -> list[tuple[int, int]]:
    """Choose up to `max_crops` origins (y, x); empty when no candidate is usable.

    `usable(y, x)` looks at the pixels; it is asked at most once for a position, and for at most
    8 x max_crops positions. First pass, in digest order: usable crops that overlap no chosen one.
    Second pass, for small images: the usable rest, different but overlapping, until `max_crops`.
    With `opaque_blocks` (see Survey) only what is wholly seen is taken, and nothing that overlaps:
    the part of a picture that is left has to carry as much evidence as a whole one.
    """
    candidates = candidate_origins(
        digest, height, width, crop_size, CANDIDATES_PER_CROP * max_crops, opaque_blocks
    )
    chosen: list[tuple[int, int]] = []
    overlapping: list[tuple[int, int]] = []
    for y, x in candidates:
        if len(chosen) == max_crops:
            return chosen
        if any(abs(y - v) < crop_size and abs(x - u) < crop_size for v, u in chosen):
            overlapping.append((y, x))
        elif usable(y, x):
            chosen.append((y, x))
    for y, x in overlapping if opaque_blocks is None else []:
        if len(chosen) == max_crops:
            break
        if usable(y, x):
            chosen.append((y, x))
    return chosen


def luminance(rgb: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the Rec. 601 luminance of `rgb` (H, W, 3) as int32 (H, W), 0..255.

    Whole-number arithmetic, so that a crop is never flat on one machine and usable on another.
    """
    red, green, blue = (rgb[:, :, channel].astype(np.int32) for channel in range(3))
    return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16  # weights x 2**16


def carries_evidence(rgb: NDArray[np.uint8]) -> bool:
    """Say whether a crop (S, S, 3) is neither flat nor clipped.

    Flat: the standard deviation of its luminance is below 2 of 255. Clipped: more than half of its
    pixels are at most 1 or at least 254.
    """
    counts = np.bincount(luminance(rgb).ravel(), minlength=256)  # (256,)
    n: int = rgb.shape[0] * rgb.shape[1]
    total, squares = int(counts @ _LEVELS), int(counts @ _LEVELS**2)
    variance_n2 = n * squares - total**2  # n squared times the variance, exactly
    if variance_n2 < FLAT_LUMINANCE_DEVIATION**2 * n * n:
        return False
    clipped = int(counts[: DARK + 1].sum()) + int(counts[BRIGHT:].sum())
    return 2 * clipped <= n
