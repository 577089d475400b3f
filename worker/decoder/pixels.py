"""The picture as it is judged: RGB, what of it is seen, and a digest of both.

Two files that show the same pixels are one picture here, whatever their container, their
compression, their comments or the colours that lie hidden under transparency. The digest stands
for the picture: the crops follow from it, and a picture that was seen before is known by it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GRID: Final = 8  # the JPEG block size, and a multiple of every common generator's lattice
_RULE: Final = b"latentprint pixels 1\n"
_STRIP_PIXELS: Final = 65_536  # a strip stays in the processor's cache: 12 Mpx in 14 ms, not 85
_GREY_STEP: Final = {1: 255, 2: 85, 4: 17, 8: 1}  # Pillow spreads few bits over 0..255
_OPAQUE: Final = 255


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What one pass over all pixels of a picture found.

    `digest` is 32 bytes, of width, height, the RGB of every opaque pixel, and where the others
    lie. `opaque_blocks` is bool (ceil(H / 8), ceil(W / 8)), True where all pixels of a block are
    opaque; None where all the picture is. `grey` says that no pixel that is seen has a colour.
    """

    digest: bytes
    opaque_blocks: NDArray[np.bool_] | None
    grey: bool


Picture = NDArray[np.uint8] | Image.Image
"""A picture decoded whole: RGB (H, W, 3), or Pillow's of any mode."""

Key = bytes | int | tuple[int, int, int] | None
"""What a PNG's tRNS makes transparent: alphas of palette entries, an entry, a level or a colour."""


def size_of(picture: Picture) -> tuple[int, int]:
    """Width and height in pixels."""
    if isinstance(picture, Image.Image):
        return picture.size
    return picture.shape[1], picture.shape[0]


def part_of(picture: Picture, top: int, left: int, bottom: int, right: int) -> Picture:
    """A rectangle of a picture, which must lie within it; of an array no copy is made."""
    if isinstance(picture, Image.Image):
        return picture.crop((left, top, right, bottom))
    return picture[top:bottom, left:right]


def survey(picture: Picture, key: Key, sample_bits: int) -> Survey:
    """Look at every pixel of a decoded picture once.

    `key` is Pillow's "transparency", `sample_bits` the PNG's depth, else 8. Takes a strip at a
    time, so that a large picture is never held twice. SHA-256, because a cheaper sum could be
    forged and two pictures be taken for one: 12 megapixels take about 40 ms.
    """
    width, height = size_of(picture)
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    digest, places = hashlib.sha256(_RULE + size), hashlib.sha256()
    blocks: list[NDArray[np.bool_]] = []
    grey = True
    for strip in _strips(picture):
        pixels, opaque = rgb(strip), _opaque(strip, key, sample_bits)
        if opaque is not None:
            if not opaque.all():
                pixels = pixels * opaque[:, :, None]  # whatever colour lies there is not seen
            places.update(np.packbits(opaque, axis=1).data)
            blocks.append(_whole_blocks(opaque))
        grey = grey and _is_grey(pixels)
        digest.update(np.ascontiguousarray(pixels).data)
    opaque_blocks = np.concatenate(blocks) if blocks else None
    if opaque_blocks is None or opaque_blocks.all():
        return Survey(digest.digest(), None, grey)
    digest.update(places.digest())
    return Survey(digest.digest(), opaque_blocks, grey)


def rgb(part: Picture) -> NDArray[np.uint8]:
    """Return a picture or a part of one as RGB, uint8 (H, W, 3); alpha is left away.

    Every conversion works pixel by pixel, so a crop converted equals a crop of the converted image;
    converting large images part by part spares a second whole image in memory.
    """
    if not isinstance(part, Image.Image):
        return part
    if part.mode.startswith("I"):
        high_byte = (np.asarray(part).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(high_byte[:, :, None], 3, axis=2)  # (H, W, 3)
    return np.asarray(part if part.mode == "RGB" else part.convert("RGB"), dtype=np.uint8)


def _strips(picture: Picture) -> Iterator[Picture]:
    """Yield the picture from top to bottom, in strips of whole blocks."""
    width, height = size_of(picture)
    rows = max(GRID, _STRIP_PIXELS // width // GRID * GRID)
    for top in range(0, height, rows):
        yield part_of(picture, top, 0, min(top + rows, height), width)


def _opaque(part: Picture, key: Key, sample_bits: int) -> NDArray[np.bool_] | None:
    """Return bool (H, W), True where a pixel is fully opaque; None if the file has no alpha."""
    if not isinstance(part, Image.Image):
        return None
    if part.mode in ("RGBA", "LA", "PA"):
        alpha: NDArray[np.bool_] = np.asarray(part.getchannel("A")) == _OPAQUE
        return alpha
    if key is None:
        return None
    samples = np.asarray(part)
    opaque: NDArray[np.bool_]
    if isinstance(key, tuple):
        # Pillow keeps the high byte of 16 bits, and so is the key compared.
        shown = np.asarray(key) >> 8 if sample_bits == 16 else np.asarray(key) & 0xFF
        opaque = (samples != shown).any(axis=2)
    elif part.mode == "P":
        alphas = np.full(256, _OPAQUE, dtype=np.uint8)
        if isinstance(key, bytes):
            alphas[: len(key)] = np.frombuffer(key[:256], dtype=np.uint8)
        else:
            alphas[key] = 0
        opaque = alphas[samples] == _OPAQUE
    else:
        level = int(key)
        if part.mode == "L":
            level = (level & (1 << sample_bits) - 1) * _GREY_STEP[sample_bits]
        elif part.mode == "1":
            level = int(level > 0)
        opaque = np.asarray(samples != level)
    return opaque


def _whole_blocks(opaque: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Reduce bool (H, W) to (ceil(H / 8), ceil(W / 8)): True where a whole block is."""
    height, width = opaque.shape
    padded = np.pad(opaque, ((0, -height % GRID), (0, -width % GRID)), constant_values=True)
    shape = (padded.shape[0] // GRID, GRID, padded.shape[1] // GRID, GRID)
    return np.asarray(padded.reshape(shape).all(axis=(1, 3)), dtype=np.bool_)


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Of (H, W, 3); the first row alone tells of most pictures that they are not."""
    return all(
        bool((part[:, :, 0] == part[:, :, 1]).all() and (part[:, :, 1] == part[:, :, 2]).all())
        for part in (pixels[:1], pixels)
    )
