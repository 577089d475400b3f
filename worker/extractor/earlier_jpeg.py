"""Was a picture a JPEG before it came in this file, on which grid and of which quality?

Told from pixels alone: a JPEG saved as PNG, cut or not; a JPEG in a JPEG, on its grid or off it.

1. On each of the 64 grids, how near two middle frequencies are to nothing: quantisation made them
   nothing on the grid of a JPEG, and on no other.
2. On the likeliest grids, which standard table fits: every coefficient should lie near a multiple
   of its step (Fan and de Queiroz, "Identification of bitmap compression history", IEEE Trans.
   Image Processing 12(2), 2003; Neelamani et al., "JPEG compression history estimation for color
   images", IEEE Trans. Image Processing 15(6), 2006). Those nearer to 0 than half a step say
   nothing, for photographs are full of them without any JPEG.
3. In a JPEG the own grid shows the own steps; an earlier one on it shows in how full their
   multiples are (Bianchi and Piva, "Image forgery localization via block-grained analysis of JPEG
   artifacts", IEEE Trans. Information Forensics 7(3), 2012). What they would hold otherwise, the
   grid half a block off says (Lukas and Fridrich, "Estimation of primary quantization matrix in
   double compressed JPEG images", 2003). Off the own grid, its mirror image says it: whatever the
   own grid does to one it does to the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.extractor.blocks.planes import Region, to_planes
from worker.extractor.comb_counts import block_histograms, clipped_pixels, grid_votes
from worker.extractor.comb_likelihood import (
    QUALITIES,
    Ratios,
    log_ratios,
    log_ratios_on_own_grid,
    rows_of_zigzag,
    spreads_off_grid,
)

Grid = tuple[int, int]
SURE: Final = 10.0
"""Standard deviations; of photographs without an earlier JPEG none gets there (training/LOG.md)."""
_OF_STRONGEST: Final = 0.8
"""A quality much weaker than another is not chosen; of 0, 0.6, 0.7, 0.8, 0.9 the fewest errors."""
_GRIDS_TRIED: Final = 2


@dataclass(frozen=True, slots=True)
class EarlierJpeg:
    """The JPEG that a picture was before.

    Its blocks begin at the rows and columns that leave `offset` (y, x), each 0..7, when divided by
    8. `quality` is 8..98 on the IJG scale. `strength` says how far the log likelihood ratio of its
    table is above nothing, in standard deviations; at least `SURE`.
    """

    offset: Grid
    quality: int
    strength: float


def find_earlier(
    regions: Sequence[Region], own_luma: Sequence[int] | None = None
) -> EarlierJpeg | None:
    """The earlier JPEG of a picture's regions, or None where none is sure.

    `regions` are uint8 RGB (3, H, W), sides of 32 and more, or their planes, each beginning at a
    multiple of 8 of the picture's rows and columns. `own_luma` is the file's luminance table in
    zigzag order, where it is a JPEG: then one before that is looked for. Of several in a PNG the
    last is found.
    """
    if not regions:
        return None
    planes = [to_planes(region) for region in regions]
    lumas = [plane.y for plane in planes]
    clipped = [clipped_pixels(plane.rgb) for plane in planes]

    def histograms(grid: Grid) -> NDArray[np.float32]:
        return sum(
            (block_histograms(y, c, *grid) for y, c in zip(lumas, clipped, strict=True)),
            start=np.zeros((), dtype=np.float32),
        )

    votes = sum((grid_votes(y, own_luma is not None) for y in lumas), start=np.zeros((2, 8, 8)))
    order = np.argsort(-(votes[0] / np.maximum(votes[1], 1)).ravel(), kind="stable")
    grids = [divmod(int(grid), 8) for grid in order]
    if own_luma is None:
        at_once = np.zeros(64, dtype=np.int64)
        return _surest(
            (grid, log_ratios(histograms(grid), None, at_once)) for grid in grids[:_GRIDS_TRIED]
        )
    own = rows_of_zigzag(own_luma)
    on_it = log_ratios_on_own_grid(histograms((0, 0)), histograms((4, 4)), own)
    spreads = spreads_off_grid(own)
    off_it = [grid for grid in grids if _mirror(grid) != grid][:_GRIDS_TRIED]
    found = (
        _surest([((0, 0), on_it)]),
        _surest(
            (grid, log_ratios(histograms(grid), histograms(_mirror(grid)), spreads))
            for grid in off_it
        ),
    )
    sure = [one for one in found if one is not None]
    return max(sure, key=lambda one: one.strength, default=None)


def _mirror(grid: Grid) -> Grid:
    """Where the grid lies in a picture that is mirrored at the borders of its own blocks.

    Four lie where they lay; on these nothing off the own grid can be told.
    """
    return -grid[0] % 8, -grid[1] % 8


def _surest(tried: Iterable[tuple[Grid, Ratios]]) -> EarlierJpeg | None:
    """The grid and quality that are chosen, of those that are sure."""
    best, most = None, 0.0
    for grid, (choice, evidence, variances) in tried:
        strengths = evidence / np.sqrt(variances + 1)
        choice = np.where(strengths >= max(SURE, _OF_STRONGEST * strengths.max()), choice, 0)
        at = int(choice.argmax())
        if choice[at] > most:
            best, most = EarlierJpeg(grid, int(QUALITIES[at]), float(strengths[at])), choice[at]
    return best
