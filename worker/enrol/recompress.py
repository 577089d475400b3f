"""Re-encoding pictures under the enrolment conditions of fingerprint_db.conditions.

`latentprint register` uses it on sample images, and training on calibration photos, so that what
is calibrated is what serves.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fingerprint_db.conditions import JPEG_QUALITIES, WEBP_QUALITY, Condition
from worker.decoder.image_header import pixel_bytes, read_header
from worker.decoder.pixels import rgb, survey
from worker.errors import RejectError

Picture = NDArray[np.uint8]  # (3, H, W) RGB


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

    Raises RejectError, whatever Pillow thought of the file.
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


def under_condition(received: bytes, picture: Picture, condition: Condition) -> bytes:
    """The sample's file under `condition`.

    `received` is the sample's own file, which stands unchanged for the condition as_received;
    `picture` is the same image decoded. Halving uses Pillow's antialiased bicubic kernel; JPEG is
    written with 4:2:0 chroma, as cameras and platforms mostly do.
    """
    if condition.scale == "full" and condition.codec == "as_received":
        return received
    image = to_pil(picture)
    if condition.scale == "half":
        size = (max(1, round(image.width / 2)), max(1, round(image.height / 2)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    if condition.codec == "as_received":
        image.save(out, "PNG", compress_level=1)
    elif condition.codec == "webp80":
        image.save(out, "WEBP", quality=WEBP_QUALITY)
    else:
        image.save(out, "JPEG", quality=JPEG_QUALITIES[condition.codec], subsampling=2)
    return out.getvalue()
