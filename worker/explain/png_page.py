"""The page as one picture: the sections laid out by hand, in one or two columns."""

from dataclasses import dataclass, replace

from worker.explain.raster import png, text_width, to_pixels
from worker.explain.sections import Body, Page, Prose, Section, Table
from worker.explain.shapes import (
    GROUND,
    INK,
    MUTED,
    OUTCOME_COLOURS,
    PAPER,
    RULE,
    Area,
    Bitmap,
    Dot,
    Drawing,
    Line,
    Shape,
    Text,
)

WIDTH = 1120.0
_EDGE, _GAP, _INSIDE = 20.0, 16.0, 22.0
_HALF = (WIDTH - 2 * _EDGE - _GAP) / 2
_WHOLE = WIDTH - 2 * _EDGE


@dataclass(slots=True)
class _Box:
    """Shapes from (0, 0) on, and how high they are."""

    width: float
    height: float
    shapes: list[Shape]


def to_png(page: Page) -> bytes:
    """The page as a PNG file, twice its natural size."""
    colour = OUTCOME_COLOURS[page.outcome]
    drawing = Drawing(WIDTH, 0, page.headline, [])
    y = _EDGE
    y += _lay(drawing, _head(page, colour), _EDGE, y) + _GAP
    for row in _rows(page.sections):
        boxes = [_section(one, _WHOLE if one.wide else _HALF, colour) for one in row]
        height = max(box.height for box in boxes)
        for number, box in enumerate(boxes):
            box.height = height  # neighbours end at one line
            _lay(drawing, box, _EDGE + number * (_HALF + _GAP), y)
        y += height + _GAP
    y += _lay(drawing, _foot(page), _EDGE, y) + _EDGE
    drawing.height = y
    drawing.shapes.insert(0, Area(0, 0, WIDTH, y, GROUND))
    return png(to_pixels(drawing))


def _rows(sections: tuple[Section, ...]) -> list[list[Section]]:
    """Two halves side by side where two follow each other."""
    rows: list[list[Section]] = []
    for one in sections:
        if rows and len(rows[-1]) == 1 and not rows[-1][0].wide and not one.wide:
            rows[-1].append(one)
        else:
            rows.append([one])
    return rows


def _lay(drawing: Drawing, box: _Box, x: float, y: float) -> float:
    """The box on its card, at (x, y); returns its height."""
    drawing.add(Area(x, y, box.width, box.height, PAPER, RULE, 8))
    drawing.add(*(_moved(shape, x, y) for shape in box.shapes))
    return box.height


def _moved(shape: Shape, x: float, y: float) -> Shape:
    if isinstance(shape, Line):
        return replace(shape, x1=shape.x1 + x, y1=shape.y1 + y, x2=shape.x2 + x, y2=shape.y2 + y)
    return replace(shape, x=shape.x + x, y=shape.y + y)


def _head(page: Page, colour: str) -> _Box:
    box = _Box(_WHOLE, 0, [Area(0, 0, _WHOLE, 6, colour)])
    inner = _WHOLE - 2 * _INSIDE
    y = _write(box, page.name, _INSIDE, 30, inner, 13, MUTED)
    y = _write(box, page.headline, _INSIDE, y + 14, inner, 25, colour, bold=True)
    for words in page.reasons:
        y = _write(box, words, _INSIDE, y + 2, inner, 14.5)
    ends = []
    half = (inner - 24) / 2
    for number, (label, words) in enumerate(page.rates):
        x = _INSIDE + number * (half + 24)
        end = _write(box, label, x, y + 14, half, 12, MUTED, bold=True)
        ends.append(_write(box, words, x, end, half, 13))
    box.height = max([y, *ends]) + 6
    return box


def _section(section: Section, width: float, colour: str) -> _Box:
    box = _Box(width, 0, [Text(_INSIDE, 32, section.title, 16, INK, bold=True)])
    inner, y = width - 2 * _INSIDE, 46.0
    for body in section.body:
        y = _body(box, body, y, inner, colour)
    if section.note:
        y = _write(box, section.note, _INSIDE, y + 22, inner, 12, MUTED)
    box.height = y + 8
    return box


