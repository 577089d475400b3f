"""What the worker and a fetch process say to each other, each over a lane of its own.

Request: 4 bytes big-endian, the size of the reference; the reference in UTF-8. Reply: 4 bytes, the
size of a JSON object; the object; the bytes that were fetched. The object is one of
`{"size": N}`, `{"code": …, "message": …}` and `{"unavailable": …}`. The parent believes a reply no
further than its form: a fetch process reads what strangers send it.
"""

from typing import Any, Final

from worker.decoder.wire import WireError, frame
from worker.errors import RejectError
from worker.events.attributes import MAX_ATTRIBUTE_BYTES
from worker.references.outages import UnavailableError
from worker.references.targets import STAGE

CODES: Final = frozenset(
    f"fetch.{name}"
    for name in (*("refused", "not_found", "forbidden", "too_large", "not_an_image", "bad_answer"),)
)
"""What a fetch process may say; `fetch.unavailable` is the worker's own decision."""

_MAX_MESSAGE: Final = 500


def request(reference: str) -> bytes:
    """The request for a reference."""
    text = reference.encode()
    return len(text).to_bytes(4, "big") + text


def request_size(prefix: bytes) -> int:
    """The size of the reference that follows; WireError if it is out of bounds."""
    size = int.from_bytes(prefix, "big")
    if not 1 <= size <= MAX_ATTRIBUTE_BYTES:
        raise WireError(f"a reference of {size} bytes")
    return size


def ready(posture: dict[str, bool]) -> bytes:
    """The first message of each lane."""
    return frame({"ready": posture})


def posture_of(header: dict[str, Any]) -> dict[str, bool]:
    """What a first message says; WireError if it is none."""
    said = header.get("ready")
    if not isinstance(said, dict) or not all(type(value) is bool for value in said.values()):
        raise WireError("a first message that is not its posture")
    return said


def fetched(body: bytes) -> bytes:
    """What goes before the bytes that were fetched."""
    return frame({"size": len(body)})


def failed(error: Exception) -> bytes:
    """The reply that says why there is none."""
    if isinstance(error, RejectError):
        return frame({"code": error.code, "message": error.message[:_MAX_MESSAGE]})
    why = str(error) if isinstance(error, UnavailableError) else f"a bug: {type(error).__name__}"
    return frame({"unavailable": why[:_MAX_MESSAGE]})


def body_size(header: dict[str, Any], max_bytes: int, store: str) -> int:
    """How many bytes follow. Raises what the fetch process reports; WireError for nonsense."""
    if "size" in header:
        size = header["size"]
        if type(size) is not int or not 0 <= size <= max_bytes:
            raise WireError("a size that cannot be")
        return size
    code, message = header.get("code"), header.get("message")
    if isinstance(code, str) and code in CODES and isinstance(message, str):
        raise RejectError(code, message[:_MAX_MESSAGE], stage=STAGE)
    why = header.get("unavailable")
    if isinstance(why, str):
        raise UnavailableError(why[:_MAX_MESSAGE], store)
    raise WireError("neither bytes nor a reason")
