"""What kind of picture it is, in fifteen numbers: what its fingerprint must not be judged without.

Photographs that were enlarged, noised or given a palette score unlike those that came from a
camera, so that a p-value is worth something only against photographs of the same kind
(`fingerprint_db/matching/familiarity.py`). Every number is about the picture at large: too coarse
to be a fingerprint, and none of them is ever matched against a generator.

Numbers that are read from pixels are the same for the same pixels in any lossless file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from worker.decoder.decode import ImageFacts
from worker.decoder.jpeg_quality import standard_table
from worker.extractor.blocks.planes import Planes, Region, to_planes
from worker.extractor.nuisance_sums import Room, empty_levels, look, ranked
from worker.extractor.periods import strongest_period

MOST_PIXELS = 512 * 512
"""Regions are read until they hold so many: the first stage, whatever the later ones bring."""
SAMPLED_ROWS = 32_768  # pixels, about, of whose rows histograms and saturation are made
SAMPLED_COLOURS = 4_096  # pixels, about, whose colours are told apart: 64x64 has no more
_PLACES = 4 * SAMPLED_COLOURS  # for colours; at most twice as many, and some, are looked at
_NOISE_FLOOR = 0.1  # grey levels; rounding to bytes makes 0.2
_ENERGY_FLOOR = 0.01  # grey levels squared
_JUMP_FLOOR = 0.05  # grey levels
_EDGES, _USUAL_WIDTH = 4.0, 1.5  # as many edges of 2 ** 1.5 pixels are taken for granted
_WEBP_QUALITY = 80  # that of the one condition of lossy WebP there is
_BEFORE, _AFTER = np.roll(np.arange(8), 1), np.roll(np.arange(8), -1)
_WINDOW = 64  # pixels; 32 in pictures that have no more
_CHANCE = 3.5  # deviations by which the strongest line of noise exceeds the mean of one window


@dataclass(frozen=True, slots=True, eq=False)
class Nuisance:
    """`vector`, float32 (15,), finite: one number for each of NAMES, in their order.

    - noise, calm_noise: log2 of grey levels, from the diagonal high-pass; its median over the
      picture (Donoho and Johnstone 1994), and what its mean over a block stays below in a tenth of
      the blocks that are not flat
    - flat: root of the share of 8x8 blocks of Y without any deviation
    - edge_width: log2 of pixels, 0 (one step) to 3 (eight and more)
    - detail: log2 of the energy of gradients over one pixel by that over four, -4 to about 0
    - dark, bright: root of the share of samples at 0 and at 255
    - comb: the share of empty levels between a channel's ends, beyond what chance leaves empty
    - saturation: root of the mean of (largest - smallest channel) / 255
    - colours: log2 of distinct colours a sampled pixel: 0 where all differ
    - on_grid, off_grid: how far jumps between neighbours stand out across the file's 8x8 grid, and
      at most on one of the seven others; 0 to about 2
    - resampled: log2 of how far a period stands out in the second derivative (Gallagher 2005), or
      in the third, where the two pixels of a picture of twice the size differ as well
    - side: log2 of the smaller side in pixels
    - file_step: log2 of the mean step of the file's luminance table; 0 where the file loses nothing
    """

    vector: NDArray[np.float32]

    NAMES: ClassVar[tuple[str, ...]] = (
        "noise", "calm_noise", "flat", "edge_width", "detail", "dark", "bright", "comb",
        "saturation", "colours", "on_grid", "off_grid", "resampled", "side", "file_step",
    )  # fmt: skip

    def __getitem__(self, name: str) -> float:
        """The number of this name."""
        return float(self.vector[self.NAMES.index(name)])


def nuisance(regions: Sequence[Region], facts: ImageFacts) -> Nuisance:
    """From what is read of a picture, on the grid: uint8 (3, H, W), sides of 32 and more.

    Or from the planes of these.
    ValueError without regions: of such a picture there is nothing to be said.
    """
    if not regions:
        raise ValueError("no regions were read of the picture, so that its kind cannot be told")
    looked = _look(_first(regions))
    found = (
        *_luma(looked.room),
        *_levels(looked),
        *_periods(looked),
        float(np.log2(min(facts.width, facts.height))),
        _file_step(facts),
    )
    return Nuisance(np.array(found, np.float32))


def _first(regions: Sequence[Region]) -> list[Planes]:
    taken: list[Planes] = []
    pixels = 0
    for region in regions:
        if pixels >= MOST_PIXELS:
            break
        taken.append(to_planes(region))
        pixels += taken[-1].y.size
    return taken


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    """What the passes over a picture's regions found; `windows` (2, W, N) of profiles by axis."""

    room: Room
    spread: int
    colours_seen: int
    windows: tuple[NDArray[np.float64], NDArray[np.float64]]


