"""The planes of a batch of regions, as every block on the device reads them.

Letters for axes: N regions, H rows and W columns of their canvas, M the margin beyond it.

What lies beyond a region, on its canvas and in a margin below and beside it, is 0 where blocks are
transformed, which know a region's size; where symbols are counted it is NaN. So a symbol that would
be of a pixel that is not there is NaN as well, and drops out of every count.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F

from worker.extractor.blocks.planes import WEIGHTS
from worker.extractor.blocks.residual_symbols import FARTHEST

MARGIN = 4 * FARTHEST
"""Pixels: three residuals of second differences, so far apart, reach no further."""
_MIDDLE = 128.0


class Planes(NamedTuple):
    """Of N regions, each (N, 3, H + M, W + M).

    `exact` are Y, Cb, Cr float32 in grey levels, centred, 0 beyond; `whole` the same rounded to
    whole levels, float16, NaN beyond: whole numbers up to 2,048 are exact in it.
    """

    exact: torch.Tensor
    whole: torch.Tensor


def to_planes(pixels: torch.Tensor, sizes: torch.Tensor) -> Planes:
    """From uint8 (N, 3, H, W) and the regions' heights and widths, int (N, 2), on one device."""
    rgb = pixels.to(torch.float32)  # (N, 3, H, W)
    # Sums of bytes with weights in 1/65536 are exact in float32, in whatever order.
    weights = _weights(pixels.device).expand(len(pixels), -1, -1)
    exact = torch.bmm(weights, rgb.flatten(2)).view(rgb.shape)  # (N, 3, H, W)
    exact[:, 0] -= _MIDDLE
    beyond = _beyond(pixels, sizes)
    exact.masked_fill_(beyond, 0)
    whole = torch.floor(exact + 0.5).to(torch.float16).masked_fill_(beyond, torch.nan)
    return Planes(_padded(exact, 0), _padded(whole, torch.nan))


def to_rgb(pixels: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """The pixels themselves, float16, NaN beyond, as `to_planes` gives whole planes."""
    levels = pixels.to(torch.float16)  # (N, 3, H, W)
    return _padded(levels.masked_fill_(_beyond(pixels, sizes), torch.nan), torch.nan)


def _padded(plane: torch.Tensor, value: float) -> torch.Tensor:
    return F.pad(plane, (0, MARGIN, 0, MARGIN), value=value)


def _beyond(pixels: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """(N, 1, H, W): True where a canvas has none of its region's pixels."""
    _, _, height, width = pixels.shape
    rows = torch.arange(height, device=pixels.device) >= sizes[:, :1]  # (N, H)
    columns = torch.arange(width, device=pixels.device) >= sizes[:, 1:]  # (N, W)
    return (rows[:, :, None] | columns[:, None]).unsqueeze(1)


@lru_cache(maxsize=8)
def _weights(device: torch.device) -> torch.Tensor:
    """(3, 3): Y, Cb, Cr of R, G, B."""
    return torch.tensor(WEIGHTS, dtype=torch.float32, device=device)
