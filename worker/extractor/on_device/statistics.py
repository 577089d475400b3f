"""Block statistics of a batch of pictures: sums of regions, added up for each picture, finished.

Letters: N regions, P pictures, S sums of a block, F statistics.

The layouts of sums are this room's own, the statistics those of `worker.extractor.blocks`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from worker.extractor.blocks import block_dct, chroma_phase, phase_dct
from worker.extractor.blocks import co_occurrences as neighbours
from worker.extractor.blocks import colour as channels
from worker.extractor.blocks import spectrum as windows
from worker.extractor.blocks.residual_symbols import CODES, mirroring
from worker.extractor.blocks.shifted_dct import FLOOR, THRESHOLDS
from worker.extractor.on_device.co_occurrences import co_occurrences
from worker.extractor.on_device.colour import colours
from worker.extractor.on_device.dct import block_counts, dct_sums, fold, halved
from worker.extractor.on_device.planes import MARGIN, Planes, to_planes, to_rgb
from worker.extractor.on_device.spectrum import powers, window_counts
from worker.extractor.on_device.symbols import in_bands

_BESIDE = MARGIN - 8  # of the margin, what blocks of 8x8 do not reach


class _Regions(NamedTuple):
    """What is summed over: uint8 (N, 3, H, W), and what was made of it."""

    pixels: torch.Tensor
    planes: Planes
    sizes: torch.Tensor
    thinned: bool


def region_sums(
    pixels: torch.Tensor, sizes: torch.Tensor, blocks: Sequence[str], *, thinned: bool
) -> dict[str, torch.Tensor]:
    """Sums (N, S) of the named blocks; float32 or whole numbers.

    Of uint8 (N, 3, H, W) with heights and widths (N, 2), H and W multiples of 64. `thinned` regions
    have a quarter of their rows counted, as those of more than `DENSE_PIXELS` must.
    """
    regions = _Regions(pixels, to_planes(pixels, sizes), sizes, thinned)
    return {name: _BLOCKS[name].sums(regions) for name in blocks}


def pooled(sums: Mapping[str, torch.Tensor], owners: torch.Tensor, pictures: int) -> torch.Tensor:
    """Sums of regions as those of their pictures (P, S of all blocks), float64.

    By a product, whose order of addition is always the same; `owners` (N,) below 0 are nobody's. A
    sum that is not finite makes all of its own picture NaN, which is then refused; times 0 it would
    make all pictures NaN.
    """
    members = torch.arange(pictures, device=owners.device)[:, None] == owners  # (P, N)
    every = torch.cat([own.to(torch.float64) for own in sums.values()], dim=1)  # (N, S)
    doubt = every.sum(dim=1) * 0  # (N,): 0, or NaN where a number is not finite
    found = torch.matmul(members.to(torch.float64), every.nan_to_num_(0, 0, 0))  # (P, S)
    return found + doubt.expand(members.shape).masked_fill(~members, 0).sum(dim=1, keepdim=True)


def finished(sums: torch.Tensor, blocks: Sequence[str]) -> torch.Tensor:
    """Statistics (P, F) float32 of sums (P, S) of the named blocks; NaN without any region."""
    parts = torch.split_with_sizes(sums, [_BLOCKS[name].size for name in blocks], dim=1)
    found = [_BLOCKS[name].finish(own) for name, own in zip(blocks, parts, strict=True)]
    return torch.cat(found, dim=1).to(torch.float32)


def sums_size(blocks: Sequence[str]) -> int:
    """S of all these blocks together."""
    return sum(_BLOCKS[name].size for name in blocks)


def _without_margin(planes: torch.Tensor) -> torch.Tensor:
    """(N, 3, H + 16, W + 16) to (N, 3, H + 8, W + 8)."""
    return planes[:, :, :-_BESIDE, :-_BESIDE]


# Each block's sums (N, S), counts first, and from those of pictures its statistics.


def _block_dct(regions: _Regions) -> torch.Tensor:
    planes = _without_margin(regions.planes.exact)
    sums = dct_sums(planes, regions.sizes, 8, block_dct.MODES, block_dct.BELOW)
    counts = block_counts(regions.sizes, 8).flatten(1)
    return torch.cat([counts, sums.reshape(len(counts), -1)], dim=1)


def _finish_block_dct(sums: torch.Tensor) -> torch.Tensor:
    means = sums[:, 1:].reshape(-1, 3, 64, 4) / sums[:, :1, None, None]
    total, square, *shares = means.unbind(dim=3)
    logs = [torch.log(total + FLOOR), torch.log(square + FLOOR**2)]
    return torch.stack([*logs, *shares], dim=2).flatten(1)  # (P, 3 4 64)


def _phase_dct(regions: _Regions) -> torch.Tensor:
    planes = _without_margin(regions.planes.exact)[:, :1]
    sums = dct_sums(planes, regions.sizes, 2, phase_dct.MODES, range(len(THRESHOLDS)))[:, 0]
    counts = fold(block_counts(regions.sizes, 2))
    return torch.cat([counts.flatten(1), fold(sums).flatten(1)], dim=1)


def _finish_phase_dct(sums: torch.Tensor) -> torch.Tensor:
    means = sums[:, 9:].reshape(len(sums), 9, -1, 2 + len(THRESHOLDS)) / sums[:, :9, None, None]
    total, square, *shares = means.unbind(dim=3)
    logs = [torch.log(total + FLOOR), torch.log(square + FLOOR**2) / 2]
    return torch.stack([*logs, *shares], dim=2).flatten(1)  # (P, 9 7 44)


def _chroma_phase(regions: _Regions) -> torch.Tensor:
    chroma, sizes = halved(regions.planes.exact[:, 1:]), regions.sizes // 2
    sums = dct_sums(chroma, sizes, 2, chroma_phase.MODES, chroma_phase.BELOW)
    sums = fold(sums.flatten(0, 1)).reshape(len(sizes), -1)  # channel, phase, mode, sum
    return torch.cat([fold(block_counts(sizes, 2)).flatten(1), sums], dim=1)


def _finish_chroma_phase(sums: torch.Tensor) -> torch.Tensor:
    means = sums[:, 9:].reshape(len(sums), 2, 9, -1, 4) / sums[:, None, :9, None, None]
    total, square, *shares = means.unbind(dim=4)
    logs = [torch.log(total + FLOOR), torch.log(square + FLOOR**2) / 2]
    return torch.stack([*logs, *shares], dim=3).flatten(1)  # (P, 2 9 4 20)


def _co_occurrences(regions: _Regions) -> torch.Tensor:
    counts = co_occurrences(in_bands(regions.planes.whole, thinned=regions.thinned))
    return torch.matmul(counts, _mirroring(counts.device)).flatten(1)


def _finish_co_occurrences(sums: torch.Tensor) -> torch.Tensor:
    return _root_shares(sums, mirroring().shape[1])


def _colour(regions: _Regions) -> torch.Tensor:
    rgb = to_rgb(regions.pixels, regions.sizes)
    return colours(in_bands(rgb, thinned=regions.thinned)).flatten(1)


def _finish_colour(sums: torch.Tensor) -> torch.Tensor:
    return _root_shares(sums, CODES)


def _root_shares(sums: torch.Tensor, bins: int) -> torch.Tensor:
    counts = sums.view(len(sums), -1, bins)
    return torch.sqrt(counts / counts.sum(dim=2, keepdim=True)).flatten(1)


def _spectrum(regions: _Regions) -> torch.Tensor:
    counts = window_counts(regions.sizes)[:, None]
    return torch.cat([counts, powers(regions.planes.exact, regions.sizes).flatten(1)], dim=1)


def _finish_spectrum(sums: torch.Tensor) -> torch.Tensor:
    return torch.log(sums[:, 1:] / sums[:, :1] + windows.FLOOR)


@lru_cache(maxsize=8)
def _mirroring(device: torch.device) -> torch.Tensor:
    return torch.from_numpy(mirroring().astype(np.float32)).to(device)


class _Block(NamedTuple):
    size: int
    sums: Callable[[_Regions], torch.Tensor]
    finish: Callable[[torch.Tensor], torch.Tensor]


_BLOCKS = {  # as many sums as the block has statistics, and counts of what they are means of
    "block_dct": _Block(1 + block_dct.SIZE, _block_dct, _finish_block_dct),
    "phase_dct": _Block(9 + phase_dct.SIZE, _phase_dct, _finish_phase_dct),
    "chroma_phase": _Block(9 + chroma_phase.SIZE, _chroma_phase, _finish_chroma_phase),
    "co_occurrences": _Block(neighbours.SIZE, _co_occurrences, _finish_co_occurrences),
    "colour": _Block(channels.SIZE, _colour, _finish_colour),
    "spectrum": _Block(1 + windows.SIZE, _spectrum, _finish_spectrum),
}
