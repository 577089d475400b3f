"""How a hostile host answers, by the name of the vector."""

import gzip
import itertools
import socket
import time

from tests.scenarios.harness import png

IMAGE = png(64)
_TYPE = b"Content-Type: image/png\r\n"
_LENGTH = b"Content-Length: %d\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
PAGE = b'<html><meta http-equiv="refresh" content="0; url=https://127.0.0.1/"></html>'
BEFORE_NEXT_BYTE_S = 0.05


def whole(body: bytes, head: bytes = _TYPE, status: bytes = b"200 OK") -> bytes:
    """An answer in good order, but for what `head` brings."""
    return b"HTTP/1.1 " + status + b"\r\n" + head + _LENGTH % len(body) + b"\r\n" + body


def answer(connection: socket.socket, name: str, sink_port: int) -> None:
    """Send what the vector of this name sends."""
    if name.startswith("redirect ") and name[9:].isdigit():
        place = b"Location: https://127.0.0.1:%d/\r\n" % sink_port
        connection.sendall(whole(b"", place, status=name[9:].encode() + b" Elsewhere"))
    elif name == "slow header":
        _drip(connection, OK + b"X-Slow: " + bytes(100))
    elif name == "slow body":
        connection.sendall(OK + _TYPE + _LENGTH % len(IMAGE) + b"\r\n")
        _drip(connection, IMAGE)
    elif name == "silent":
        connection.recv(1)
    elif name in ENDLESS:
        start, again = ENDLESS[name]
        connection.sendall(start)
        for _ in itertools.count():
            connection.sendall(again)
    else:
        connection.sendall(ANSWERS[name])


def _drip(connection: socket.socket, data: bytes) -> None:
    """Byte after byte, so that no pause is long; ends when the other side has gone."""
    connection.settimeout(BEFORE_NEXT_BYTE_S)
    for i in range(len(data)):
        connection.sendall(data[i : i + 1])
        before = time.monotonic()
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            assert time.monotonic() - before >= BEFORE_NEXT_BYTE_S / 2


ENDLESS = {
    "endless chunks": (
        OK + _TYPE + b"Transfer-Encoding: chunked\r\n\r\n",
        b"4000\r\n" + bytes(0x4000) + b"\r\n",
    ),
    "endless chunk line": (OK + _TYPE + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 4096),
    "endless trailer": (
        OK + _TYPE + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
        b"X-More: 1\r\n" * 400,
    ),
    "endless header": (OK, b"X-More: 1\r\n" * 400),
    "endless continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
}

_CHUNKED = OK + _TYPE + b"Transfer-Encoding: chunked\r\n\r\n"
ANSWERS = {
    "redirect in the page": whole(PAGE, b"Content-Type: text/html\r\n"),
    "redirect by header": whole(PAGE, b"Content-Type: text/html\r\nRefresh: 0; url=/\r\n"),
    "gzip bomb": whole(
        gzip.compress(bytes(10 * 1024 * 1024)), _TYPE + b"Content-Encoding: gzip\r\n"
    ),
    "unknown coding": whole(IMAGE, _TYPE + b"Content-Encoding: br\r\n"),
    "length too large": OK + _TYPE + _LENGTH % (1 << 40) + b"\r\n" + IMAGE,
    "length lies short": OK + _TYPE + _LENGTH % len(IMAGE) + b"\r\n" + IMAGE + IMAGE,
    "length lies long": OK + _TYPE + _LENGTH % (len(IMAGE) + 1) + b"\r\n" + IMAGE,
    "length twice": whole(IMAGE, _TYPE + _LENGTH % 5),
    "length negative": OK + _TYPE + b"Content-Length: -1\r\n\r\n" + IMAGE,
    "length and chunks": whole(b"1\r\nx\r\n0\r\n\r\n", _TYPE + b"Transfer-Encoding: chunked\r\n"),
    "no length": OK + _TYPE + b"\r\n" + IMAGE,
    "bad chunk": _CHUNKED + b"zz\r\nx\r\n0\r\n\r\n",
    "negative chunk": _CHUNKED + b"-1\r\n" + IMAGE,
    "long header line": OK + b"X-Long: " + b"x" * 1024 * 1024 + b"\r\n" + _TYPE + b"\r\n",
    "early close": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "partial": whole(IMAGE, status=b"206 Partial Content"),
    "no content": whole(b"", status=b"204 No Content"),
    "HTML": whole(PAGE, b"Content-Type: text/html; charset=utf-8\r\n"),
    "HTML as image": whole(PAGE),
    "image as HTML": whole(IMAGE, b"Content-Type: text/html\r\n"),
    "SVG": whole(b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"Content-Type: image/svg+xml\r\n"),
    "cookie": whole(IMAGE, _TYPE + b"Set-Cookie: a=b\r\n"),
}
