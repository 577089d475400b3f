"""Re-encoding pictures under the enrolment conditions of fingerprint_db.conditions.

`latentprint register` uses it on sample images, and training on the corpus, so that what is
calibrated is what serves.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fingerprint_db.conditions import (
    SHIFTED_BY,
    SHIFTED_QUALITY,
    TWICE_QUALITY,
    WEBP_QUALITY,
    Condition,
)
from worker.decoder.image_header import pixel_bytes, read_header
from worker.decoder.pixels import rgb, survey
from worker.errors import RejectError

Picture = NDArray[np.uint8]  # (3, H, W) RGB

_FULL_CHROMA, _HALF_CHROMA = 0, 2  # Pillow's numbers for 4:4:4 and 4:2:0


def to_pil(picture: Picture) -> Image.Image:
    """(3, H, W) uint8 to a Pillow image."""
    return Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))


def from_pil(image: Image.Image) -> Picture:
    """A Pillow image to (3, H, W) uint8."""
    return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))


@dataclass(frozen=True, slots=True, eq=False)
class OpenedSample:
    """A sample decoded whole: (3, H, W) RGB, Pillow's mode of the file, and whether all is seen."""

    picture: Picture
    stored_as: str
    opaque: bool


def open_sample(received: bytes) -> OpenedSample:
    """A sample's whole picture, from the same bytes of the file that the decoder reads.

    In this process, so for files of our own: `worker.enrol.whole` is for those of others. Raises
    RejectError, whatever Pillow thought of the file.
    """
    header = read_header(received)
    try:
        data = io.BytesIO(pixel_bytes(received, header))
        with Image.open(data, formats=(header.format.upper(),)) as image:
            image.load()
            key = image.info.pop("transparency", None)
            seen = survey(image, key, header.sample_bits)
            picture = np.ascontiguousarray(rgb(image).transpose(2, 0, 1))  # (3, H, W)
            return OpenedSample(picture, image.mode, seen.opaque_blocks is None)
    except Exception as error:  # on a broken file Pillow raises nearly any type
        raise RejectError(
            "decode.corrupt",
            f"Pillow cannot decode the {header.format} file: {type(error).__name__}: {error}"[:300],
            stage="decode",
        ) from error


def under_condition(
    received: bytes | None, picture: Picture, condition: Condition, quality: int | None = None
) -> bytes:
    """The picture's file under `condition`.

    `received` is its own file, which stands unchanged for the condition lossless; where there is
    none, a PNG is written. `picture` is the same image decoded. Halving uses Pillow's antialiased
    bicubic kernel; JPEG is written with 4:2:0 chroma, as cameras and platforms mostly do, and of
    the codec's own quality unless another `quality` is given.
    """
    if condition.name == "lossless" and received is not None:
        return received
    image = to_pil(picture)
    chroma = _HALF_CHROMA
    match condition.treatment:
        case "half":
            size = (max(1, round(image.width / 2)), max(1, round(image.height / 2)))
            image = image.resize(size, Image.Resampling.BICUBIC)
        case "full_chroma":
            chroma = _FULL_CHROMA
        case "twice":
            image = _read(_jpeg(image, TWICE_QUALITY))
        case "shifted":
            image = _read(_jpeg(image, SHIFTED_QUALITY))
            cut = min(SHIFTED_BY, image.width - 1, image.height - 1)
            image = image.crop((cut, cut, image.width, image.height))
    if condition.file_codec == "lossless":
        return _saved(image, "PNG", compress_level=1)
    if condition.file_codec == "webp80":
        return _saved(image, "WEBP", quality=WEBP_QUALITY)
    return _jpeg(image, quality or int(condition.file_codec.removeprefix("jpeg")), chroma)


def _jpeg(image: Image.Image, quality: int, chroma: int = _HALF_CHROMA) -> bytes:
    return _saved(image, "JPEG", quality=quality, subsampling=chroma)


def _saved(image: Image.Image, kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _read(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image
