"""From the bytes of an image file to its native-resolution crops or regions.

Pure and in-process: training calls `decode` directly, the worker calls it inside a sandboxed child
(worker/decoder/child.py), and both get the same pixels from the same bytes.

Choices that may surprise:

- The orientation in EXIF is not applied. Turning the picture would move the 8x8 JPEG grid and the
  generator's own lattice against the grid, and fingerprints are enrolled unturned as well.
- Nothing is ever rescaled: a scaled decode changes the very pixels that carry the fingerprint.
- What nobody sees decides nothing: crops and regions are cut from fully opaque pixels alone.
  Blending with a ground would make pixels that neither a camera nor a generator wrote. Palettes are
  looked up, CMYK (Adobe's inverted kind too) goes through Pillow's fixed formula without ICC
  profiles, and 16-bit samples keep their high byte.
- Of an animation the first frame alone is decoded; of an animated PNG, its default image.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from worker.decoder.completeness import COLOUR, check_after, check_before, read_colour
from worker.decoder.crops import CropReading
from worker.decoder.cut import cut, nothing, smallest_side
from worker.decoder.image_header import ImageFormat, ImageHeader, pixel_bytes, read_header
from worker.decoder.jpeg_quality import JpegCoding
from worker.decoder.pixels import Key, Picture, size_of, survey
from worker.decoder.regions import RegionReading
from worker.errors import RejectError


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What an image may cost, and what is read of it (`reading`, as the bundle wants it).

    `memory_bytes` bounds what decoding one image may allocate beyond the idle child. A 12-megapixel
    JPEG needs about 37 MB, one of 50 megapixels 155 MB (460 MB at worst, progressive without
    chroma subsampling), 100 megapixels 310 MB; WebP needs 16 to 20 bytes a pixel, so 1 GiB ends
    there at 53 megapixels. `cpu_s` is processor time for one image.
    """

    reading: CropReading | RegionReading = field(default_factory=CropReading)
    max_image_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 100_000_000
    max_side: int = 65_535  # the longest that a JPEG may have
    memory_bytes: int = 1024 * 1024 * 1024
    cpu_s: float = 5.0

    def __post_init__(self) -> None:
        for name in ("max_image_bytes", "max_pixels", "max_side", "memory_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        if not 0 < self.cpu_s < float("inf"):
            raise ValueError(f"cpu_s is {self.cpu_s}, expected a positive number of seconds")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of the file besides its pixels.

    `sha256` is the file's, `pixels_sha256` the decoded picture's: the same in every lossless file
    of the same pixels, whatever its metadata (worker/decoder/pixels.py). `jpeg_quality` is 1..100,
    estimated from the luminance quantisation table (None unless JPEG). `lossy` is true of JPEG and
    of WebP's VP8. `greyscale`: R = G = B in all that is read, or in the whole picture where nothing
    is. `jpeg` is how a JPEG was quantised, for those who compare tables; None for other formats.
    `stored_as` is Pillow's mode of the file (RGB, P, CMYK, RGBA …).
    """

    sha256: str
    byte_size: int
    format: ImageFormat
    width: int
    height: int
    jpeg_quality: int | None
    lossy: bool
    greyscale: bool
    pixels_sha256: str
    jpeg: JpegCoding | None = None
    stored_as: str = "RGB"

    @property
    def decoder(self) -> str:
        """The library that made pixels of the bytes, by the name of its distribution."""
        return "simplejpeg" if self.format == "jpeg" and self.stored_as == "RGB" else "pillow"


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """What is read of one image: its crops, or its first stage of regions; the other is empty.

    `crops` is uint8 (C, 3, S, S), RGB; `regions` are uint8 (3, H, W), contiguous, of unequal sizes
    of at least 32; `origins` int32 (C, 2), the (y, x) of each crop, multiples of 8, or of each
    region, multiples of 16. `plain_tiles` counts what was left out for regions with more in them.
    `problem` says why no verdict can be had, else None: "too_small" (a side below 3S/4, or 24
    pixels; C is 0), "flat_or_saturated" (nothing looked at carries evidence; C is 0), "transparent"
    (not wholly opaque, and the opaque part gives fewer than `max_crops` crops side by side, or
    16,384 pixels; C is 0) or "greyscale" (the chroma half of the evidence is absent; what is read
    is there all the same).
    """

    facts: ImageFacts
    crops: NDArray[np.uint8]
    origins: NDArray[np.int32]
    problem: str | None
    regions: tuple[NDArray[np.uint8], ...] = ()
    plain_tiles: int = 0


class Decoder(Protocol):
    """Image bytes -> crops, in a process that can do nothing else."""

    def decode(self, data: bytes, sender: str = "") -> DecodedImage:
        """Raises RejectError, or RetryError where the image is not to blame; from any thread.

        What one sender's image does to its decoder touches no other sender's.
        """


def decode(data: bytes, limits: DecodeLimits) -> DecodedImage:
    """Check and decode one JPEG, PNG or WebP file, and cut what `limits.reading` asks for.

    Sides from 3S/4 up to S (from 24 up to 32 for regions) are reflect-padded at the bottom and the
    right, so the grid's phase stays. Raises RejectError: too_large, decode.unsupported,
    decode.truncated, decode.corrupt, decode.dimensions. MemoryError passes through: it speaks of
    the machine, not of the file.
    """
    header = check_header(data, limits)
    # Pieces are cut within the guard too: Pillow checks a palette only when it is looked up.
    with _refusing_what_pillow_cannot(header):
        picture, stored_as, key = _load(data, header)
        seen = survey(picture, key, header.sample_bits)
        pieces = cut(picture, seen, limits.reading)
    facts = ImageFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        byte_size=len(data),
        format=header.format,
        width=header.width,
        height=header.height,
        jpeg_quality=header.jpeg_quality,
        lossy=header.lossy,
        greyscale=seen.grey or pieces.grey,
        pixels_sha256=seen.digest.hex(),
        jpeg=header.jpeg,
        stored_as=stored_as,
    )
    problem: str | None = None
    if 4 * min(header.width, header.height) < 3 * smallest_side(limits.reading):
        problem = "too_small"
    elif seen.opaque_blocks is not None and pieces.few:
        pieces = nothing(limits.reading, pieces.plain_tiles)
        problem = "transparent"
    elif not len(pieces.origins):
        problem = "flat_or_saturated"
    elif facts.greyscale:
        problem = "greyscale"
    return DecodedImage(
        facts, pieces.crops, pieces.origins, problem, pieces.regions, pieces.plain_tiles
    )


def check_header(data: bytes, limits: DecodeLimits) -> ImageHeader:
    """Return the header, or refuse the file by what its header says; no pixel is decoded."""
    check_size(data, limits)
    header = read_header(data)
    width, height = header.width, header.height
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise _dimensions(
            header,
            f"at most {limits.max_pixels} pixels (max_pixels) "
            f"and {limits.max_side} a side are decoded",
        )
    if header.decode_bytes > limits.memory_bytes:
        raise _dimensions(
            header,
            f"decoding takes about {header.decode_bytes} bytes, "
            f"at most {limits.memory_bytes} are allowed (memory_bytes)",
        )
    return header


def check_size(data: bytes, limits: DecodeLimits) -> None:
    """Refuse a file of too many bytes."""
    if len(data) > limits.max_image_bytes:
        raise RejectError(
            "too_large",
            f"the image has {len(data)} bytes, at most {limits.max_image_bytes} are accepted",
            stage="decode",
        )


def _dimensions(header: ImageHeader, expected: str) -> RejectError:
    return RejectError(
        "decode.dimensions",
        f"the {header.format} header says {header.width} x {header.height} pixels; {expected}",
        stage="decode",
    )


def _load(data: bytes, header: ImageHeader) -> tuple[Picture, str, Key]:
    """Return the first frame, decoded whole, Pillow's mode of it, and what its tRNS says."""
    lean = pixel_bytes(data, header)
    check_before(lean, header)
    if header.components == COLOUR:
        pixels = read_colour(lean)
        _check_sides(pixels, header)
        return pixels, "RGB", None
    image = Image.open(BytesIO(lean), formats=(header.format.upper(),))
    _check_sides(image, header)
    image.load()
    check_after(lean, header, image)
    key = image.info.pop("transparency", None)  # no conversion is to make anything of it
    return image, image.mode, key


def _check_sides(picture: Picture, header: ImageHeader) -> None:
    width, height = size_of(picture)
    if (width, height) != (header.width, header.height):
        raise RejectError(
            "decode.corrupt",
            f"the header says {header.width} x {header.height} pixels, "
            f"the decoder {width} x {height}",
            stage="decode",
        )


@contextmanager
def _refusing_what_pillow_cannot(header: ImageHeader) -> Iterator[None]:
    """Turn whatever Pillow raises on a hostile file into a RejectError."""
    try:
        yield
    except (RejectError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise _dimensions(header, "Pillow's own limit is lower; lower max_pixels") from error
    except Exception as error:
        # A decoder fed with hostile bytes raises nearly any type (OSError, SyntaxError, ValueError,
        # struct.error, AssertionError ...). All mean the same here: the file cannot be read.
        reason = "truncated" if "truncated" in str(error).lower() else "corrupt"
        raise RejectError(
            f"decode.{reason}",
            f"Pillow cannot decode the {header.format} file: {_words(error)}"[:300],
            stage="decode",
        ) from error


def _words(error: Exception) -> str:
    """Return the error's type and message, without the memory address that Pillow puts into it."""
    if isinstance(error, UnidentifiedImageError):
        return "its decoder does not take it for one beyond its first bytes"
    return f"{type(error).__name__}: {error}"
