"""Drawings of the pixels and of what kind of picture they make."""

import numpy as np

from worker.decoder.decode import DecodedImage
from worker.explain.kinds import MEANINGS, KindNumber
from worker.explain.pixels import PERIODS, Spectrum, mean_fields, residual, smoothed, spectrum
from worker.explain.shapes import (
    BAD,
    CODEC,
    FAINT,
    INK,
    MUTED,
    PHOTOGRAPHS,
    RULE,
    WARNING,
    Area,
    Bitmap,
    Dot,
    Drawing,
    Line,
    Text,
    grey,
    signed,
    warm,
)

WIDTH = 500.0
WIDE = 1030.0
_BLURRED = 270  # pixels on the longer side
_LATTICE = {2: "#58d0ff", 4: "#7ee08a", 8: "#ffffff", 16: "#ff8fc8"}
_ON_PAPER = {2: "#1c86b8", 4: "#2f8f4e", 8: "#5c6878", 16: "#c0418a"}
_SHOWN = 296.0  # the spectrum's side
_BEYOND = ((2, 3), (2, 3), (0, 0))  # frequencies, before and after


def blurred(image: DecodedImage) -> Drawing:
    """Rough light and colour of what was read; places where nothing was are hatched."""
    facts = image.facts
    fields, seen = mean_fields(image.regions, image.origins, facts.height, facts.width)
    pixels = smoothed(fields, seen, _BLURRED)
    height, width = pixels.shape[:2]
    drawing = Drawing(WIDTH, height + 4.0, "the picture, reduced to a few mean colours")
    left = (WIDTH - width) / 2
    drawing.add(Bitmap(left, 2, width, height, pixels, drawing.about))
    field_height, field_width = height / seen.shape[0], width / seen.shape[1]
    for row, column in np.argwhere(~seen):
        x, y = left + column * field_width, 2 + row * field_height
        drawing.add(Area(x, y, field_width, field_height, "#e7ebf0"))
        drawing.add(Line(x, y + field_height, x + field_width, y, FAINT, 0.7))
    drawing.add(Area(left, 2, width, height, None, RULE))
    return drawing


