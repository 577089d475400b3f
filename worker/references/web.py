"""One GET: no redirect, no cookie, no proxy, no coding, one clock, and no byte too many.

`http.client` parses the answer; the connection is ours, so that it reads through `Stream`, which
holds the deadline and the number of bytes whatever the other side does.
"""

import http.client
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from typing import Final, cast

from worker.errors import RejectError
from worker.references.connection import Deadline, Stream
from worker.references.files import too_large
from worker.references.outages import UnavailableError
from worker.references.targets import STAGE, refused

_HEADER_BYTES: Final = 64 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_FORBIDDEN: Final = (401, 402, 403, 407, 451)
_NOT_FOUND: Final = (404, 410)
_LATER: Final = (408, 421, 425, 429)

Open = Callable[[Deadline], socket.socket]
"""A connection that is ready for the request."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of which host; `target` is the path with its query, and may be signed."""

    host: str
    port: int
    target: str = field(repr=False)
    store: str
    default_port: int = 443


@dataclass(frozen=True, slots=True)
class Page:
    """A body and the media type that came with it, in lower case; empty where none was named."""

    body: bytes
    media_type: str


def get(request: Request, open_connection: Open, *, timeout_s: float, max_bytes: int) -> Page:
    """Fetch one page.

    Raises RejectError with a code `fetch.*` for an answer that will stay as it is,
    UnavailableError where there is none now.
    """
    deadline = Deadline(timeout_s)
    try:
        connection = open_connection(deadline)
        with connection:
            connection.settimeout(deadline.left_s())
            connection.sendall(_head(request))
            return _read(connection, deadline, max_bytes, request)
    except ssl.SSLCertVerificationError as error:
        raise UnavailableError(
            f"the certificate is not the host's: {error.verify_message}", request.store
        ) from error
    except (OSError, http.client.IncompleteRead, http.client.RemoteDisconnected) as error:
        raise UnavailableError(_why(error), request.store) from error
    except OverflowError:
        raise too_large(max_bytes + 1, max_bytes) from None
    except (http.client.HTTPException, ValueError) as error:
        raise bad_answer(f"it is no HTTP ({type(error).__name__})") from error


def bad_answer(message: str) -> RejectError:
    """The store answered, and not with one image."""
    return RejectError("fetch.bad_answer", f"the answer is not taken: {message}", stage=STAGE)


def _head(request: Request) -> bytes:
    port = "" if request.port == request.default_port else f":{request.port}"
    lines = (
        f"GET {request.target} HTTP/1.1",
        f"Host: {request.host}{port}",
        f"User-Agent: latentprint/{metadata.version('latentprint')}",
        "Accept: image/jpeg, image/png, image/webp",
        "Accept-Encoding: identity",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii")


def _read(connection: socket.socket, deadline: Deadline, max_bytes: int, request: Request) -> Page:
    # A chunked body costs a line for each chunk; a quarter more is more than an honest one costs.
    stream = Stream(connection, deadline, max_bytes + max_bytes // 4 + _HEADER_BYTES)
    answer = http.client.HTTPResponse(cast(socket.socket, stream), method="GET")
    answer.begin()
    _check_status(answer.status, request.store)
    length = _framing(answer.msg)
    if length is not None and length > max_bytes:
        raise too_large(length, max_bytes)
    body = bytearray()
    while len(body) <= max_bytes:
        part = answer.read(min(_CHUNK_BYTES, max_bytes + 1 - len(body)))
        if not part:
            break
        body += part
    if len(body) > max_bytes:
        raise too_large(len(body), max_bytes)
    if length is not None and len(body) != length:
        raise UnavailableError(
            f"the connection ended after {len(body)} of {length} bytes", request.store
        )
    media_type = (answer.msg.get("Content-Type") or "").split(";")[0].strip().lower()
    return Page(bytes(body), media_type)


def _check_status(status: int, store: str) -> None:
    if status == 200:
        return
    if 300 <= status < 400:
        raise refused(f"the answer is a redirect ({status}), and none is followed")
    if status in _NOT_FOUND:
        raise RejectError("fetch.not_found", f"the store says {status}", stage=STAGE)
    if status in _FORBIDDEN:
        raise RejectError("fetch.forbidden", f"the store says {status}", stage=STAGE)
    if status >= 500 or status in _LATER:
        raise UnavailableError(f"the store says {status}", store)
    raise bad_answer(f"its status is {status}, 200 is expected")


def _framing(headers: http.client.HTTPMessage) -> int | None:
    """How many bytes the body has; None where it comes in chunks. Raises RejectError."""
    coding = [value.strip().lower() for value in headers.get_all("Content-Encoding", [])]
    if any(value not in ("", "identity") for value in coding):
        raise bad_answer(f"it is coded ({coding[0][:20]}), though identity was asked for")
    lengths = headers.get_all("Content-Length", [])
    transfer = [value.strip().lower() for value in headers.get_all("Transfer-Encoding", [])]
    if transfer:
        if transfer != ["chunked"] or lengths:
            raise bad_answer("its Transfer-Encoding is not chunked alone, or it has a length too")
        return None
    if len(lengths) != 1 or not lengths[0].strip().isascii() or not lengths[0].strip().isdigit():
        raise bad_answer("it does not say once, in digits, how long it is")
    return int(lengths[0])


def _why(error: Exception) -> str:
    """The error without what it may hold of the other side's words."""
    if isinstance(error, socket.gaierror):
        return f"the name cannot be looked up ({error.strerror})"
    if isinstance(error, TimeoutError):
        return "there was no whole answer in time"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if isinstance(error, OSError) and error.strerror:
        return f"the connection failed ({error.strerror})"
    return f"the connection ended early ({type(error).__name__})"
