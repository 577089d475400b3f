"""One request over HTTP, with one time limit from connecting to the answer.

Nothing of the environment takes part: no proxy, no stored password. No redirect is followed, no
connection is kept, and of the answer no more is read than says what became of the message.
"""

import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

from fingerprint_db.names import printable
from worker.notify.receivers import Address

MOST_ANSWER_BYTES = 64 * 1024
MOST_EXCERPT_BYTES = 300
"""Of the body of a refusal: Slack and others say there what they do not like."""

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?")
_CHUNK_SIZE = re.compile(rb"^[0-9a-fA-F]+\r?\n")


class NoAnswer(Exception):
    """The receiver gave no answer; `cause` is a word for the figures, the message says more."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, `Retry-After` as it was written, and how a refusal's body begins."""

    status: int
    retry_after: str | None
    excerpt: str


def post(
    address: Address,
    headers: Mapping[str, str],
    body: bytes,
    *,
    timeout_s: float,
    tls: ssl.SSLContext | None,
) -> Answer:
    """Send `body` and read the answer; raises NoAnswer where there is none in `timeout_s`."""
    end = time.monotonic() + timeout_s
    try:
        with _connected(address, end, tls) as connection:
            connection.settimeout(_left(end))
            connection.sendall(_head(address, headers, len(body)) + body)
            return _answer(connection, end)
    except TimeoutError:
        raise NoAnswer("timeout", f"no answer within {timeout_s:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer("tls", f"its certificate is not accepted: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise NoAnswer("tls", f"no TLS could be spoken: {error.reason or error}") from error
    except OSError as error:
        raise NoAnswer("connection", error.strerror or str(error)) from error


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connected(address: Address, end: float, tls: ssl.SSLContext | None) -> socket.socket:
    plain = socket.create_connection((address.host, address.port), timeout=_left(end))
    if tls is None:
        return plain
    try:
        plain.settimeout(_left(end))
        return tls.wrap_socket(plain, server_hostname=address.host)
    except BaseException:
        plain.close()
        raise


def _head(address: Address, headers: Mapping[str, str], size: int) -> bytes:
    lines = [
        f"POST {address.target} HTTP/1.1",
        f"Host: {address.authority}",
        "Connection: close",
        "Accept: */*",
        f"Content-Length: {size}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _answer(connection: socket.socket, end: float) -> Answer:
    """The first final answer; interim ones (1xx) are passed over."""
    received = bytearray()
    while True:
        head, found, rest = bytes(received).partition(b"\r\n\r\n")
        if not found:
            _receive(connection, end, received)
            continue
        status_line, *lines = head.split(b"\r\n")
        status = _STATUS_LINE.fullmatch(status_line)
        if status is None:
            raise NoAnswer("protocol", "what listens there does not answer in HTTP/1.1")
        if status[1].startswith(b"1"):
            received = bytearray(rest)
            continue
        code = int(status[1])
        return Answer(
            code,
            _header(lines, b"retry-after"),
            "" if code < 300 else _excerpt(connection, end, rest),
        )


def _receive(connection: socket.socket, end: float, received: bytearray) -> None:
    connection.settimeout(_left(end))
    more = connection.recv(8192)
    if not more:
        raise NoAnswer("connection", "it closed the connection without an answer")
    received += more
    if len(received) > MOST_ANSWER_BYTES:
        raise NoAnswer("protocol", f"an answer whose head is above {MOST_ANSWER_BYTES} bytes")


def _header(lines: list[bytes], name: bytes) -> str | None:
    for line in lines:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip().decode("latin-1")
    return None


def _excerpt(connection: socket.socket, end: float, body: bytes) -> str:
    """How the body of a refusal begins, harmless to print; nothing where it does not come."""
    try:
        while len(body) < MOST_EXCERPT_BYTES:
            connection.settimeout(min(_left(end), 1.0))
            more = connection.recv(MOST_EXCERPT_BYTES)
            if not more:
                break
            body += more
    except OSError:
        pass
    text = _CHUNK_SIZE.sub(b"", body)[:MOST_EXCERPT_BYTES].decode("utf-8", "replace")
    return printable(" ".join(text.split()))
