"""Which regions of a picture are read, and in what order, where all of its pixels may count.

A small picture is one region, whole. A larger one is cut into tiles, disjoint, on the grid of 16
pixels that a JPEG with halved chroma has; stages of tiles are drawn from the digest of its pixels
(worker/decoder/pixels.py), spread over the picture. So the same pixels give the same regions in
every file, and who wants another draw has to change the picture. Pure: pixels are looked at by the
caller's `look`. docs/decisions/0019-regions.md says why.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.decoder.crops import BRIGHT, DARK, FLAT_LUMINANCE_DEVIATION, digest_stream, luminance
from worker.decoder.pixels import GRID

REGION_RULE: Final = "tiles-1"  # for a bundle to state; another rule needs another calibration
REGION_GRID: Final = 16  # pixels; the blocks of a JPEG whose chroma is halved both ways
TILE: Final = 128  # pixels a side
SMALLEST: Final = 32  # pixels a side
LEAST_SEEN: Final = 16_384  # pixels of a picture that is not wholly opaque; sixteen crops of 32
_TRIES: Final = 4  # of a part of the picture in one round
_GROWTH: Final = 4  # a later stage against all that was read before it


@dataclass(frozen=True, slots=True)
class RegionReading:
    """Regions are read: about `first_pixels` at first, up to `most_pixels` where more is asked."""

    first_pixels: int = 1 << 18
    most_pixels: int = 1 << 22

    def __post_init__(self) -> None:
        if not TILE * TILE <= self.first_pixels <= self.most_pixels:
            raise ValueError(
                f"first_pixels is {self.first_pixels} and most_pixels {self.most_pixels}, expected"
                f" at least {TILE * TILE} and no less than the first"
            )

    @property
    def most_first_pixels(self) -> int:
        """No first stage holds more: its last tile may begin one pixel before the end."""
        return self.first_pixels + TILE * TILE - 1

    @property
    def most_regions(self) -> int:
        """No first stage has more regions."""
        return self.most_first_pixels // SMALLEST**2

    @property
    def most_bytes(self) -> int:
        """No first stage has more bytes, all regions together."""
        return 3 * self.most_first_pixels


class Region(NamedTuple):
    """A rectangle of pixels; `top` and `left` are multiples of 16, the sides at least 32.

    It reaches beyond the picture only where a side of the picture is shorter than 32.
    """

    top: int
    left: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """How many pixels it has."""
        return self.height * self.width


_FIRST_CELL: Final = Region(0, 0, SMALLEST, SMALLEST)


class Stage(NamedTuple):
    """What is read at once: `regions`, and how many plain tiles were `left_out` for them."""

    regions: tuple[Region, ...]
    left_out: int


Look = Callable[[Region], Region | None]
"""What of a tile is worth reading, a region within it; None where it is plain."""


def whole(region: Region) -> Region:
    """Take every tile as it is."""
    return region


def choose_regions(
    digest: bytes,
    height: int,
    width: int,
    reading: RegionReading,
    look: Look = whole,
    opaque_blocks: NDArray[np.bool_] | None = None,
) -> Iterator[Stage]:
    """Yield the stages of a picture, whose sides are at least 24 pixels: one or more, disjoint.

    Stage 0 holds about `first_pixels` (less where there is no more, under a tile above), each
    later one four times what was read so far, until `most_pixels` or all that is not plain. Pixels
    are looked at only for a stage that is asked for. A picture of at most `first_pixels` is one
    region, plain parts too, unless it is plain everywhere: then stage 0 is empty. With
    `opaque_blocks` (see pixels.Survey) regions hold what is wholly seen alone, and a small picture
    is read in tiles as well.
    """
    tiles = _tiles(height, width)
    picture = Region(0, 0, max(height, SMALLEST), max(width, SMALLEST))
    if opaque_blocks is None and picture.pixels <= reading.first_pixels:
        # The first cell of the first tile, where that has several, is mostly enough.
        parts = tiles if min(height, width) < 2 * SMALLEST else [_FIRST_CELL, *tiles]
        evident = any(look(part) is not None for part in parts)
        yield Stage((picture,), 0) if evident else Stage((), len(tiles))
        return
    numbers = digest_stream(digest)
    read, wanted = 0, reading.first_pixels
    while True:
        stage, tiles = _draw(tiles, wanted, numbers, look, opaque_blocks)
        if stage.regions or not read:
            yield stage
        read += sum(region.pixels for region in stage.regions)
        wanted = min(_GROWTH * read, reading.most_pixels - read)
        if not tiles or wanted <= 0:
            return


def _draw(
    tiles: list[Region],
    wanted: int,
    numbers: Iterator[int],
    look: Look,
    opaque_blocks: NDArray[np.bool_] | None,
) -> tuple[Stage, list[Region]]:
    """Return a stage of about `wanted` pixels, and the tiles that are left, in their order.

    In rounds: as many tiles as are missing, one from each of so many equal parts of the curve on
    which `tiles` lie; in each part tiles are drawn until one is not plain, at most four a round, so
    that a sky is not searched while there is ground.
    """
    chosen: list[Region] = []
    missing, left_out = wanted, 0
    while tiles and missing > 0:
        count = min(len(tiles), -(-missing // TILE**2))
        rest: list[Region] = []
        for part in range(count):
            own = tiles[part * len(tiles) // count : (part + 1) * len(tiles) // count]
            found, tries = None, _TRIES
            while own and tries and found is None:
                seen = _opaque_part(own.pop(next(numbers) % len(own)), opaque_blocks)
                if seen is None:
                    continue
                found, tries = look(seen), tries - 1
                left_out += found is None
            if found is not None:
                chosen.append(found)
                missing -= found.pixels
            rest += own
        tiles = rest
    return Stage(tuple(chosen), left_out), tiles


def _tiles(picture_height: int, picture_width: int) -> list[Region]:
    """Cut a picture into tiles, along a curve that goes from each to a neighbour where it can."""
    rows, columns = _cuts(picture_height), _cuts(picture_width)
    order = _curve(len(rows), len(columns))
    cells = [(rows[i], columns[j]) for i, j in zip(*np.divmod(order, len(columns)), strict=True)]
    return [Region(top, left, height, width) for (top, height), (left, width) in cells]


def _cuts(side: int) -> list[tuple[int, int]]:
    """Cut a side into (start, length): 128 each, the last two such that none is below 32."""
    starts = list(range(0, max(side, 1), TILE))
    if len(starts) > 1 and side - starts[-1] < SMALLEST:
        starts[-1] -= SMALLEST
    ends = [*starts[1:], max(side, SMALLEST)]
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]


def _curve(rows: int, columns: int) -> NDArray[np.intp]:
    """Return the order of rows x columns cells, row by row, along Hilbert's curve.

    Neighbours on the curve are neighbours in the picture, so equal parts of it are patches.
    """
    y, x = np.divmod(np.arange(rows * columns), columns)
    along = np.zeros_like(x)
    side = 1 << (max(rows, columns) - 1).bit_length()
    step = side >> 1
    while step:
        right, low = (x & step) > 0, (y & step) > 0
        along += step * step * ((3 * right) ^ low)
        turned = ~low & right
        x, y = np.where(turned, side - 1 - x, x), np.where(turned, side - 1 - y, y)
        x, y = np.where(low, x, y), np.where(low, y, x)
        step >>= 1
    return np.argsort(along, kind="stable")


def _opaque_part(tile: Region, blocks: NDArray[np.bool_] | None) -> Region | None:
    """Return the largest region within a tile that is wholly opaque; None if there is none."""
    if blocks is None:
        return tile
    top, left = tile.top // GRID, tile.left // GRID
    own = blocks[top : -(-(tile.top + tile.height) // GRID), left:]
    own = own[:, : -(-tile.width // GRID)]
    if own.all():
        return tile
    sums = np.pad(own, ((1, 0), (1, 0))).cumsum(0, dtype=np.int64).cumsum(1)
    first, last, start, high = _spans(own.shape[0], tile.height)
    begin, end, begin_px, wide = _spans(own.shape[1], tile.width)
    if not len(first) or not len(begin):
        return None
    rows = sums[last] - sums[first]  # (spans of rows, block columns + 1)
    opaque = rows[:, end] - rows[:, begin]  # (spans of rows, spans of columns)
    blocks_in = (last - first)[:, None] * (end - begin)
    pixels = np.where(opaque == blocks_in, high[:, None] * wide, 0)
    best, across = divmod(int(pixels.argmax()), len(begin))
    if not pixels[best, across]:
        return None
    return Region(
        tile.top + int(start[best]),
        tile.left + int(begin_px[across]),
        int(high[best]),
        int(wide[across]),
    )


@lru_cache(maxsize=64)
def _spans(blocks: int, side: int) -> tuple[NDArray[np.int64], ...]:
    """All spans of a tile's side that a region may have: block from, block to, pixel, length."""
    edges = [*range(0, GRID * blocks, GRID), side]
    spans = [
        (a, b, edges[a], edges[b] - edges[a])
        for a in range(0, blocks, REGION_GRID // GRID)
        for b in range(a + 1, blocks + 1)
        if edges[b] - edges[a] >= SMALLEST
    ]
    table = np.asarray(spans, dtype=np.int64).reshape(len(spans), 4)
    return tuple(table[:, column] for column in range(4))


def evident_part(rgb: NDArray[np.uint8], tile: Region) -> Region | None:
    """Return the smallest region that holds all cells of a tile that carry evidence.

    `rgb` is the tile's, (H, W, 3). Cells are 32 pixels a side, the last ones up to 63; one carries
    evidence as a crop does (crops.carries_evidence). None where no cell does.
    """
    if rgb.tobytes() == rgb[0, 0].tobytes() * (rgb.shape[0] * rgb.shape[1]):
        return None  # of one colour, as most plain tiles are: ten times as fast
    evident = _evident_cells(rgb)
    rows, columns = np.flatnonzero(evident.any(axis=1)), np.flatnonzero(evident.any(axis=0))
    if not len(rows):
        return None
    edges_y, edges_x = _cell_edges(rgb.shape[0]), _cell_edges(rgb.shape[1])
    top, bottom = int(edges_y[rows[0]]), int(edges_y[rows[-1] + 1])
    left, right = int(edges_x[columns[0]]), int(edges_x[columns[-1] + 1])
    return Region(tile.top + top, tile.left + left, bottom - top, right - left)


def _evident_cells(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return bool (rows of cells, columns of cells), True where crops.carries_evidence is."""
    light = luminance(rgb)  # (H, W)
    edges_y, edges_x = _cell_edges(light.shape[0]), _cell_edges(light.shape[1])

    def summed(values: NDArray[np.int32]) -> NDArray[np.int64]:
        across = np.add.reduceat(values, edges_x[:-1], axis=1)
        return np.add.reduceat(across, edges_y[:-1], axis=0).astype(np.int64)

    pixels = np.diff(edges_y)[:, None] * np.diff(edges_x)
    variance = pixels * summed(light * light) - summed(light) ** 2  # times pixels squared
    clipped = summed(((light <= DARK) | (light >= BRIGHT)).astype(np.int32))
    evident: NDArray[np.bool_] = variance >= FLAT_LUMINANCE_DEVIATION**2 * pixels**2
    return evident & (2 * clipped <= pixels)


def _cell_edges(side: int) -> NDArray[np.int64]:
    return np.asarray([*range(0, side - SMALLEST + 1, SMALLEST), side], dtype=np.int64)
