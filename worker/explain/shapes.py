"""Drawings as lines, areas, texts and bitmaps: made once, shown as SVG and as pixels.

Lengths are in pixels of a page at its natural size; y grows downwards.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

INK, MUTED, FAINT, RULE, PAPER, GROUND = (
    "#1b2430", "#5c6878", "#98a2b0", "#dce1e8", "#ffffff", "#f4f6f9",
)  # fmt: skip
PHOTOGRAPHS, BEHIND, PICTURE, LEVEL, CODEC = (
    "#6f9bc8", "#d5e1ee", "#c2352b", "#1b2430", "#d98a00",
)  # fmt: skip
GOOD, WARNING, BAD, OTHER = "#2f855a", "#c77700", "#c2352b", "#6b4fa0"
OUTCOME_COLOURS = {
    "attributed": BAD,
    "unknown_generator": OTHER,
    "undetermined": WARNING,
    "no_evidence": GOOD,
}

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Line:
    """From (x1, y1) to (x2, y2)."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str = INK
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle, filled, outlined, or both."""

    x: float
    y: float
    width: float
    height: float
    fill: str | None = None
    outline: str | None = None
    round: float = 0.0


@dataclass(frozen=True, slots=True)
class Dot:
    """A circle, filled, outlined, or both."""

    x: float
    y: float
    radius: float
    fill: str | None = None
    outline: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """One line; (x, y) is where its baseline begins, is halved, or ends."""

    x: float
    y: float
    words: str
    size: float = 12.0
    colour: str = INK
    anchor: Anchor = "start"
    bold: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Bitmap:
    """Pixels uint8 (h, w, 3), stretched to the rectangle; their edges stay sharp."""

    x: float
    y: float
    width: float
    height: float
    pixels: NDArray[np.uint8]
    about: str


Shape = Line | Area | Dot | Text | Bitmap


@dataclass(slots=True)
class Drawing:
    """Shapes in the order in which they are laid down; `about` says what is seen."""

    width: float
    height: float
    about: str
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Lay down more shapes."""
        self.shapes.extend(shapes)


def grey(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.uint8]:
    """(h, w) to grey pixels (h, w, 3), black at `low` and white at `high`."""
    scaled = ((values - low) / max(high - low, 1e-9)).clip(0, 1) * 255
    return np.repeat(scaled.round().astype(np.uint8)[..., None], 3, axis=2)


_BLUE_RED = np.array([[33, 82, 140], [247, 247, 247], [168, 34, 40]], np.float64)


def signed(values: NDArray[np.floating], limit: float) -> NDArray[np.uint8]:
    """(h, w) to pixels (h, w, 3): blue below nothing, white at it, red above, full at `limit`."""
    place = (values / max(limit, 1e-9)).clip(-1, 1) + 1
    channels = [np.interp(place, [0.0, 1.0, 2.0], _BLUE_RED[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


_DARK_LIGHT = np.array(
    [[12, 12, 40], [74, 28, 110], [178, 54, 90], [244, 140, 60], [252, 244, 190]]
)


def warm(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.uint8]:
    """(h, w) to pixels (h, w, 3), from dark blue at `low` through red to pale yellow at `high`."""
    place = ((values - low) / max(high - low, 1e-9)).clip(0, 1) * (len(_DARK_LIGHT) - 1)
    steps = np.arange(len(_DARK_LIGHT))
    channels = [np.interp(place, steps, _DARK_LIGHT[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)
