"""A drawing as pixels, and pixels as PNG. Only what was drawn here is ever given to Pillow.

The font comes with Pillow, so that a page looks the same everywhere; it has hardly more than
ASCII. What it lacks is written as an escape, such as \\u4e2d; the page of HTML shows it as it is.
"""

import base64
import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from worker.explain.shapes import PAPER, Area, Bitmap, Dot, Drawing, Line, Shape, Text

SCALE = 2
"""Pixels of the picture for each of the page, for screens that have them."""
_DASH = (4.0, 3.0)
_BOLD = 0.35  # pixels of the page; the font has one weight

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels uint8 (h, w, 3) as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """Pixels uint8 (h, w, 3) as an address that holds the picture itself."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def to_pixels(drawing: Drawing) -> NDArray[np.uint8]:
    """The drawing on paper, uint8 (h, w, 3), SCALE pixels for each of its own."""
    size = (round(drawing.width * SCALE), round(drawing.height * SCALE))
    canvas = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(canvas)
    for shape in drawing.shapes:
        _lay(canvas, pen, shape)
    return np.asarray(canvas)


def text_width(words: str, size: float, *, bold: bool = False) -> float:
    """How wide a line is, in pixels of the page."""
    return float(_font(size).getlength(_known(words))) / SCALE + (2 * _BOLD if bold else 0)


def _lay(canvas: Image.Image, pen: ImageDraw.ImageDraw, shape: Shape) -> None:
    if isinstance(shape, Line):
        _line(pen, shape)
    elif isinstance(shape, Area):
        box = _box(shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)
        pen.rounded_rectangle(
            box, shape.round * SCALE, fill=shape.fill, outline=shape.outline, width=SCALE
        )
    elif isinstance(shape, Dot):
        r = shape.radius
        box = _box(shape.x - r, shape.y - r, shape.x + r, shape.y + r)
        pen.ellipse(box, fill=shape.fill, outline=shape.outline, width=round(1.5 * SCALE))
    elif isinstance(shape, Bitmap):
        x1, y1, x2, y2 = _box(shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)
        size = (max(1, round(x2 - x1)), max(1, round(y2 - y1)))
        stretched = Image.fromarray(shape.pixels).resize(size, Image.Resampling.NEAREST)
        canvas.paste(stretched, (round(x1), round(y1)))
    else:
        _text(pen, shape)


def _line(pen: ImageDraw.ImageDraw, shape: Line) -> None:
    start = np.array([shape.x1, shape.y1]) * SCALE
    end = np.array([shape.x2, shape.y2]) * SCALE
    width = max(1, round(shape.width * SCALE))
    length = float(np.hypot(*(end - start)))
    if not shape.dashed or length == 0:
        pen.line([*start, *end], fill=shape.colour, width=width)
        return
    along = (end - start) / length
    on, off = (part * SCALE for part in _DASH)
    for begin in np.arange(0, length, on + off):
        stop = min(begin + on, length)
        pen.line([*(start + along * begin), *(start + along * stop)], shape.colour, width)


def _text(pen: ImageDraw.ImageDraw, shape: Text) -> None:
    anchors = {"start": "ls", "middle": "ms", "end": "rs"}
    pen.text(
        (shape.x * SCALE, shape.y * SCALE),
        _known(shape.words),
        fill=shape.colour,
        font=_font(shape.size),
        anchor=anchors[shape.anchor],
        stroke_width=_BOLD * SCALE if shape.bold else 0,
        stroke_fill=shape.colour,
    )


def _box(x1: float, y1: float, x2: float, y2: float) -> tuple[float, float, float, float]:
    return x1 * SCALE, y1 * SCALE, x2 * SCALE, y2 * SCALE


def _known(words: str) -> str:
    return words.replace("\u00a0", " ").encode("ascii", "backslashreplace").decode()


@lru_cache(maxsize=16)
def _font(size: float) -> Font:
    return ImageFont.load_default(size * SCALE)
