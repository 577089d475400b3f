"""Regions of unequal sizes as batches that are worked on at once: each on a canvas of equal size.

Letters for axes: N regions of a batch, H rows and W columns of their canvas.

A canvas is larger than its region by as little as a few fixed sides allow, so that few shapes are
ever met: a graph is captured for each of them. Which pixels are a region's, `planes` knows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from worker.extractor.blocks.residual_symbols import DENSE_PIXELS

_SIDES = (64, 128, 192, 256, 384, 512, 768, 1024)
"""Pixels; multiples of 64, as thinned bands need them. Tiles have 128, a whole picture up to 512
both ways; longer sides are rare."""
_LONG = 512  # pixels; longer sides than those are rounded up to a multiple of it
_MOST_PIXELS = 32 * 512 * 512
"""Of a batch, which bounds `BATCH_BYTES`."""
BYTES_A_PIXEL = 584
"""Of the card's memory that the work on a batch holds at once, at most: where the symbols of Y, Cb
and Cr are counted, of 54 triples a pixel. Of each there is a code in 2 bytes and in 4, and
embedding_bag notes in 4 more which piece it is of. `benchmarks.gpu.held` counts it, and a test
compares."""
BATCH_BYTES = BYTES_A_PIXEL * _MOST_PIXELS
"""Of the card's memory, for the largest batch."""
_SPARE = 4  # a batch is filled up to a power of two where no more than a quarter of it stays empty


class Shape(NamedTuple):
    """Of a canvas; `thinned` regions have a quarter of their rows counted (residual_symbols)."""

    height: int
    width: int
    thinned: bool


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Regions on canvases of one shape, on the host, in pinned memory where a card will read it.

    `pixels` uint8 (N, 3, H, W); `facts` int64 (N, 3): a region's height, its width, and which
    picture it is of. A place without a region has no height and no width, and is of picture -1.
    """

    shape: Shape
    pixels: torch.Tensor
    facts: torch.Tensor


def batches(pictures: Sequence[Iterable[NDArray[np.uint8]]], *, pinned: bool) -> Iterator[Batch]:
    """All regions (3, h, w) of all pictures, in batches of one shape."""
    by_shape: dict[Shape, list[tuple[int, NDArray[np.uint8]]]] = {}
    for owner, regions in enumerate(pictures):
        for region in regions:
            by_shape.setdefault(_shape_of(region), []).append((owner, region))
    for shape, own in by_shape.items():
        start = 0
        while start < len(own):
            size = _places(len(own) - start, shape)
            yield _filled(shape, size, own[start : start + size], pinned=pinned)
            start += size


def power_of_two(count: int) -> int:
    """The smallest that is no less than `count`."""
    return 1 << max(0, count - 1).bit_length()


def _shape_of(region: NDArray[np.uint8]) -> Shape:
    _, height, width = region.shape
    return Shape(_side(height), _side(width), height * width > DENSE_PIXELS)


def _side(pixels: int) -> int:
    longer = -(-pixels // _LONG) * _LONG
    return next((side for side in _SIDES if side >= pixels), longer)


def _places(regions: int, shape: Shape) -> int:
    """How many places the next batch has, of so many regions: a power of two."""
    most = max(1, _MOST_PIXELS // (shape.height * shape.width))
    most = power_of_two(most + 1) // 2
    if regions >= most:
        return most
    above = power_of_two(regions)
    return above if _SPARE * (above - regions) <= above else above // 2


def _filled(
    shape: Shape, places: int, own: Sequence[tuple[int, NDArray[np.uint8]]], *, pinned: bool
) -> Batch:
    pixels = torch.empty(
        (places, 3, shape.height, shape.width), dtype=torch.uint8, pin_memory=pinned
    )
    facts = torch.zeros((places, 3), dtype=torch.int64, pin_memory=pinned)
    facts[:, 2] = -1
    canvas, rows = pixels.numpy(), facts.numpy()
    for place, (owner, region) in enumerate(own):
        _, height, width = region.shape
        # What lies beside it is whatever the memory held before; nothing is read of it.
        canvas[place, :, :height, :width] = region
        rows[place] = height, width, owner
    return Batch(shape, pixels, facts)