def _look(read: Sequence[Planes]) -> _Looked:
    blocks = sum((p.y.shape[0] // 8) * (p.y.shape[1] // 8) for p in read)
    pixels = sum(p.y.size for p in read)
    room = Room(
        some=np.empty((blocks, 4), np.float32),
        means=np.empty(blocks, np.float32),
        lines=np.zeros(5),
        histogram=np.zeros((3, 256), np.int64),
        row_step=max(1, pixels // SAMPLED_ROWS),
        table=np.zeros(_PLACES, np.uint32),
        # Odd, so that it meets all columns of a region whose width is a power of two.
        step=max(1, pixels // SAMPLED_COLOURS) | 1,
        jumps=np.zeros((2, 2, 8)),
    )
    length = _WINDOW if any(max(p.y.shape) >= _WINDOW for p in read) else _WINDOW // 2
    filled = spread = colours_seen = 0
    windows: tuple[list[NDArray[np.float64]], ...] = ([], [])
    for planes in read:
        filled, spread_here, seen_here, *means = look(planes, filled, room)
        spread, colours_seen = spread + spread_here, colours_seen + seen_here
        for own, one in zip(windows, means, strict=True):
            own.append(one[..., : one.shape[2] // length * length].reshape(2, -1, length))
    along, down = (np.concatenate(own, axis=1) for own in windows)
    return _Looked(room, spread, colours_seen, (along, down))


def _luma(room: Room) -> tuple[float, float, float, float, float]:
    """noise, calm_noise, flat, edge_width, detail."""
    means = room.means
    flat = means < 0
    # Four of each block, so that the median is between two.
    both = ranked(room.some.ravel(), 2 * len(means) - 1)
    middle = float(np.mean(both, dtype=np.float32)) / 0.6745
    lively = means[~flat]
    calm = ranked(lively, len(lively) // 10)[0] * 1.2533 if len(lively) else 0.0
    edges, widths, near, far, steps = room.lines
    width = (widths + _EDGES * _USUAL_WIDTH) / (edges + _EDGES)
    detail = np.log2((near / steps + _ENERGY_FLOOR) / (far / steps + _ENERGY_FLOOR))
    return (
        float(np.log2(middle + _NOISE_FLOOR)),
        float(np.log2(calm + _NOISE_FLOOR)),
        float(np.sqrt(flat.mean())),
        float(width),
        float(detail),
    )


def _levels(looked: _Looked) -> tuple[float, float, float, float, float]:
    """dark, bright, comb, saturation, colours."""
    histogram = looked.room.histogram
    counted = int(histogram[0].sum())
    shares = histogram.sum(axis=0) / (3 * counted)
    return (
        float(np.sqrt(shares[0])),
        float(np.sqrt(shares[255])),
        float(np.mean([empty_levels(channel) for channel in histogram])),
        float(np.sqrt(looked.spread / (255 * counted))),
        float(np.log2(np.count_nonzero(looked.room.table) / looked.colours_seen)),
    )


def _periods(looked: _Looked) -> tuple[float, float, float]:
    """on_grid, off_grid, resampled: both axes together."""
    contrasts = np.stack([_contrast(sizes / counts) for sizes, counts in looked.room.jumps])
    on, off = contrasts[:, 0], contrasts[:, 1:].max(axis=1)
    cut = np.concatenate(looked.windows, axis=1)
    chance = float(np.log2(1 + _CHANCE / np.sqrt(cut.shape[1])))
    return (
        float(np.log2(1 + on.clip(0)).mean()),
        float(np.log2(1 + off.clip(0)).mean()),
        max(0.0, strongest_period(cut, _JUMP_FLOOR) - chance),
    )


def _contrast(jumps: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each of the 8 phases stands out of its two neighbours, by the mean of all."""
    around = (jumps[_BEFORE] + jumps[_AFTER]) / 2
    found: NDArray[np.float64] = (jumps - around) / (jumps.mean() + _JUMP_FLOOR)
    return found


def _file_step(facts: ImageFacts) -> float:
    if facts.jpeg is not None:
        table = np.maximum(1, np.array(facts.jpeg.luma))
    elif facts.lossy:
        table = standard_table(facts.jpeg_quality or _WEBP_QUALITY)
    else:
        return 0.0
    return float(np.log2(table).mean())