def _body(box: _Box, body: Body, y: float, inner: float, colour: str) -> float:
    """Lays a body at `y`; returns where it ends."""
    if isinstance(body, Drawing):
        scale = min(1.0, inner / body.width)
        left = _INSIDE + (inner - scale * body.width) / 2
        box.shapes += [_moved(_scaled(shape, scale), left, y) for shape in body.shapes]
        return y + scale * body.height
    if isinstance(body, Prose):
        y += 16
        for words in body.paragraphs:
            box.shapes.append(Dot(_INSIDE + 3, y - 4.5, 2, MUTED))
            y = _write(box, words, _INSIDE + 14, y, inner - 14, 13.5) + 4
        return y - 16
    return _table(box, body, y, inner, colour)


def _scaled(shape: Shape, by: float) -> Shape:
    if isinstance(shape, Line):
        return replace(
            shape, x1=shape.x1 * by, y1=shape.y1 * by, x2=shape.x2 * by, y2=shape.y2 * by
        )
    x, y = shape.x * by, shape.y * by
    if isinstance(shape, Area | Bitmap):
        return replace(shape, x=x, y=y, width=shape.width * by, height=shape.height * by)
    if isinstance(shape, Dot):
        return replace(shape, x=x, y=y, radius=shape.radius * by)
    return replace(shape, x=x, y=y, size=shape.size * by)


def _table(box: _Box, table: Table, y: float, inner: float, colour: str) -> float:
    rows = ((table.headings, True), *((row, False) for row in table.rows))
    columns = len(table.rows[0])
    # What a column needs, and what is left over shared out evenly.
    needs = [
        max(text_width(row[c], 12.5, bold=True) for row, _ in rows if row) + 14
        for c in range(columns)
    ]
    spare = (inner - sum(needs)) / columns
    widths = [max(need + spare, 40) for need in needs]
    if table.numbers >= columns:  # of labels and texts the labels stay narrow
        widths = [needs[0] + 24, inner - needs[0] - 24]
    for position, (row, head) in enumerate(rows):
        if not row:
            continue
        strong = position - 1 in table.strong
        x, end = _INSIDE, y
        for c, words in enumerate(row):
            ink = MUTED if head else colour if strong else INK
            bold = head or strong
            if c >= table.numbers:
                right = x + widths[c] - 8
                box.shapes.append(Text(right, y + 18, words, 12.5, ink, "end", bold))
                end = max(end, y + 18 + 8)
            else:
                low = _write(box, words, x, y + 18, widths[c] - 8, 12.5, ink, bold=bold)
                end = max(end, low - 9)
            x += widths[c]
        box.shapes.append(Line(_INSIDE, end, _INSIDE + inner, end, RULE))
        y = end
    return y


def _foot(page: Page) -> _Box:
    box = _Box(_WHOLE, 0, [])
    y = 26.0
    for label, words in page.foot:
        box.shapes.append(Text(_INSIDE, y, label, 11, MUTED, bold=True))
        y = _write(box, words, _INSIDE + 100, y, _WHOLE - 2 * _INSIDE - 100, 11, MUTED)
    box.height = y
    return box


def _write(
    box: _Box, words: str, x: float, y: float, width: float, size: float, colour: str = INK,
    *, bold: bool = False,
) -> float:  # fmt: skip
    """Lines that fit `width`, from the baseline `y` on; returns the baseline that would follow."""
    for line in _lines(words, width, size, bold=bold):
        box.shapes.append(Text(x, y, line, size, colour, bold=bold))
        y += size * 1.45
    return y


def _lines(words: str, width: float, size: float, *, bold: bool) -> list[str]:
    """Broken between words, and inside a word that is wider than a line."""
    lines, line = [], ""
    for word in words.split(" "):
        longer = f"{line} {word}" if line else word
        if text_width(longer, size, bold=bold) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while text_width(line, size, bold=bold) > width and len(line) > 1:
            fits = len(line) - 1
            while fits > 1 and text_width(line[:fits], size, bold=bold) > width:
                fits -= 1
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line]
