"""The same scores, read from parts of the picture alone: do they agree?

What a generator leaves is all over its picture. A score that one part alone carries may be an
insert, a watermark, or chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.extractor.blocks.planes import SMALLEST_SIDE

GRID = 16
"""Pixels; parts begin on it, so that every codec's grid lies in them as in the whole."""

Regions = tuple[NDArray[np.uint8], ...]


class Cut(NamedTuple):
    """A part of a picture, before anything is measured of it.

    `row` and `column` (0 or 1) say which quarter or half it is, None where that side is not cut.
    """

    row: int | None
    column: int | None
    regions: Regions


@dataclass(frozen=True, slots=True)
class PartScore:
    """A part's score, the level of its own size class, and whether it passes alone.

    `comparable` is false where too few photographs of that size are there to pass at all.
    """

    score: float
    level: float | None
    passes: bool

    @property
    def comparable(self) -> bool:
        """Whether the part could pass at all."""
        return self.level is not None


@dataclass(frozen=True, slots=True)
class Part:
    """One part: where it is, how many pixels, and its scores.

    `named` is the score of the live generator that is likeliest for the whole picture, held against
    what photographs score for that one, typical of it or not; None without one.
    """

    row: int | None
    column: int | None
    pixels: int
    generic: PartScore
    named: PartScore | None

    @property
    def where(self) -> str:
        """In words: top left, left, top."""
        rows, columns = ("top", "bottom"), ("left", "right")
        words = [
            names[at] for names, at in ((rows, self.row), (columns, self.column)) if at is not None
        ]
        return " ".join(words) or "whole"


def agreement(scores: Sequence[PartScore | None], whole_passes: bool) -> float | None:
    """The share of comparable parts on the whole picture's side of their level; None of none."""
    sides = [one.passes == whole_passes for one in scores if one is not None and one.comparable]
    return sum(sides) / len(sides) if sides else None


def cut_in_parts(
    regions: Regions, origins: NDArray[np.int32], height: int, width: int
) -> tuple[Cut, ...]:
    """Quarters of a picture that is one region, halves of a narrow one; tiles go by their middles.

    `regions` are uint8 (3, H, W), `origins` int32 (C, 2) where each begins. Empty where the picture
    cannot be cut: parts have sides of 32 and more, and there are at least two.
    """
    if len(regions) == 1:
        found = _quarters(regions[0])
    else:
        found = _gathered(regions, origins, height, width)
    return found if len(found) > 1 else ()


def _quarters(region: NDArray[np.uint8]) -> tuple[Cut, ...]:
    rows, columns = _halves(region.shape[1]), _halves(region.shape[2])
    return tuple(
        Cut(
            row if len(rows) > 1 else None,
            column if len(columns) > 1 else None,
            (np.ascontiguousarray(region[:, down, across]),),
        )
        for row, down in enumerate(rows)
        for column, across in enumerate(columns)
    )


def _halves(side: int) -> list[slice]:
    """One slice or two, the second beginning on the grid, none shorter than a region may be."""
    middle = side // 2 // GRID * GRID
    if middle < SMALLEST_SIDE:
        return [slice(0, side)]
    return [slice(0, middle), slice(middle, side)]


def _gathered(
    regions: Regions, origins: NDArray[np.int32], height: int, width: int
) -> tuple[Cut, ...]:
    quarters: dict[tuple[int, int], list[NDArray[np.uint8]]] = {}
    for region, (top, left) in zip(regions, origins.tolist(), strict=True):
        low = 2 * top + region.shape[1] > height
        right = 2 * left + region.shape[2] > width
        quarters.setdefault((int(low), int(right)), []).append(region)
    return tuple(Cut(*at, tuple(own)) for at, own in sorted(quarters.items()))
