"""The page: one file that fetches nothing and runs nothing, whatever things are called."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tests.worker.decoder.image_samples import encoded, picture
from tests.worker.explain.explained import explained
from tests.worker.extractor.tiny_bundle import made_png, real_jpeg, real_png, varied_png
from tests.worker.judge.judging import Bench
from worker.explain.html_page import to_html
from worker.explain.png_page import to_png
from worker.explain.raster import SCALE, to_pixels
from worker.explain.sections import page_of
from worker.explain.shapes import Area, Dot, Drawing, Line, Text

NASTY = "<script>alert('x')</script>\" & \x1b[31m\u202e中"


class _Elements(HTMLParser):
    """Every start tag with its attributes, and that all are closed."""

    VOID = {"meta"}  # noqa: RUF012 - a constant of this helper

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Elements()
    parser.feed(html)
    assert parser.open == []
    return parser.found


PICTURES = {
    "named": made_png("checks", 7),
    "unknown": varied_png("rows", 4),
    "real": real_png(8, 128),
    "large": real_jpeg(9, 85, 700),
    "small": real_png(3, 26),
    "flat": encoded(Image.new("RGB", (64, 64)), "PNG"),
    "grey": encoded(picture(64, 64, mode="L"), "PNG"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture_has_a_page_that_fetches_and_runs_nothing(
    bench: Bench, name: str
) -> None:
    page = page_of(explained(bench, PICTURES[name]))
    found = elements(to_html(page))
    tags = {tag for tag, _ in found}
    assert not tags & {"script", "link", "iframe", "object", "embed", "form", "a", "img"}
    for _, attributes in found:
        assert not [key for key in attributes if key.startswith("on")]
        for key in ("src", "href", "xlink:href"):
            assert (attributes.get(key) or "data:image/png;base64,").startswith(
                "data:image/png;base64,"
            )
        assert "url(" not in (attributes.get("style") or "")
    policy = [a["content"] for tag, a in found if tag == "meta" and "http-equiv" in a]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    drawn = Image.open(io.BytesIO(to_png(page)))
    assert drawn.format == "PNG"
    assert drawn.width == 1120 * SCALE
    titles = [section.title for section in page.sections]
    assert titles[-1] == "What this does not say"
    assert ("Residual" in titles) == (name != "flat")
    assert ("Which block spoke" in titles) == (name not in ("flat", "grey"))


def test_names_are_shown_and_never_obeyed(bench: Bench) -> None:
    explanation = explained(bench, made_png("checks", 7))
    (first, *others) = explanation.verdict.candidates
    verdict = explanation.verdict.model_copy(
        update={
            "subject": NASTY,
            "model": NASTY,
            "candidates": (first.model_copy(update={"name": NASTY, "family": NASTY}), *others),
        }
    )
    page = page_of(replace(explanation, verdict=verdict))
    html = to_html(page)
    assert "script" not in {tag for tag, _ in elements(html)}
    assert html.count("&lt;script&gt;alert(&#x27;x&#x27;)") >= 4
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "中" in html
    assert to_png(page)[:4] == b"\x89PNG"


def test_the_page_holds_no_more_of_the_picture_than_a_few_mean_colours(bench: Bench) -> None:
    data = real_png(8, 256)
    html = to_html(page_of(explained(bench, data)))
    picture_section = html.split("<h2>The picture, blurred</h2>")[1].split("</section>")[0]
    (address,) = re.findall(r'href="data:image/png;base64,([^"]+)"', picture_section)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(address))), np.float64)
    own = np.asarray(Image.open(io.BytesIO(data)).resize(shown.shape[1::-1]), np.float64)
    # No detail is left: within a field the shown picture hardly changes from pixel to pixel.
    assert np.abs(np.diff(shown, axis=1)).mean() < 0.2 * np.abs(np.diff(own, axis=1)).mean()
    sizes = [
        Image.open(io.BytesIO(base64.b64decode(one))).size
        for one in re.findall(r'href="data:image/png;base64,([^"]+)"', html)
    ]
    assert [size for size in sizes if size[0] > 32] == [shown.shape[1::-1], (69, 69)]


def test_the_verdicts_numbers_stand_on_the_page(bench: Bench) -> None:
    explanation = explained(bench, made_png("checks", 7))
    html = to_html(page_of(explanation))
    verdict = explanation.verdict
    assert "Attributed to checks" in html
    for digest in (verdict.bundle_digest, verdict.policy_digest, verdict.image.sha256):
        assert digest in html
    assert f"{verdict.candidates[0].similarity:.2f}" in html
    assert "4 of 4 parts are on the side of the whole" in html


def test_a_score_that_does_not_count_is_told_by_the_reach_and_not_by_what_is_typical(
    bench: Bench,
) -> None:
    """A generator's reach goes beyond what is typical of it."""
    html = to_html(page_of(explained(bench, real_png(8))))
    assert "this picture is beyond the reach of every generator: no score" in html
    assert "within reach of one: " in html
    assert "typical of no" not in html


def test_a_drawing_in_pixels_has_its_shapes_where_they_belong() -> None:
    drawing = Drawing(40, 20, "a test")
    drawing.add(Area(0, 0, 10, 10, "#ff0000"), Line(20, 0, 20, 20, "#0000ff", 2))
    drawing.add(Dot(32, 10, 4, "#00ff00"), Text(1, 18, "x\u00a0中", 6, "#000000"))
    pixels = to_pixels(drawing)
    assert pixels.shape == (20 * SCALE, 40 * SCALE, 3)
    assert pixels[5 * SCALE, 5 * SCALE].tolist() == [255, 0, 0]
    assert pixels[5 * SCALE, 20 * SCALE].tolist() == [0, 0, 255]
    assert pixels[10 * SCALE, 32 * SCALE].tolist() == [0, 255, 0]
    assert pixels[10 * SCALE, 25 * SCALE].tolist() == [255, 255, 255]
    assert (pixels[12 * SCALE :, : 10 * SCALE] < 128).any()
