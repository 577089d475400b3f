"""A real receiver over HTTP or HTTPS, which answers as it is told and keeps what it was sent."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes .. ").decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"another one, thirty-two bytes ..").decode()


@dataclass(frozen=True)
class Request:
    """One POST as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    def verified(self, secret: str = SECRET) -> Any:
        """The body, by the library's own check of the signature."""
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass
class Answer:
    """What to answer; `close` answers nothing at all."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    close: bool = False


@dataclass
class Receiver:
    """`answers` are given in order, then `last` for good."""

    answers: list[Answer] = field(default_factory=list)
    last: Answer = field(default_factory=Answer)
    requests: list[Request] = field(default_factory=list)
    pause_s: float = 0.0
    url: str = ""

    def taken(self) -> list[str]:
        """The ids of everything that arrived."""
        return [request.webhook_id for request in self.requests]


@contextmanager
def receiving(
    *answers: Answer, last: Answer | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """A receiver on a free port of loopback."""
    receiver = Receiver(list(answers), last or Answer())
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                receiver.requests.append(Request(self.path, headers, body, time.monotonic()))
                answer = receiver.answers.pop(0) if receiver.answers else receiver.last
            threading.Event().wait(receiver.pause_s)
            if answer.close:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scheme = "http"
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    receiver.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/hook?token=a"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
