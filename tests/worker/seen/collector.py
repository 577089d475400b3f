"""A collector for tests: takes OTLP over HTTP and keeps the spans that arrive."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span


class Collector(HTTPServer):
    """What arrived, parsed by the protocol's own classes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[ResourceSpans] = []
        self.paths: set[str] = set()

    @property
    def endpoint(self) -> str:
        """The address for `tracing.endpoint`."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self, name: str) -> list[Span]:
        """All spans of this name so far."""
        scopes = [scope for resource in self.received for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans if span.name == name]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.paths.add(self.path)
        self.server.received.extend(ExportTraceServiceRequest.FromString(body).resource_spans)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.end_headers()
        self.wfile.write(ExportTraceServiceResponse().SerializeToString())

    def log_message(self, format: str, *args: object) -> None:
        """What arrived is in `received`."""


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens until the block is left."""
    collector = Collector()
    thread = threading.Thread(target=collector.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.shutdown()
        collector.server_close()
