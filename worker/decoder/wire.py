"""What the decoder's parent and its child say to each other over a pair of sockets.

Request: 8 bytes big-endian, the size of the file; the file. Reply: 4 bytes big-endian, the size of
a JSON object; the object; the pixels of the crops or of the regions, uint8; the place of each,
little-endian int32: (y, x) of a crop, (y, x, height, width) of a region. Never pickle. The parent
takes the child to be hostile: every field is checked, sizes are implied by numbers that are checked
against the limits before anything is allocated for them, and what the parent can know itself
(sha256, size) is not asked.
"""

import hashlib
import json
import re
from dataclasses import asdict, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodedImage, DecodeLimits, ImageFacts
from worker.decoder.jpeg_quality import MOST_QUANTISATION, SAMPLINGS, JpegCoding
from worker.decoder.pixels import GRID
from worker.decoder.regions import REGION_GRID, SMALLEST, RegionReading
from worker.errors import RejectError

REQUEST_PREFIX_BYTES: Final = 8
REPLY_PREFIX_BYTES: Final = 4
MAX_HEADER_BYTES: Final = 4096
_CODES: Final = frozenset(
    {"decode.unsupported", "decode.truncated", "decode.corrupt", "decode.dimensions", "too_large"}
)
_NOTHING_READ: Final = ("too_small", "flat_or_saturated", "transparent")
_MAX_MESSAGE: Final = 300
_MODES: Final = (
    *("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "I"),
    *("I;16", "I;16B", "I;16L", "La", "RGBa", "LAB", "HSV", "F"),
)
_INT32: Final = 4  # bytes
_TABLE: Final = 64  # numbers of a quantisation table
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class WireError(Exception):
    """The child said something that it would never say; it must not be used again."""


def request_prefix(data: bytes) -> bytes:
    """Return what goes before the file's bytes."""
    return len(data).to_bytes(REQUEST_PREFIX_BYTES, "big")


def frame(header: dict[str, Any]) -> bytes:
    """Return what goes before a body: the size of the JSON header, and the header."""
    text = json.dumps(header).encode("ascii")
    return len(text).to_bytes(REPLY_PREFIX_BYTES, "big") + text


def image_reply(image: DecodedImage) -> list[bytes | memoryview]:
    """Return the parts of the reply that carries a decoded image; no pixel is copied."""
    facts = image.facts
    header = {
        "format": facts.format,
        "width": facts.width,
        "height": facts.height,
        "jpeg_quality": facts.jpeg_quality,
        "lossy": facts.lossy,
        "greyscale": facts.greyscale,
        "pixels_sha256": facts.pixels_sha256,
        "jpeg": None if facts.jpeg is None else _coding(facts.jpeg),
        "stored_as": facts.stored_as,
        "problem": image.problem,
        "plain_tiles": image.plain_tiles,
    }
    places = image.origins.astype("<i4")
    if not image.regions:
        header["crops"] = len(image.crops)
        return [frame(header), _bytes_of(image.crops), _bytes_of(places)]
    sizes = np.asarray([region.shape[1:] for region in image.regions], dtype="<i4")  # (R, 2)
    header["regions"] = len(image.regions)
    header["region_pixels"] = int(sizes.prod(axis=1).sum())
    pixels = map(_bytes_of, image.regions)
    return [frame(header), *pixels, _bytes_of(np.hstack([places, sizes]))]


def reject_reply(error: RejectError) -> list[bytes | memoryview]:
    """Return the reply that says why the file will never decode."""
    return [frame({"reject": error.code, "message": error.message[:_MAX_MESSAGE]})]


def header_size(prefix: bytes | bytearray) -> int:
    """Return the size of the JSON header that follows; WireError if it is out of bounds."""
    size = int.from_bytes(prefix, "big")
    if not 2 <= size <= MAX_HEADER_BYTES:
        raise WireError(f"a header of {size} bytes")
    return size


def parse_header(text: bytes | bytearray) -> dict[str, Any]:
    """Return the JSON object; WireError if it is anything else."""
    try:
        header = json.loads(bytes(text))
    except (ValueError, RecursionError) as error:
        raise WireError(f"a header that is not JSON ({type(error).__name__})") from error
    if not isinstance(header, dict):
        raise WireError("a header that is not an object")
    return header


def raise_if_rejected(header: dict[str, Any]) -> None:
    """Raise the RejectError that the child reports, if it reports one."""
    if "reject" not in header:
        return
    code, message = header["reject"], header.get("message")
    if not isinstance(code, str) or code not in _CODES or not isinstance(message, str):
        raise WireError("a refusal without a known code and a message")
    clean = "".join(c if c.isprintable() else "?" for c in message[:_MAX_MESSAGE])
    raise RejectError(code, clean, stage="decode")


def body_size(header: dict[str, Any], limits: DecodeLimits) -> int:
    """Return the size of what follows the header: pixels and places."""
    reading = limits.reading
    if isinstance(reading, CropReading):
        crops = _whole(header, "crops", 0, reading.max_crops)
        return crops * (3 * reading.crop_size**2 + 2 * _INT32)
    if "regions" not in header:
        return _whole(header, "crops", 0, 0)
    regions = _whole(header, "regions", 1, reading.most_regions)
    pixels = _whole(header, "region_pixels", regions * SMALLEST**2, reading.most_first_pixels)
    return 3 * pixels + regions * 4 * _INT32


def parse_image(
    header: dict[str, Any], body: bytes | bytearray, data: bytes, limits: DecodeLimits
) -> DecodedImage:
    """Build the image from the reply to `data`; WireError if one part contradicts another."""
    if len(body) != body_size(header, limits):
        raise WireError(f"a body of {len(body)} bytes")
    facts = ImageFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        byte_size=len(data),
        format=_one_of(header, "format", ("jpeg", "png", "webp")),
        width=_whole(header, "width", 1, limits.max_side),
        height=_whole(header, "height", 1, limits.max_side),
        jpeg_quality=None
        if header.get("jpeg_quality") is None
        else _whole(header, "jpeg_quality", 1, 100),
        lossy=_one_of(header, "lossy", (True, False)),
        greyscale=_one_of(header, "greyscale", (True, False)),
        pixels_sha256=_sha256(header, "pixels_sha256"),
        jpeg=_jpeg(header),
        stored_as=_one_of(header, "stored_as", _MODES),
    )
    problem = _one_of(header, "problem", (None, *_NOTHING_READ, "greyscale"))
    if {facts.jpeg_quality is not None, facts.jpeg is not None} != {facts.format == "jpeg"}:
        raise WireError("a JPEG quality or coding that does not go with the format")
    sides = np.asarray((facts.height, facts.width))
    if isinstance(limits.reading, CropReading):
        crops, origins = _crops(header, body, limits.reading, sides)
        regions: tuple[NDArray[np.uint8], ...] = ()
        _whole(header, "plain_tiles", 0, 0)
    else:
        crops = np.empty((0, 3, SMALLEST, SMALLEST), dtype=np.uint8)
        regions, origins = _regions(header, body, sides)
        _whole(header, "plain_tiles", 0, facts.height * facts.width // SMALLEST**2 + 1)
    if (problem in _NOTHING_READ) != (len(origins) == 0):
        raise WireError(f"{len(origins)} crops or regions with the problem {problem}")
    return DecodedImage(facts, crops, origins, problem, regions, header["plain_tiles"])


def limits_to(limits: DecodeLimits) -> dict[str, Any]:
    """Return limits as the parent hands them to its template, for JSON."""
    return {**asdict(limits), "regions": isinstance(limits.reading, RegionReading)}


def limits_from(said: dict[str, Any]) -> DecodeLimits:
    """Return the limits of which `limits_to` spoke."""
    costs = {name: value for name, value in said.items() if name not in ("regions", "reading")}
    reading = RegionReading if said["regions"] else CropReading
    return DecodeLimits(reading(**said["reading"]), **costs)


def _crops(
    header: dict[str, Any], body: bytes | bytearray, reading: CropReading, sides: NDArray[np.int_]
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return crops (C, 3, S, S) and origins (C, 2) from a body of the right size."""
    size, count = reading.crop_size, header["crops"]
    split = count * 3 * size * size
    # frombuffer keeps a bytearray writable, as torch wants it.
    crops = np.frombuffer(body, dtype=np.uint8, count=split).reshape(count, 3, size, size)
    origins = np.frombuffer(body, dtype="<i4", offset=split).astype(np.int32).reshape(count, 2)
    corner = (sides - size).clip(0)
    if not ((origins >= 0) & (origins <= corner) & (origins % GRID == 0)).all():
        raise WireError("a crop outside the image")
    return crops, origins


def _regions(
    header: dict[str, Any], body: bytes | bytearray, sides: NDArray[np.int_]
) -> tuple[tuple[NDArray[np.uint8], ...], NDArray[np.int32]]:
    """Return regions, each (3, H, W), and their origins (R, 2) from a body of the right size."""
    count = header.get("regions", 0)
    split = 3 * header.get("region_pixels", 0)
    places = np.frombuffer(body, dtype="<i4", offset=split).astype(np.int64).reshape(count, 4)
    origins, sizes = places[:, :2], places[:, 2:]
    inside = (origins >= 0) & (origins % REGION_GRID == 0) & (sizes >= SMALLEST)
    if not (inside & (origins + sizes <= sides.clip(SMALLEST))).all():
        raise WireError("a region outside the image")
    lengths = 3 * sizes.prod(axis=1)
    if int(lengths.sum()) != split:
        raise WireError("regions of other sizes than their pixels have")
    ends = lengths.cumsum()
    regions = tuple(
        np.frombuffer(body, dtype=np.uint8, count=length, offset=end - length).reshape(3, *size)
        for length, end, size in zip(lengths, ends, sizes, strict=True)
    )
    return regions, origins.astype(np.int32)


def _coding(jpeg: JpegCoding) -> dict[str, object]:
    """Its fields as they are: `asdict` copies each number of the tables, which takes 0.08 ms."""
    return {field.name: getattr(jpeg, field.name) for field in fields(jpeg)}


def _jpeg(header: dict[str, Any]) -> JpegCoding | None:
    said = header.get("jpeg")
    if said is None:
        return None
    if not isinstance(said, dict):
        raise WireError("a jpeg that is not an object")
    chroma = None if said.get("chroma") is None else _table(said, "chroma")
    return JpegCoding(_table(said, "luma"), chroma, _one_of(said, "sampling", SAMPLINGS))


def _table(said: dict[str, Any], name: str) -> tuple[int, ...]:
    values = said.get(name)
    if not isinstance(values, list) or len(values) != _TABLE:
        raise WireError(f"a {name} table that is not {_TABLE} numbers")
    if not all(type(value) is int and 0 <= value <= MOST_QUANTISATION for value in values):
        raise WireError(f"a {name} table with a number outside 0 to {MOST_QUANTISATION}")
    return tuple(values)


def _bytes_of(values: NDArray[Any]) -> memoryview:
    return values.reshape(-1).view(np.uint8).data


def _whole(header: dict[str, Any], name: str, least: int, most: int) -> int:
    value = header.get(name)
    if type(value) is not int or not least <= value <= most:
        raise WireError(f"a {name} that is not a whole number from {least} to {most}")
    return value


def _sha256(header: dict[str, Any], name: str) -> str:
    value = header.get(name)
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise WireError(f"a {name} that is not 64 hexadecimal digits")
    return value


def _one_of(header: dict[str, Any], name: str, allowed: tuple[Any, ...]) -> Any:
    value = header.get(name, WireError)
    for choice in allowed:
        if value is choice or (isinstance(choice, str) and value == choice):
            return choice
    raise WireError(f"a {name} that is none of {allowed}")
