"""Drawings of scores: among photographs, by block, and by part of the picture."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Floats
from fingerprint_db.names import printable
from worker.events.verdict_parts import Candidate
from worker.explain.explanation import Measured
from worker.explain.held import Held
from worker.explain.parts import Part, PartScore
from worker.explain.shapes import (
    BAD,
    BEHIND,
    FAINT,
    GOOD,
    GROUND,
    INK,
    LEVEL,
    MUTED,
    OTHER,
    PHOTOGRAPHS,
    PICTURE,
    RULE,
    Anchor,
    Area,
    Dot,
    Drawing,
    Line,
    Text,
)

WIDTH = 500.0
_BINS = 48
_TOP, _BASE = 46.0, 196.0  # of the bars
_LEFT, _RIGHT = 10.0, 490.0
_BLOCKS = {
    "block_dct": "block DCT",
    "phase_dct": "phase DCT",
    "chroma_phase": "chroma phase",
    "co_occurrences": "co-occurrences",
}
_NOBODY = "no live generator is registered under this picture's codec"


class _Axis:
    """From scores to places between _LEFT and _RIGHT."""

    def __init__(self, low: float, high: float) -> None:
        spread = max(high - low, 1.0)
        self.low, self.high = low - 0.04 * spread, high + 0.06 * spread

    def at(self, score: float) -> float:
        share = (score - self.low) / (self.high - self.low)
        return _LEFT + (_RIGHT - _LEFT) * min(1.0, max(0.0, share))


def among_names(measured: Measured, candidates: Sequence[Candidate]) -> Drawing:
    """The highest scores that count, and behind them what the likeliest generator scores.

    Dots below are the candidates' own scores, hollow where the picture is not typical of one.
    """
    held = measured.names
    if measured.likeliest is None:
        drawing = Drawing(WIDTH, 60, "no registered generator")
        drawing.add(Text(WIDTH / 2, 34, _NOBODY, 13, MUTED, "middle"))
        return drawing
    own = measured.on_photographs
    assert own is not None
    behind = (own.scores, -np.diff(own.as_high))
    drawing, axis = _scores(held, behind, [one.similarity for one in candidates])
    for one in candidates:
        colour = BAD if one.accepted else FAINT
        fill = colour if one.accepted else None
        drawing.add(Dot(axis.at(one.similarity), _BASE + 7, 3, fill, colour))
    told = f"photographs, by the score of {printable(measured.likeliest)[:32]}"
    drawing.add(Area(_LEFT, 230, 10, 10, BEHIND), Text(_LEFT + 15, 239, told, 11, MUTED))
    drawing.add(Area(300, 230, 10, 10, PHOTOGRAPHS))
    reached = f"within reach of one: {held.count - held.without:,.0f} of {held.count:,}"
    drawing.add(Text(315, 239, reached, 11, MUTED))
    return drawing


def among_photographs(held: Held) -> Drawing:
    """The photographs' scores, the level, and the picture."""
    return _scores(held, (held.scores[:0], held.weights[:0]), [])[0]


def _scores(
    held: Held, behind: tuple[Floats, NDArray[np.float64]], others: Sequence[float]
) -> tuple[Drawing, _Axis]:
    """Bars as high as the root of the number, so that the few that score high are seen."""
    shown = [score for score in (held.level, held.score, *others) if score is not None]
    shown += [float(one) for scores in (held.scores, behind[0]) for one in scores]
    finite = [score for score in shown if math.isfinite(score)] or [0.0]
    axis = _Axis(min(finite), max(finite))
    drawing = Drawing(WIDTH, 244, f"scores of {held.count} photographs, the level and this picture")
    series = [(*behind, BEHIND), (held.scores, held.weights, PHOTOGRAPHS)]
    counts = [
        np.histogram(scores, _BINS, (axis.low, axis.high), weights=weights)[0]
        for scores, weights, _ in series
    ]
    tallest = max(1.0, *(float(np.sqrt(one.max())) for one in counts))
    edges = np.linspace(axis.low, axis.high, _BINS + 1)
    for own, (_, _, colour) in zip(counts, series, strict=True):
        for count, start, end in zip(own, edges[:-1], edges[1:], strict=True):
            if count > 0:
                height = max(1.5, (_BASE - _TOP) * math.sqrt(count) / tallest)
                left, right = axis.at(start), axis.at(end)
                drawing.add(Area(left + 0.5, _BASE - height, right - left - 1, height, colour))
    drawing.add(Line(_LEFT, _BASE, _RIGHT, _BASE, MUTED))
    _ticks(drawing, axis)
    _level(drawing, axis, held)
    _picture(drawing, axis, held)
    return drawing, axis


def _ticks(drawing: Drawing, axis: _Axis) -> None:
    raw = (axis.high - axis.low) / 6
    step = 10 ** math.floor(math.log10(raw))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step >= raw)
    for k in range(math.ceil(axis.low / step), math.floor(axis.high / step) + 1):
        x = axis.at(k * step)
        drawing.add(Line(x, _BASE, x, _BASE + 4, MUTED))
        drawing.add(Text(x, _BASE + 24, f"{k * step:g}", 11, MUTED, "middle"))


