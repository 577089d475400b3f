"""A picture written to a file, and what a reader finds in it."""

import io
from dataclasses import dataclass

from PIL import Image

from worker.enrol.recompress import Picture, from_pil, to_pil


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a view is written: `codec` png, jpeg or webp; quality and chroma subsampling."""

    codec: str
    quality: int
    subsampling: int


PNG = Encoding("png", 0, 0)
FULL_CHROMA, HALF_CHROMA = 0, 2  # Pillow's numbers for 4:4:4 and 4:2:0


def write(picture: Picture, encoding: Encoding) -> bytes:
    """The file of `picture` under `encoding`."""
    out = io.BytesIO()
    image = to_pil(picture)
    if encoding.codec == "jpeg":
        image.save(out, "JPEG", quality=encoding.quality, subsampling=encoding.subsampling)
    elif encoding.codec == "webp":
        image.save(out, "WEBP", quality=encoding.quality)
    else:
        image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def read(data: bytes) -> Picture:
    """The pixels of a file, as any viewer shows them; data that is missing is filled by Pillow."""
    with Image.open(io.BytesIO(data)) as image:
        return from_pil(image)


def jpeg(picture: Picture, quality: int, subsampling: int = HALF_CHROMA) -> Picture:
    """What is left of `picture` after a JPEG file."""
    return read(write(picture, Encoding("jpeg", quality, subsampling)))
