"""All blocks of a picture: read region by region, added up, finished once.

    sums = [accumulate(region) for region in regions]
    features = finish(pool(sums))

A region is uint8 RGB (3, H, W), its sides at least 32 pixels, its top left on the picture's
16-pixel grid. Nothing here knows where in the picture it lay: the order of regions and their
number do not matter, and a later look adds its own sums to those of an earlier one.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.extractor.blocks import (
    block_dct,
    chroma_phase,
    co_occurrences,
    colour,
    phase_dct,
    spectrum,
)
from worker.extractor.blocks.planes import Planes, Region, to_planes

BLOCKS_VERSION = "1"
"""Of the numbers that the blocks give: other numbers for the same pixels need another version.

Files of block statistics are named by it (training/open_set/corpus.py), so that what was drawn
stays in use while the code changes and the numbers do not.
"""


class _Block(NamedTuple):
    size: int
    accumulate: Callable[[Planes], NDArray[np.float64]]
    finish: Callable[[NDArray[np.float64]], NDArray[np.float32]]


_BLOCKS = {
    "block_dct": _Block(block_dct.SIZE, block_dct.accumulate, block_dct.finish),
    "phase_dct": _Block(phase_dct.SIZE, phase_dct.accumulate, phase_dct.finish),
    "chroma_phase": _Block(chroma_phase.SIZE, chroma_phase.accumulate, chroma_phase.finish),
    "co_occurrences": _Block(co_occurrences.SIZE, co_occurrences.accumulate, co_occurrences.finish),
    "colour": _Block(colour.SIZE, colour.accumulate, colour.finish),
    "spectrum": _Block(spectrum.SIZE, spectrum.accumulate, spectrum.finish),
}
_ON_GRIDS = {"block_dct": block_dct.accumulate, "phase_dct": phase_dct.accumulate}
BLOCKS: Mapping[str, int] = {name: block.size for name, block in _BLOCKS.items()}
"""The blocks in order, and how many features each gives."""


def accumulate(
    region: Region, names: Iterable[str] = tuple(BLOCKS)
) -> dict[str, NDArray[np.float64]]:
    """The sums of the named blocks over one region, flat; they add, counts included."""
    planes, wanted = to_planes(region), tuple(names)
    if not _ON_GRIDS.keys() <= set(wanted):
        return {name: _BLOCKS[name].accumulate(planes) for name in wanted}
    known = phase_dct.grids(planes)  # the codec's own grid among them
    return {
        name: _ON_GRIDS[name](planes, known)
        if name in _ON_GRIDS
        else _BLOCKS[name].accumulate(planes)
        for name in wanted
    }


def pool(sums: Iterable[Mapping[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    """The sums of several regions as those of one; each holds the same blocks."""
    pooled: dict[str, NDArray[np.float64]] = {}
    for region in sums:
        if pooled and pooled.keys() != region.keys():
            raise ValueError(f"regions with other blocks: {[*pooled]} and {[*region]}")
        pooled = {name: pooled[name] + own if pooled else own for name, own in region.items()}
    return pooled


def finish(sums: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float32]]:
    """Each block's features, (BLOCKS[name],) float32 and finite."""
    return {name: _BLOCKS[name].finish(own) for name, own in sums.items()}
