"""Views: one picture as it may arrive, after the same random chain for every class.

Codec and size must say nothing about the class, so real photos, zoo images and simulated
generators all pass through `shared_chain` and `random_encoding`, and real photos are also shown at
reduced sizes and as small tiles. The result is a file; it is read back by the worker's own decoder.
"""

import numpy as np
from PIL import ImageFilter

from fingerprint_db.conditions import JPEG_QUALITIES
from training.histories.encodings import Encoding
from training.histories.pictures import KERNELS, resize, tile
from worker.decoder.decode import DecodedImage, DecodeLimits, decode
from worker.enrol.recompress import Picture, from_pil, to_pil
from worker.errors import RejectError

# Views that show a picture whole, as far as this many pixels: crops then lie far apart.
_SHARE_WHOLE = 0.2
_WHOLE_SIDE = 1000


def real_view(picture: Picture, rng: np.random.Generator) -> Picture:
    """A real picture as platforms show it: native or reduced, whole or a tile, maybe sharpened."""
    if rng.random() < 0.75:
        smallest = 64 / min(picture.shape[1:])
        scale = (
            float(np.exp(rng.uniform(np.log(max(smallest, 0.03)), 0.0))) if smallest < 1 else 1.0
        )
        if scale < 0.999:
            picture = resize(picture, scale, KERNELS[rng.integers(len(KERNELS))])
    side = int(np.exp(rng.uniform(np.log(48), np.log(400))))
    if rng.random() < _SHARE_WHOLE:
        side = _WHOLE_SIDE
    picture = tile(picture, side, int(side * rng.uniform(0.8, 1.25)), rng)
    if rng.random() < 0.2:
        radius = float(rng.uniform(0.4, 1.5))
        sharpen = ImageFilter.UnsharpMask(radius, int(rng.integers(30, 160)), 0)
        picture = from_pil(to_pil(picture).filter(sharpen))
    if rng.random() < 0.05:
        picture = from_pil(to_pil(picture).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2))))
    return picture


def shared_chain(picture: Picture, rng: np.random.Generator) -> Picture:
    """What may happen to any picture, real or made: a crop, a reduction."""
    if rng.random() < 0.3:
        share = rng.uniform(0.75, 1.0)
        height, width = (max(24, round(side * share)) for side in picture.shape[1:])
        picture = tile(picture, height, width, rng)
    draw = rng.random()
    if draw < 0.25:
        picture = resize(picture, 0.5, KERNELS[rng.integers(len(KERNELS))])
    elif draw < 0.35:
        picture = resize(picture, rng.uniform(0.5, 1.0), KERNELS[rng.integers(len(KERNELS))])
    return picture


def random_encoding(rng: np.random.Generator) -> Encoding:
    """PNG, JPEG or WebP with a random quality; the same draw for every class."""
    draw = rng.random()
    if draw < 0.3:
        return Encoding("png", 0, 0)
    if draw < 0.9:
        standard = rng.random() < 0.6
        choices = list(JPEG_QUALITIES.values())
        quality = int(rng.choice(choices)) if standard else int(rng.integers(45, 99))
        return Encoding("jpeg", quality, 2 if rng.random() < 0.7 else 0)
    return Encoding("webp", int(rng.integers(60, 95)), 0)


def read_back(data: bytes, limits: DecodeLimits) -> DecodedImage | None:
    """The view as the worker would see it, or None where it gives no verdict on such a file."""
    try:
        decoded = decode(data, limits)
    except RejectError:
        return None
    return decoded if decoded.problem is None else None
