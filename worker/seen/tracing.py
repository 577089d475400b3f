"""Where spans go: to a collector that takes OTLP over HTTP, or nowhere.

The settings of OpenTelemetry's own environment (`OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`
and others) hold as well.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from worker.errors import StopError
from worker.seen.spans import Spans

CLOSE_S = 2.0
"""What is left is sent within this at the end; a collector that is away holds nobody up."""

TRY_S = 5.0


@contextmanager
def spans_to(traces_url: str | None, slot: int) -> Iterator[Spans]:
    """Spans that are sent to `traces_url`, in the background; with None there are none.

    Raises StopError (exit code 2) where they are asked for and the extra `otel` is not installed.
    """
    if traces_url is None:
        yield Spans()
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise StopError(
            f"tracing.endpoint is set, but what sends spans is not installed ({error}); run"
            " `pip install 'latentprint[otel]'`, or unset LATENTPRINT_TRACING__ENDPOINT",
            exit_code=2,
        ) from error
    version = metadata.version("latentprint")
    named = {"service.name": "latentprint", "service.version": version}
    resource = Resource.create({**named, "service.instance.id": f"slot-{slot}"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=traces_url, timeout=TRY_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield Spans(provider.get_tracer("latentprint", version))
    finally:
        # Its own patience is half a minute, and a worker must end within 20 s.
        closing = threading.Thread(target=provider.shutdown, name="last-spans", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
