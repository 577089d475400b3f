"""The one small HTTP server of a process: it answers GET, briefly, and never waits for a client.

Each connection has a thread of its own and gets one answer. There are never more than a few: the
oldest gives way to a new one, so that whoever connects and says nothing keeps nobody out, and one
that takes too long is closed whatever it does.
"""

import contextlib
import http.server
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.errors import StopError

Address = tuple[str, int] | tuple[str, int, int, int]

MAX_CONNECTIONS = 8
CLIENT_S = 5.0
"""The longest life of a connection; probes and scrapes wait 1 to 10 s for an answer of 10 ms."""

_LOOK_S = 0.5
"""How often connections are looked at that take too long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whole."""

    status: int
    body: bytes
    content_type: str = "application/json"

    @classmethod
    def of(cls, status: int, document: Mapping[str, object]) -> "Answer":
        """A JSON document, on a line of its own."""
        return cls(status, json.dumps(document).encode() + b"\n")


Page = Callable[[str], Answer]
"""What a client accepts (`Accept`) to an answer; called on the connection's thread."""


class PageServer:
    """Serves pages from its making until the process ends, or `close`."""

    def __init__(self, listener: socket.socket, pages: Mapping[str, Page]) -> None:
        self._server = _Server(listener, pages)
        self.port: int = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK_S,), name="pages", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()


def listening(
    host: str, port: int, what: str, setting: str = "LATENTPRINT_METRICS__LISTEN"
) -> socket.socket:
    """A socket that listens. StopError (exit code 2), naming `what` wants it, where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=16)
    except OSError as error:
        raise StopError(
            f"{what} cannot serve its figures at {host}:{port}"
            f" ({error.strerror or error}); free the port, or change {setting}",
            exit_code=2,
        ) from error


def adopted(descriptor: int) -> socket.socket:
    """The socket that a supervisor made and handed on; our own children do not get it."""
    listener = socket.socket(fileno=descriptor)
    listener.set_inheritable(False)
    return listener


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, pages: Mapping[str, Page]) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.pages = pages
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        with self._lock:
            while len(self._open) >= MAX_CONNECTIONS:
                _hang_up(next(iter(self._open)))
                del self._open[next(iter(self._open))]
            self._open[request] = time.monotonic() + CLIENT_S
        super().process_request(request, client_address)

    def shutdown_request(self, request: object) -> None:
        assert isinstance(request, socket.socket)
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        now = time.monotonic()
        with self._lock:
            for late in [client for client, end in self._open.items() if end < now]:
                _hang_up(late)
                del self._open[late]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of ours, and there is nobody to tell."""


def _hang_up(client: socket.socket) -> None:
    """Whoever reads from it or writes to it comes back at once, with an error."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "latentprint", ""
    timeout = CLIENT_S

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        page = self.server.pages.get(path)
        if page is None:
            known = sorted(self.server.pages)
            answer = Answer.of(404, {"error": "there is no such page", "pages": known})
        else:
            try:
                answer = page(self.headers.get("Accept", ""))
            except Exception as error:  # a page that fails must not look like one that is fine
                answer = Answer.of(500, {"error": f"{type(error).__name__}: {error}"})
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Probes and scrapes come every few seconds; nobody wants to read of them."""
