"""All blocks of a picture: read region by region, added up, finished once.

    sums = [accumulate(region) for region in regions]
    features = finish(pool(sums))

What is added up over a region is one call of compiled loops: each such call lets go of the
interpreter's lock, and waits for it afterwards while other threads have it.

A region is uint8 RGB (3, H, W), its sides at least 32 pixels, its top left on the picture's
16-pixel grid. Nothing here knows where in the picture it lay: the order of regions and their
number do not matter, and a later look adds its own sums to those of an earlier one.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numba import njit
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
    finish: Callable[[NDArray[np.float64]], NDArray[np.float32]]


_BLOCKS = {
    "block_dct": _Block(block_dct.SIZE, block_dct.finish),
    "phase_dct": _Block(phase_dct.SIZE, phase_dct.finish),
    "chroma_phase": _Block(chroma_phase.SIZE, chroma_phase.finish),
    "co_occurrences": _Block(co_occurrences.SIZE, co_occurrences.finish),
    "colour": _Block(colour.SIZE, colour.finish),
    "spectrum": _Block(spectrum.SIZE, spectrum.finish),
}
BLOCKS: Mapping[str, int] = {name: block.size for name, block in _BLOCKS.items()}
"""The blocks in order, and how many features each gives."""


def accumulate(
    region: Region, names: Iterable[str] = tuple(BLOCKS)
) -> dict[str, NDArray[np.float64]]:
    """The sums of the named blocks over one region, flat; they add, counts included."""
    wanted = tuple(names)
    every = _accumulate(to_planes(region), *(name in wanted for name in BLOCKS))
    found = dict(zip(BLOCKS, every, strict=True))
    return {name: found[name] for name in wanted}


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


@njit(cache=True, nogil=True)
def _accumulate(
    planes: Planes,
    on_grid: bool,
    on_grids: bool,
    in_chroma: bool,
    of_neighbours: bool,
    of_colours: bool,
    of_windows: bool,
) -> tuple[NDArray[np.float64], ...]:
    """Sums of each of `BLOCKS`, in their order; of those that are not wanted nothing, (0,).

    What the blocks' modules have of their own is inlined as Python (`inline="always"`): compiled as
    functions, each would hold a copy of the loops below it, and a first start take half as long
    again.
    """
    of_y = in_y = of_c = triples = colours = power = np.empty(0)
    if on_grid or on_grids:
        luma = phase_dct.grids(planes, only_own=not on_grids)
        if on_grid:
            of_y = block_dct.accumulate(planes, luma)
        if on_grids:
            in_y = phase_dct.accumulate(luma)
    if in_chroma:
        of_c = chroma_phase.accumulate(planes)
    if of_neighbours:
        triples = co_occurrences.accumulate(planes)
    if of_colours:
        colours = colour.accumulate(planes)
    if of_windows:
        power = spectrum.accumulate(planes)
    return of_y, in_y, of_c, triples, colours, power