def _level(drawing: Drawing, axis: _Axis, held: Held) -> None:
    if held.level is None:
        drawing.add(Text(_LEFT, 14, "too few photographs: no level can be passed", 12, LEVEL))
        return
    if not math.isfinite(held.level):
        drawing.add(Text(_LEFT, 14, "level: any score passes", 12, LEVEL))
        return
    x = axis.at(held.level)
    drawing.add(Line(x, 20, x, _BASE, LEVEL, 1.5, dashed=True))
    drawing.add(_beside(x, 14, f"level {held.level:.2f}", LEVEL))


def _picture(drawing: Drawing, axis: _Axis, held: Held) -> None:
    if not math.isfinite(held.score):
        words = "this picture is beyond the reach of every generator: no score"
        drawing.add(Text(_LEFT, 34, words, 12, PICTURE, bold=True))
        return
    x = axis.at(held.score)
    drawing.add(Line(x, 40, x, _BASE, PICTURE, 2.5), Dot(x, 40, 4.5, PICTURE))
    words = f"this picture {held.score:.2f}, {'passes' if held.passes else 'does not pass'}"
    drawing.add(_beside(x, 34, words, PICTURE, bold=True))


def _beside(x: float, y: float, words: str, colour: str, *, bold: bool = False) -> Text:
    """A label on the side where there is room."""
    if x > WIDTH / 2:
        return Text(x - 7, y, words, 12, colour, "end", bold)
    return Text(x + 7, y, words, 12, colour, "start", bold)


def block_bars(measured: Measured) -> Drawing:
    """What each block adds to the score of the likeliest generator, and to the generic one."""
    series = [("registered generator", measured.named_blocks, PICTURE)]
    series.append(("nothing registered", measured.generic_blocks, OTHER))
    series = [one for one in series if one[1]]
    names = list(measured.generic_blocks)
    row = 15.0 * len(series) + 12
    drawing = Drawing(
        WIDTH, 34 + row * len(names), "what each block of statistics adds to the score"
    )
    largest = max((abs(v) for _, values, _ in series for v in values.values()), default=1.0)
    middle, reach = 312.0, 128.0
    for place, (label, _, colour) in enumerate(series):
        x = 130 + 185.0 * place
        drawing.add(Area(x, 4, 10, 10, colour), Text(x + 16, 13, label, 11.5, MUTED))
    for number, name in enumerate(names):
        top = 28 + row * number
        drawing.add(Text(122, top + row / 2, _BLOCKS.get(name, name), 12, INK, "end"))
        for place, (_, values, colour) in enumerate(series):
            value, y = values[name], top + 15.0 * place
            length = reach * value / max(largest, 1e-9)
            drawing.add(Area(middle + min(length, 0), y + 1, max(abs(length), 0.5), 12, colour))
            end = middle + length
            side: Anchor = "start" if value >= 0 else "end"
            beside = end + (5 if value >= 0 else -5)
            drawing.add(Text(beside, y + 11, f"{value:+.2f}", 11, MUTED, side))
    drawing.add(Line(middle, 24, middle, drawing.height - 6, FAINT))
    return drawing


def part_boxes(measured: Measured) -> Drawing:
    """The picture's parts where they lie, each with the score that decided, and its level."""
    parts = measured.parts
    rows = 2 if any(part.row is not None for part in parts) else 1
    columns = 2 if any(part.column is not None for part in parts) else 1
    drawing = Drawing(WIDTH, 8 + 106.0 * rows, "the scores of the picture's parts alone")
    width = (WIDTH - 10.0 * (columns - 1)) / columns
    whole = measured.names.passes or measured.generic.passes
    for part in parts:
        x = (width + 10) * (part.column or 0)
        y = 4 + 106.0 * (part.row or 0)
        drawing.add(Area(x + 1, y, width - 2, 98, GROUND, RULE, 6))
        drawing.add(Text(x + 14, y + 24, part.where, 12.5, INK, bold=True))
        drawing.add(Text(x + width - 14, y + 24, f"{part.pixels:,} pixels", 11, MUTED, "end"))
        _part_line(drawing, x + 14, y + 50, "generator", part.named)
        _part_line(drawing, x + 14, y + 72, "generic", part.generic)
        own = _deciding(part, by_name=measured.by_name)
        if own is None or not own.comparable:
            drawing.add(Text(x + width - 14, y + 90, "not comparable", 11, MUTED, "end"))
        else:
            same = own.passes == whole
            words, colour = ("same side", GOOD) if same else ("other side", BAD)
            drawing.add(Text(x + width - 14, y + 90, words, 11.5, colour, "end", bold=True))
    return drawing


def _deciding(part: Part, *, by_name: bool) -> PartScore | None:
    return part.named if by_name else part.generic


def _part_line(drawing: Drawing, x: float, y: float, label: str, one: PartScore | None) -> None:
    drawing.add(Text(x, y, label, 12, MUTED))
    if one is None:
        drawing.add(Text(x + 78, y, "none is registered", 12, MUTED))
        return
    drawing.add(Text(x + 78, y, f"{one.score:+.2f}", 12, PICTURE if one.passes else INK, bold=True))
    if one.level is None:
        level = "too few photographs"
    elif math.isfinite(one.level):
        level = f"level {one.level:.2f}"
    else:
        level = "any score passes"
    drawing.add(Text(x + 128, y, level, 11, MUTED))