def residual_drawing(image: DecodedImage) -> Drawing:
    """The calmest windows of the high-pass, and its mean by place modulo 16."""
    found = residual(image.regions)
    size, gap = 78.0, 6.4
    top = (size + gap) * -(-len(found.windows) // 6) + 16.0
    about = "the high-pass of the calmest windows, and folded at 16 pixels"
    drawing = Drawing(WIDTH, top + 166, about)
    limit = 127 / found.amplified
    for number, window in enumerate(found.windows):
        row, column = divmod(number, 6)
        x, y = column * (size + gap), row * (size + gap)
        pixels = grey(window, -limit, limit)
        drawing.add(
            Bitmap(x, y, size, size, pixels, "a window of 32 x 32 pixels, out of its place")
        )
    if not len(found.windows):
        drawing.add(Text(0, 12, "every window is flat", 12, MUTED))
    largest = max(float(np.abs(found.fold).max()), 0.02)
    tiled = np.tile(signed(found.fold, largest), (2, 2, 1))
    drawing.add(Bitmap(0, top, 160, 160, tiled, "the residual folded at 16 pixels, twice each way"))
    drawing.add(Area(0, top, 160, 160, None, RULE))
    drawing.add(Line(80, top, 80, top + 160, "#9aa5b1", 0.7, dashed=True))
    drawing.add(Line(0, top + 80, 160, top + 80, "#9aa5b1", 0.7, dashed=True))
    lines = (
        f"above: windows of 32 x 32, amplified {found.amplified:.0f} times",
        "left: the mean of all pixels at one place modulo 16,",
        f"red above, blue below; full colour is {largest:.2f} levels",
        "A photograph folds to next to nothing, a lattice to",
        "a pattern; a JPEG shows its blocks of 8 here too.",
    )
    for number, words in enumerate(lines):
        drawing.add(Text(176, top + 22 + 22.0 * number, words, 12, MUTED if number > 2 else INK))
    return drawing


def spectrum_drawing(image: DecodedImage, *, jpeg_grid: bool) -> Drawing:
    """The spectrum with the lattice's frequencies as circles, the JPEG grid's as squares."""
    found = spectrum(image.regions)
    drawing = Drawing(WIDTH, 352, "the mean log magnitude of brightness, with marks")
    low, high = np.percentile(found.magnitude, [2, 99.7])
    # A spectrum repeats: what lies at its edge is shown at both, and a little beyond.
    pixels = np.pad(warm(found.magnitude, float(low), float(high)), _BEYOND, mode="wrap")
    drawing.add(Bitmap(0, 0, _SHOWN, _SHOWN, pixels, drawing.about))
    side = len(found.magnitude)

    def place(frequency: float) -> float:
        return (side * (0.5 + frequency) + _BEYOND[0][0] + 0.5) / len(pixels) * _SHOWN

    if jpeg_grid:
        for k in (-4, -3, -2, -1, 1, 2, 3, 4):
            for y, x in ((0.0, k / 8), (k / 8, 0.0)):
                drawing.add(Area(place(x) - 7, place(y) - 7, 14, 14, None, CODEC))
    for period in found.above:
        ends = (1 / period, -1 / period)
        marks = [(0.0, x) for x in ends] + [(y, 0.0) for y in ends]
        marks += [(y, x) for y in ends for x in ends]
        for y, x in marks:
            drawing.add(Dot(place(x), place(y), 4.5, None, _LATTICE[period]))
    _frequencies(drawing)
    _excesses(drawing, found, jpeg_grid=jpeg_grid)
    return drawing


def rounded(number: float, digits: int) -> str:
    """Without the minus of a nothing."""
    return f"{round(number, digits) + 0.0:.{digits}f}"


def _frequencies(drawing: Drawing) -> None:
    drawing.add(Text(0, _SHOWN + 15, "-1/2", 11, MUTED))
    drawing.add(Text(_SHOWN / 2, _SHOWN + 15, "0", 11, MUTED, "middle"))
    drawing.add(Text(_SHOWN, _SHOWN + 15, "1/2 cycle a pixel", 11, MUTED, "end"))


def _excesses(drawing: Drawing, found: Spectrum, *, jpeg_grid: bool) -> None:
    """Bars to the right: by how much each period stands out of its surroundings."""
    left, reach = 322.0, 120.0
    drawing.add(Text(left, 12, "above what is around, in dB", 11.5, MUTED))
    largest = max(6.0, *(max(values) for values in found.above.values()))
    y = 30.0
    for period in PERIODS:
        values = found.above.get(period)
        own = jpeg_grid and period in (2, 4, 8)
        drawing.add(Dot(left + 5, y + 5, 4.5, None, _ON_PAPER[period]))
        drawing.add(Text(left + 17, y + 9, f"period {period}", 12, INK, bold=True))
        if own:
            drawing.add(Area(left + 84, y, 10, 10, None, CODEC))
            drawing.add(Text(left + 99, y + 9, "the JPEG's too", 11, CODEC))
        if values is None:
            drawing.add(Text(left + 84, y + 9, "not measured", 11, MUTED))
            y += 76
            continue
        for value, label in zip(values, ("across", "down", "both"), strict=True):
            y += 17
            length = reach * max(value, 0.0) / largest
            drawing.add(Text(left + 42, y + 9, label, 11, MUTED, "end"))
            drawing.add(
                Area(left + 48, y, max(length, 0.5), 11, CODEC if own else _ON_PAPER[period])
            )
            drawing.add(Text(left + 52 + length, y + 9, rounded(value, 1), 11, MUTED))
        y += 25
    words = "circles: a lattice of 2, 4, 8, 16 pixels"
    words += (
        "; squares: the JPEG's own grid of 8" if jpeg_grid else "; no JPEG grid is in these pixels"
    )
    drawing.add(Text(0, 342, words, 11.5, MUTED))


def kind_ranges(numbers: tuple[KindNumber, ...]) -> Drawing:
    """Each number of the picture's kind on the range of photographs; two columns."""
    rows = -(-len(numbers) // 2)
    drawing = Drawing(WIDE, 26.0 * rows + 6, "the picture's kind beside that of photographs")
    for number, one in enumerate(numbers):
        column, row = divmod(number, rows)
        _kind_row(drawing, one, 530.0 * column, 26.0 * row)
    return drawing


def _kind_row(drawing: Drawing, one: KindNumber, x: float, y: float) -> None:
    first, reach, middle = x + 244, 190.0, y + 14
    low, high = min(one.least, one.value), max(one.most, one.value)

    def at(value: float) -> float:
        return first + reach * ((value - low) / (high - low) if high > low else 0.5)

    colour = BAD if one.unseen else WARNING if one.unusual else INK
    drawing.add(Text(first - 10, middle + 4, MEANINGS[one.name], 11.5, INK, "end"))
    drawing.add(Line(at(one.least), middle, at(one.most), middle, FAINT))
    width = max(at(one.high) - at(one.low), 2.0)
    drawing.add(Area(at(one.low), middle - 5, width, 10, PHOTOGRAPHS, None, 2))
    drawing.add(Dot(at(one.value), middle, 4.5, colour))
    drawing.add(
        Text(first + reach + 10, middle + 4, rounded(one.value, 2), 11.5, colour, bold=one.unusual)
    )
