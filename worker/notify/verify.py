"""A receiver to try with: it listens on loopback, checks signatures and prints what arrives.

It shows what every receiver does: `Webhook(secret).verify(body, headers)`, and an answer.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

MOST_BODY_BYTES = 2 * 1024 * 1024
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Arrived:
    """One request: `document` is its body where the signature holds, else `why` says why not."""

    message_id: str
    document: Any
    why: str | None


class VerifyingServer:
    """Answers 200 to what is signed with one of the secrets, and 401 to anything else."""

    def __init__(
        self, port: int, secrets: tuple[str, ...], arrived: Callable[[Arrived], None]
    ) -> None:
        """OSError where the port cannot be had; 0 takes one that is free."""
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(min(size, MOST_BODY_BYTES))
                answer = checked(body, dict(self.headers.items()), secrets)
                with lock:
                    arrived(answer)
                self.send_response(200 if answer.why is None else 401)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """What arrives is told by `arrived`."""

        self._server = ThreadingHTTPServer((HOST, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def checked(body: bytes, headers: dict[str, str], secrets: tuple[str, ...]) -> Arrived:
    """One request, held against each secret."""
    message_id = next((v for k, v in headers.items() if k.lower() == "webhook-id"), "")
    why = "no secret"
    for secret in secrets:
        try:
            return Arrived(message_id, Webhook(secret).verify(body, headers), None)
        except WebhookVerificationError as error:
            why = str(error)
        except (ValueError, json.JSONDecodeError) as error:  # a header or a body that is none
            why = f"{type(error).__name__}: {error}"
    return Arrived(message_id, None, why)
