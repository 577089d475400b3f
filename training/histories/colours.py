"""Palettes, few bits a channel, contrast, CMYK: pictures whose colours were counted or bent."""

import io
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.histories.pictures import luminance, rounded
from worker.enrol.recompress import Picture, from_pil, to_pil

Make = Callable[[Picture, np.random.Generator], Picture]

# The threshold matrix of order 8 (Bayer 1973), -.5 to .5, as displays dither.
_ORDER_2 = np.array([[0, 2], [3, 1]])
_ORDER_4 = np.block([[4 * _ORDER_2, 4 * _ORDER_2 + 2], [4 * _ORDER_2 + 3, 4 * _ORDER_2 + 1]])
_ORDER_8 = np.block([[4 * _ORDER_4, 4 * _ORDER_4 + 2], [4 * _ORDER_4 + 3, 4 * _ORDER_4 + 1]])
_THRESHOLDS: NDArray[np.float32] = ((_ORDER_8 + 0.5) / 64 - 0.5).astype(np.float32)


def web_palette(*, dithered: bool) -> Make:
    """The 216 web colours, with the error passed on (Floyd and Steinberg) or not."""
    dither = Image.Dither.FLOYDSTEINBERG if dithered else Image.Dither.NONE

    def make(picture: Picture, rng: np.random.Generator) -> Picture:
        palette = Image.Palette.WEB
        return from_pil(to_pil(picture).convert("P", palette=palette, dither=dither))

    return make


def palette(
    method: Literal["octree", "median_cut"], colours: int | None = None, *, dithered: bool = False
) -> Make:
    """A palette of the picture's own, of `colours` or of 16 to 256, as GIF and small PNG have."""
    by = Image.Quantize.FASTOCTREE if method == "octree" else Image.Quantize.MEDIANCUT

    def make(picture: Picture, rng: np.random.Generator) -> Picture:
        count = int(rng.choice((16, 32, 64, 128, 256, 256))) if colours is None else colours
        image = to_pil(picture)
        found = image.quantize(count, by)
        if dithered:
            found = image.quantize(palette=found, dither=Image.Dither.FLOYDSTEINBERG)
        return from_pil(found)

    return make


def few_bits(red: int, green: int, blue: int, *, dithered: bool = False) -> Make:
    """So many bits for red, green and blue; 5-6-5 is the 16-bit colour of small displays."""

    def make(picture: Picture, rng: np.random.Generator) -> Picture:
        return _with_bits(picture, (red, green, blue), dithered=dithered)

    return make


def posterised(picture: Picture, rng: np.random.Generator) -> Picture:
    """Two to six bits a channel, one picture in three dithered."""
    bits = int(rng.integers(2, 7))
    return _with_bits(picture, (bits, bits, bits), dithered=rng.random() < 1 / 3)


def _with_bits(picture: Picture, bits: tuple[int, int, int], *, dithered: bool) -> Picture:
    tops = (2.0 ** np.array(bits, np.float32) - 1)[:, None, None]
    levels = picture.astype(np.float32) * tops / 255
    if dithered:
        _, height, width = picture.shape
        levels += np.tile(_THRESHOLDS, (height // 8 + 1, width // 8 + 1))[:height, :width]
    return rounded(np.clip(np.rint(levels), 0, tops) * 255 / tops)


def stretched(picture: Picture, rng: np.random.Generator) -> Picture:
    """Contrast stretched to the whole scale, after up to 2 % at each end were clipped.

    Each colour by itself in every second picture; where a picture fills the scale, it is first
    given less contrast, as through haze. The table leaves gaps in the histogram.
    """
    values = picture.astype(np.float32)
    share = rng.uniform(0.0, 2.0)
    axes = (1, 2) if rng.random() < 0.5 else (0, 1, 2)
    low, high = np.percentile(values, (share, 100 - share), axis=axes, keepdims=True)
    if float(np.mean(high - low)) > 240:
        hazy = rounded(60 + values * rng.uniform(0.45, 0.7)).astype(np.float32)
        values = hazy
        low, high = np.percentile(values, (share, 100 - share), axis=axes, keepdims=True)
    return rounded((values - low) * 255 / np.maximum(high - low, 1))


def gamma(picture: Picture, rng: np.random.Generator) -> Picture:
    """Brightness bent by an exponent of .5 to 2, but at least a tenth away from 1."""
    exponent = float(np.exp(rng.uniform(np.log(1.1), np.log(2.0)) * rng.choice((-1, 1))))
    table = rounded(255 * (np.arange(256, dtype=np.float32) / 255) ** exponent)
    return table[picture]


def toned(picture: Picture, rng: np.random.Generator) -> Picture:
    """A bent curve of each colour and more or less saturation, as filters of apps do."""
    grey = luminance(picture)
    values = grey + (picture.astype(np.float32) - grey) * rng.uniform(0.5, 1.6)
    light = np.clip(values, 0, 255) / 255
    bend = rng.uniform(-0.4, 0.4, (3, 1, 1)).astype(np.float32)
    lift = rng.uniform(0.0, 0.1, (3, 1, 1)).astype(np.float32)
    curved = light + bend * light * (1 - light) * (2 * light - 1) * 2
    return rounded(255 * (lift + (1 - lift) * curved))


def cmyk(picture: Picture, rng: np.random.Generator) -> Picture:
    """To eight bits of cyan, magenta, yellow and black for a printer, and back.

    A drawn share of what the three inks have in common becomes black. Every second picture was a
    CMYK JPEG of quality 75 to 97 on the way; the inks of the others are whole percents, as layout
    programs hold them.
    """
    ink = 255 - picture.astype(np.float32)
    share = rng.uniform(0.3, 1.0)
    black = rounded(share * ink.min(0)).astype(np.float32)
    rest = rounded((ink - black) * 255 / np.maximum(255 - black, 1))  # (3, H, W)
    inks = np.concatenate([rest, black[None].astype(np.uint8)])  # (4, H, W)
    if rng.random() < 0.5:
        out = io.BytesIO()
        image = Image.fromarray(np.ascontiguousarray(inks.transpose(1, 2, 0)), "CMYK")
        image.save(out, "JPEG", quality=int(rng.integers(75, 98)))
        with Image.open(out) as again:
            inks = np.asarray(again).transpose(2, 0, 1)  # (4, H, W)
    else:
        inks = rounded(np.rint(inks / np.float32(2.55)) * np.float32(2.55))
    colours, left = inks[:3].astype(np.float32), 255 - inks[3].astype(np.float32)
    return rounded((255 - colours) * left / 255)
