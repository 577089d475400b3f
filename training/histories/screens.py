"""Chat cards, plain grounds, screenshots: a photograph with drawn things around it."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.histories.pictures import KERNELS, resize_to
from worker.enrol.recompress import Picture, from_pil, to_pil

Make = Callable[[Picture, np.random.Generator], Picture]
Colour = tuple[int, int, int]

_WORDS = (
    *("see you at eight", "on the way", "thank you", "what a day", "good morning", "look at this"),
    *("where are you", "we are home", "tomorrow then", "the train is late", "happy birthday"),
)
WHITE: Colour = (255, 255, 255)
_DARK: Colour = (18, 18, 20)
SMOOTH = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)  # as screens show pictures


def plain_ground(side: int | None = None, ground: int | None = None) -> Make:
    """A picture of `side` pixels in the middle of a white ground of `ground` pixels.

    Where none are given: 64 to 320 pixels, upright or not, anywhere on a ground 1.5 to 6 times as
    large, white twice in three and else of another plain colour.
    """

    def make(picture: Picture, rng: np.random.Generator) -> Picture:
        if side is not None and ground is not None:
            inset = _square(picture, side, rng)
            return _on(WHITE, (ground, ground), inset, (ground - side) // 2, (ground - side) // 2)
        shown = int(rng.integers(64, 321))
        inset = _fitting(picture, shown, rng)
        _, height, width = inset.shape
        full_height, full_width = (int(s * rng.uniform(1.5, 6.0)) for s in (height, width))
        full_height, full_width = min(full_height, 1600), min(full_width, 1600)
        colour = WHITE if rng.random() < 2 / 3 else _any_colour(rng)
        top = int(rng.integers(full_height - height + 1))
        left = int(rng.integers(full_width - width + 1))
        return _on(colour, (full_height, full_width), inset, top, left)

    return make


def chat_card(picture: Picture, rng: np.random.Generator) -> Picture:
    """An avatar of 64 pixels and one to three lines of text on white."""
    lines = [str(rng.choice(_WORDS)) for _ in range(int(rng.integers(1, 4)))]
    size = int(rng.integers(16, 23))
    width, height = int(rng.integers(320, 641)), max(88, 24 + len(lines) * (size + 8))
    card = Image.new("RGB", (width, height), WHITE)
    card.paste(to_pil(_square(picture, 64, rng)), (12, 12))
    pen, font = ImageDraw.Draw(card), ImageFont.load_default(size)
    for number, line in enumerate(lines):
        pen.text((92, 14 + number * (size + 8)), line, (20, 20, 20), font)
    return from_pil(card)


def phone_screenshot(picture: Picture, rng: np.random.Generator) -> Picture:
    """A portrait screen of 360 to 1080 pixels: bars, a line of text, the picture across it."""
    width = int(rng.choice((360, 540, 720, 1080)))
    height = round(width * rng.uniform(1.78, 2.22))
    dark = rng.random() < 0.5
    ground, ink = (_DARK, (230, 230, 230)) if dark else (WHITE, (30, 30, 30))
    screen = Image.new("RGB", (width, height), ground)
    pen, unit = ImageDraw.Draw(screen), width / 360
    small, usual = ImageFont.load_default(11 * unit), ImageFont.load_default(15 * unit)
    pen.text((12 * unit, 6 * unit), f"{rng.integers(24):02d}:{rng.integers(60):02d}", ink, small)
    for bar in range(4):
        x, up = (318 + 7 * bar) * unit, (4 + 2 * bar) * unit
        pen.rectangle((x, 20 * unit - up, x + 4 * unit, 20 * unit), ink)
    pen.line((0, 68 * unit, width, 68 * unit), (128, 128, 128))
    pen.text((48 * unit, 34 * unit), str(rng.choice(_WORDS)), ink, usual)
    _, of_height, of_width = picture.shape
    room = height - round(190 * unit)
    shown = min(room, round(width * of_height / of_width))
    kernel = SMOOTH[int(rng.integers(2))]
    inset = resize_to(picture, round(width * of_height / of_width), width, kernel)
    top = round(76 * unit) + (room - shown) // 3
    screen.paste(to_pil(inset[:, :shown]), (0, top))
    below = top + shown + round(10 * unit)
    pen.text((12 * unit, below), str(rng.choice(_WORDS)), ink, usual)
    pen.text((12 * unit, below + 24 * unit), str(rng.choice(_WORDS)), (128, 128, 128), small)
    for button in range(3):
        x, y = (90 + 90 * button) * unit, height - 22 * unit
        pen.ellipse((x - 8 * unit, y - 8 * unit, x + 8 * unit, y + 8 * unit), outline=ink)
    return from_pil(screen)


def page_screenshot(picture: Picture, rng: np.random.Generator) -> Picture:
    """A part of a page in a browser: a heading, the picture at a screen's size, lines of text."""
    shown = int(rng.integers(240, 641))
    _, of_height, of_width = picture.shape
    kernel = KERNELS[int(rng.integers(len(KERNELS)))]
    inset = resize_to(picture, round(shown * of_height / of_width), shown, kernel)
    size = int(rng.integers(13, 18))
    lines = int(rng.integers(3, 10))
    height = 60 + inset.shape[1] + (lines + 1) * round(1.5 * size)
    page = Image.new("RGB", (shown + 60, height), (250, 250, 250))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    pen.text((30, 14), str(rng.choice(_WORDS)), (0, 0, 0), ImageFont.load_default(24))
    page.paste(to_pil(inset), (30, 52))
    for line in range(lines):
        words = ", ".join(str(word) for word in rng.choice(_WORDS, 6))
        fitting = words[: max(8, int(shown / (0.55 * size)))]
        y = 62 + inset.shape[1] + line * round(1.5 * size)
        pen.text((30, y), fitting, (60, 60, 60), font)
    return from_pil(page)


def _on(colour: Colour, sides: tuple[int, int], inset: Picture, top: int, left: int) -> Picture:
    canvas = np.empty((3, *sides), np.uint8)
    canvas[:] = np.array(colour, np.uint8)[:, None, None]
    _, height, width = inset.shape
    canvas[:, top : top + height, left : left + width] = inset
    return canvas


def _any_colour(rng: np.random.Generator) -> Colour:
    red, green, blue = (int(level) for level in rng.integers(0, 256, 3))
    return red, green, blue


def _square(picture: Picture, side: int, rng: np.random.Generator) -> Picture:
    """The middle square of a picture, at `side` pixels, by a drawn kernel."""
    _, height, width = picture.shape
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    middle = picture[:, top : top + least, left : left + least]
    return resize_to(middle, side, side, KERNELS[int(rng.integers(len(KERNELS)))])


def _fitting(picture: Picture, longest: int, rng: np.random.Generator) -> Picture:
    """The whole picture with a longer side of at most `longest` pixels, by a drawn kernel."""
    _, height, width = picture.shape
    scale = min(1.0, longest / max(height, width))
    kernel = KERNELS[int(rng.integers(len(KERNELS)))]
    return resize_to(picture, round(height * scale), round(width * scale), kernel)
