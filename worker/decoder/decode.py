"""From the bytes of an image file to its native-resolution crops.

Pure and in-process: training calls `decode` directly, the worker calls it inside a sandboxed child
(worker/decoder/child.py), and both get the same crops from the same bytes.

Choices that may surprise:

- The orientation in EXIF is not applied. Turning the picture would move the 8x8 JPEG grid and the
  generator's own lattice against the crop grid, and fingerprints are enrolled unturned as well.
- Nothing is ever rescaled: a scaled decode changes the very pixels that carry the fingerprint.
- What nobody sees decides nothing: crops are cut from fully opaque pixels alone. Blending with a
  ground would make pixels that neither a camera nor a generator wrote. Palettes are looked up, CMYK
  (Adobe's inverted kind too) goes through Pillow's fixed formula without ICC profiles, and 16-bit
  samples keep their high byte.
- Of an animation the first frame alone is decoded; of an animated PNG, its default image.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from worker.decoder.completeness import check_after, check_before
from worker.decoder.crops import carries_evidence, choose_origins
from worker.decoder.image_header import ImageFormat, ImageHeader, pixel_bytes, read_header
from worker.decoder.pixels import Survey, rgb, survey
from worker.errors import RejectError

_WHOLE_PIXELS: Final = 1 << 18  # up to here one conversion of the whole beats one for each crop


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What an image may cost, and how its crops are taken.

    `memory_bytes` bounds what decoding one image may allocate beyond the idle child. A 12-megapixel
    JPEG needs about 48 MB, one of 50 megapixels 200 MB (500 MB at worst, progressive without
    chroma subsampling), 100 megapixels 400 MB; WebP needs 16 to 20 bytes a pixel, so 1 GiB ends
    there at 53 megapixels. `cpu_s` is processor time for one image.
    """

    crop_size: int = 32
    max_crops: int = 16
    max_image_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 100_000_000
    max_side: int = 65_535  # the longest that a JPEG may have
    memory_bytes: int = 1024 * 1024 * 1024
    cpu_s: float = 5.0

    def __post_init__(self) -> None:
        if self.crop_size < 8 or self.crop_size % 8:
            raise ValueError(f"crop_size is {self.crop_size}, expected a positive multiple of 8")
        for name in ("max_crops", "max_image_bytes", "max_pixels", "max_side", "memory_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        if not 0 < self.cpu_s < float("inf"):
            raise ValueError(f"cpu_s is {self.cpu_s}, expected a positive number of seconds")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of the file besides its crops.

    `sha256` is the file's, `pixels_sha256` the decoded picture's: the same in every lossless file
    of the same pixels, whatever its metadata (worker/decoder/pixels.py). `jpeg_quality` is 1..100,
    estimated from the luminance quantisation table (None unless JPEG). `lossy` is true of JPEG and
    of WebP's VP8. `greyscale`: R = G = B in every chosen crop, or in the whole picture where no
    crop is chosen.
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


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """The crops of one image.

    `crops` is uint8 (C, 3, S, S), RGB; `origins` int32 (C, 2), the (y, x) of each, multiples of 8.
    `problem` says why no verdict can be had, else None: "too_small" (a side below 3S/4; C is 0),
    "flat_or_saturated" (no candidate carries evidence; C is 0), "transparent" (not wholly opaque,
    and the opaque part gives fewer than `max_crops` crops side by side; C is 0) or "greyscale" (the
    chroma half of the evidence is absent; the crops are there all the same).
    """

    facts: ImageFacts
    crops: NDArray[np.uint8]
    origins: NDArray[np.int32]
    problem: str | None


def decode(data: bytes, limits: DecodeLimits) -> DecodedImage:
    """Check, decode and crop one JPEG, PNG or WebP file.

    Sides from 3S/4 up to S are reflect-padded to S at the bottom and the right, so the grid's phase
    stays. Raises RejectError: too_large, decode.unsupported, decode.truncated, decode.corrupt,
    decode.dimensions. MemoryError passes through: it speaks of the machine, not of the file.
    """
    header = check_header(data, limits)
    # Crops are cut within the guard too: Pillow checks a palette only when it is looked up.
    with _refusing_what_pillow_cannot(header):
        image = _load(data, header)
        key = image.info.pop("transparency", None)  # no conversion is to make anything of it
        seen = survey(image, key, header.sample_bits)
        crops, origins = _take_crops(image, seen, limits)
    facts = ImageFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        byte_size=len(data),
        format=header.format,
        width=header.width,
        height=header.height,
        jpeg_quality=header.jpeg_quality,
        lossy=header.lossy,
        greyscale=seen.grey or (len(crops) > 0 and _is_grey(crops)),
        pixels_sha256=seen.digest.hex(),
    )
    problem: str | None = None
    if 4 * min(header.width, header.height) < 3 * limits.crop_size:
        problem = "too_small"
    elif seen.opaque_blocks is not None and len(crops) < limits.max_crops:
        crops, origins = crops[:0], origins[:0]
        problem = "transparent"
    elif not len(crops):
        problem = "flat_or_saturated"
    elif facts.greyscale:
        problem = "greyscale"
    return DecodedImage(facts, crops, origins, problem)


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


def _load(data: bytes, header: ImageHeader) -> Image.Image:
    """Return Pillow's image of the first frame, decoded whole."""
    lean = pixel_bytes(data, header)
    check_before(lean, header)
    image = Image.open(BytesIO(lean), formats=(header.format.upper(),))
    if image.size != (header.width, header.height):
        raise RejectError(
            "decode.corrupt",
            f"the header says {header.width} x {header.height} pixels, "
            f"the decoder {image.size[0]} x {image.size[1]}",
            stage="decode",
        )
    image.load()
    check_after(lean, header, image)
    return image


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


def _take_crops(
    image: Image.Image, seen: Survey, limits: DecodeLimits
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return the crops (C, 3, S, S) and their origins (C, 2)."""
    size = limits.crop_size
    taken: dict[tuple[int, int], NDArray[np.uint8]] = {}
    whole = rgb(image) if image.width * image.height <= _WHOLE_PIXELS else None

    def usable(y: int, x: int) -> bool:
        if whole is None:
            bottom, right = min(y + size, image.height), min(x + size, image.width)
            crop = _padded(rgb(image.crop((x, y, right, bottom))), size)
        else:
            crop = _padded(whole[y : y + size, x : x + size], size)
        if not carries_evidence(crop):
            return False
        taken[y, x] = crop
        return True

    origins: list[tuple[int, int]] = []
    if 4 * min(image.size) >= 3 * size:
        origins = choose_origins(
            seen.digest,
            image.height,
            image.width,
            crop_size=size,
            max_crops=limits.max_crops,
            usable=usable,
            opaque_blocks=seen.opaque_blocks,
        )
    crops = np.empty((len(origins), 3, size, size), dtype=np.uint8)
    for index, origin in enumerate(origins):
        crops[index] = taken[origin].transpose(2, 0, 1)  # (3, S, S)
    return crops, np.asarray(origins, dtype=np.int32).reshape(len(origins), 2)


def _padded(crop: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return `crop` reflect-padded at the bottom and the right to uint8 (size, size, 3)."""
    height, width = crop.shape[:2]
    if (height, width) == (size, size):
        return crop
    return np.pad(crop, ((0, size - height), (0, size - width), (0, 0)), mode="reflect")


def _is_grey(crops: NDArray[np.uint8]) -> bool:
    """Say whether R = G = B everywhere in crops (C, 3, S, S)."""
    return bool((crops[:, 0] == crops[:, 1]).all() and (crops[:, 1] == crops[:, 2]).all())
