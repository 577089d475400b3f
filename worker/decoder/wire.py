"""What the decoder's parent and its child say to each other over a pair of sockets.

Request: 8 bytes big-endian, the size of the file; the file. Reply: 4 bytes big-endian, the size of
a JSON object; the object; the crops, uint8; the origins, little-endian int32. Never pickle. The
parent takes the child to be hostile: every field is checked, sizes are implied by checked numbers
and never taken from the child, and what the parent can know itself (sha256, size) is not asked.
"""

import hashlib
import json
import re
from typing import Any, Final

import numpy as np

from worker.decoder.decode import DecodedImage, DecodeLimits, ImageFacts
from worker.decoder.pixels import GRID
from worker.errors import RejectError

REQUEST_PREFIX_BYTES: Final = 8
REPLY_PREFIX_BYTES: Final = 4
MAX_HEADER_BYTES: Final = 4096
_CODES: Final = frozenset(
    {"decode.unsupported", "decode.truncated", "decode.corrupt", "decode.dimensions", "too_large"}
)
_WITHOUT_CROPS: Final = ("too_small", "flat_or_saturated", "transparent")
_MAX_MESSAGE: Final = 300
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class WireError(Exception):
    """The child said something that it would never say; it must not be used again."""


def request_prefix(data: bytes) -> bytes:
    """Return what goes before the file's bytes."""
    return len(data).to_bytes(REQUEST_PREFIX_BYTES, "big")


def frame(header: dict[str, Any], body: bytes = b"") -> bytes:
    """Return one reply: the size of the JSON header, the header, the body."""
    text = json.dumps(header).encode("ascii")
    return len(text).to_bytes(REPLY_PREFIX_BYTES, "big") + text + body


def image_reply(image: DecodedImage) -> bytes:
    """Return the reply that carries a decoded image."""
    facts = image.facts
    header = {
        "format": facts.format,
        "width": facts.width,
        "height": facts.height,
        "jpeg_quality": facts.jpeg_quality,
        "lossy": facts.lossy,
        "greyscale": facts.greyscale,
        "pixels_sha256": facts.pixels_sha256,
        "problem": image.problem,
        "crops": len(image.crops),
    }
    return frame(header, image.crops.tobytes() + image.origins.astype("<i4").tobytes())


def reject_reply(error: RejectError) -> bytes:
    """Return the reply that says why the file will never decode."""
    return frame({"reject": error.code, "message": error.message[:_MAX_MESSAGE]})


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
    """Return the size of what follows the header: crops and origins."""
    crops = _whole(header, "crops", 0, limits.max_crops)
    return crops * (3 * limits.crop_size**2 + 8)


def parse_image(
    header: dict[str, Any], body: bytes | bytearray, data: bytes, limits: DecodeLimits
) -> DecodedImage:
    """Build the image from the reply to `data`; WireError if one part contradicts another."""
    size = limits.crop_size
    if len(body) != body_size(header, limits):
        raise WireError(f"a body of {len(body)} bytes")
    count = header["crops"]
    split = count * 3 * size * size
    # frombuffer keeps a bytearray writable, as torch wants it.
    crops = np.frombuffer(body, dtype=np.uint8, count=split).reshape(count, 3, size, size)
    origins = np.frombuffer(body, dtype="<i4", offset=split).astype(np.int32).reshape(count, 2)
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
    )
    problem = _one_of(header, "problem", (None, *_WITHOUT_CROPS, "greyscale"))
    if (facts.format == "jpeg") != (facts.jpeg_quality is not None):
        raise WireError("a JPEG quality that does not go with the format")
    if (problem in _WITHOUT_CROPS) != (count == 0):
        raise WireError(f"{count} crops with the problem {problem}")
    corner = np.asarray((facts.height, facts.width)) - size
    if count and not ((origins >= 0) & (origins <= corner.clip(0)) & (origins % GRID == 0)).all():
        raise WireError("a crop outside the image")
    return DecodedImage(facts, crops, origins, problem)


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
