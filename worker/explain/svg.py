"""A drawing as SVG inside HTML: texts escaped, bitmaps inside it, nothing fetched."""

from html import escape

from worker.explain.raster import data_uri
from worker.explain.shapes import Area, Bitmap, Dot, Drawing, Line, Shape, Text


def to_svg(drawing: Drawing) -> str:
    """An `svg` element that fills the width it is given."""
    inside = "".join(_element(shape) for shape in drawing.shapes)
    about = escape(drawing.about, quote=True)
    return (
        f'<svg viewBox="0 0 {drawing.width:g} {drawing.height:g}" role="img" aria-label="{about}">'
        f"{inside}</svg>"
    )


def _element(shape: Shape) -> str:
    if isinstance(shape, Line):
        dashes = ' stroke-dasharray="4 3"' if shape.dashed else ""
        return (
            f'<line x1="{shape.x1:.2f}" y1="{shape.y1:.2f}" x2="{shape.x2:.2f}"'
            f' y2="{shape.y2:.2f}" stroke="{shape.colour}" stroke-width="{shape.width:g}"{dashes}/>'
        )
    if isinstance(shape, Area):
        return (
            f'<rect x="{shape.x:.2f}" y="{shape.y:.2f}" width="{shape.width:.2f}"'
            f' height="{shape.height:.2f}" rx="{shape.round:g}"'
            f"{_painted(shape.fill, shape.outline)}/>"
        )
    if isinstance(shape, Dot):
        return (
            f'<circle cx="{shape.x:.2f}" cy="{shape.y:.2f}" r="{shape.radius:g}"'
            f"{_painted(shape.fill, shape.outline)}/>"
        )
    if isinstance(shape, Bitmap):
        return (
            f'<image x="{shape.x:.2f}" y="{shape.y:.2f}" width="{shape.width:.2f}"'
            f' height="{shape.height:.2f}" preserveAspectRatio="none"'
            f' style="image-rendering:pixelated" href="{data_uri(shape.pixels)}">'
            f"<title>{escape(shape.about)}</title></image>"
        )
    return _text(shape)


def _text(shape: Text) -> str:
    weight = ' font-weight="600"' if shape.bold else ""
    return (
        f'<text x="{shape.x:.2f}" y="{shape.y:.2f}" font-size="{shape.size:g}"'
        f' fill="{shape.colour}" text-anchor="{shape.anchor}"{weight}>{escape(shape.words)}</text>'
    )


def _painted(fill: str | None, outline: str | None) -> str:
    stroke = f' stroke="{outline}" stroke-width="1.5"' if outline else ""
    return f' fill="{fill or "none"}"{stroke}'
