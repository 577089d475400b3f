"""How a JPEG was compressed: its tables, its chroma, and the quality that they are nearest to.

The scale is that of the Independent JPEG Group (libjpeg's `jpeg_set_quality`): quality 1..100
scales the example table K.1 of ITU-T T.81. Encoders with tables of their own (cameras, some
editors) get the nearest quality, so for them the number is an equivalent, not what their user
typed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

ChromaSampling = Literal["4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "4:1:0", "4:0:0", "other"]
SAMPLINGS: Final[tuple[str, ...]] = get_args(ChromaSampling)
MOST_QUANTISATION: Final = 65_535  # a table may have 16 bits
_SHARES: Final[dict[tuple[int, int], ChromaSampling]] = {
    (1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}  # fmt: skip

UNFAMILIAR: Final = 0.1
"""Nats: a table further than this from every standard one is not of that family."""
_DIAGONALS: Final = np.repeat(np.arange(15), 8 - np.abs(np.arange(15) - 7))  # u + v, zigzag
_LOW_FREQUENCIES: Final = 1 / (1 + _DIAGONALS) / (1 / (1 + _DIAGONALS)).sum()

# ITU-T T.81, table K.1 (luminance), in the zigzag order in which a DQT segment holds it.
_LUMINANCE_ZIGZAG: Final = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
    26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
    56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
    95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
)  # fmt: skip


def standard_table(quality: int) -> NDArray[np.int64]:
    """Return libjpeg's luminance table for `quality` (1..100): int64 (64,), zigzag, each 1..255."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    table = (np.asarray(_LUMINANCE_ZIGZAG, dtype=np.int64) * scale + 50) // 100
    return np.clip(table, 1, 255)


@lru_cache(maxsize=1)
def _standard_tables() -> NDArray[np.int64]:
    """All hundred tables, (100, 64); row q - 1 is quality q. Built at the first use."""
    return np.stack([standard_table(quality) for quality in range(1, 101)])


def estimate_quality(luminance_table: Sequence[int]) -> int:
    """Return the quality 1..100 whose standard table differs least from `luminance_table`.

    `luminance_table` has 64 numbers in zigzag order, 1..255 (or 1..65535 in a 16-bit table). The
    difference is the sum of absolute differences; of two equally near, the lower quality, because
    to think a file better than it is would be the unsafe mistake.
    """
    table = np.asarray(luminance_table, dtype=np.int64)
    if table.shape != (64,):
        raise ValueError(f"a quantisation table has 64 numbers, not {table.shape}")
    distance = np.abs(_standard_tables() - table).sum(axis=1)  # (100,)
    return int(distance.argmin()) + 1


def table_distance(first: Sequence[int], second: Sequence[int]) -> float:
    """How far two quantisation tables are apart, in nats of a step; 0 for the same.

    Both have 64 numbers in zigzag order; 0, in damaged files, counts as 1. The mean absolute
    difference of the steps' logarithms, low frequencies weighing more: 1 / (1 + u + v).
    """
    return float(_distances(_logarithms([first]), _logarithms([second]))[0])


def nearest_quality(luminance_table: Sequence[int]) -> tuple[int, float]:
    """The quality 1..100 whose standard table is nearest, and the `table_distance` to it.

    Of two equally near the lower quality. A distance above `UNFAMILIAR` says that the table is an
    encoder's own, and the quality no more than its size.
    """
    return _nearest_quality(tuple(luminance_table))


# Files of one encoder have the same few tables; to look all hundred over takes 0.2 ms.
@lru_cache(maxsize=256)
def _nearest_quality(table: tuple[int, ...]) -> tuple[int, float]:
    distances = _distances(_standard_logarithms(), _logarithms([table]))
    nearest = int(distances.argmin())
    return nearest + 1, float(distances[nearest])


def _distances(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 64) against (T, 64) or (1, 64): (T,)."""
    distances: NDArray[np.float64] = np.abs(first - second) @ _LOW_FREQUENCIES
    return distances


def _logarithms(tables: Sequence[Sequence[int]] | NDArray[np.int64]) -> NDArray[np.float64]:
    numbers = np.asarray(tables, dtype=np.int64)
    if numbers.shape[1:] != (64,):
        raise ValueError(f"a quantisation table has 64 numbers, not {numbers.shape[1:]}")
    logarithms: NDArray[np.float64] = np.log(np.maximum(numbers, 1))
    return logarithms


@lru_cache(maxsize=1)
def _standard_logarithms() -> NDArray[np.float64]:
    return _logarithms(_standard_tables())


@dataclass(frozen=True, slots=True)
class JpegCoding:
    """What a JPEG's header says of its quantisation.

    `luma` and `chroma` are the tables of its first and second component, 64 numbers each in zigzag
    order, 0..65535 (0 in damaged files only); `chroma` is None where there is one component, and
    equals `luma` where both share a table. `sampling` is "4:0:0" for one component, and "other" for
    factors that have no usual name or differ between the second and the third.
    """

    luma: tuple[int, ...]
    chroma: tuple[int, ...] | None
    sampling: ChromaSampling


def chroma_sampling(factors: Sequence[int]) -> ChromaSampling:
    """Name the sampling of components, each 16 x horizontal + vertical factor, as SOF has them."""
    if len(factors) == 1:
        return "4:0:0"
    across, down = factors[0] >> 4, factors[0] & 15
    own_across, own_down = factors[1] >> 4, factors[1] & 15
    if factors[1] != factors[2] or across % own_across or down % own_down:
        return "other"
    return _SHARES.get((across // own_across, down // own_down), "other")
