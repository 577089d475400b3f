"""What is traced: a span a batch with its parts, and a span a commit.

A batch joins events of many traces, so that it is part of none: it links to the span that each
event came with, and a commit links to the batches whose answers it holds. Nothing of an image, a
subject or a fingerprint is in them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
    use_span,
)

from worker.events.image_event import ImageEvent
from worker.events.trace_context import TraceContext

Ns = tuple[int, int]
"""From when to when, in ns of the epoch."""


class BatchSpan:
    """The span of one batch, which goes from thread to thread; without a tracer it is none."""

    def __init__(self, span: Span | None) -> None:
        self._span = span

    @property
    def context(self) -> SpanContext | None:
        """By which a commit is linked to it."""
        return None if self._span is None else self._span.get_span_context()

    @contextmanager
    def here(self) -> Iterator[None]:
        """While this thread works on the batch; what it makes meanwhile is part of the batch."""
        if self._span is None:
            yield
            return
        with use_span(self._span, record_exception=False, set_status_on_exception=False):
            try:
                yield
            except BaseException as error:
                self._span.set_status(StatusCode.ERROR, type(error).__name__)
                self._span.end()
                raise

    def end(self) -> None:
        """The batch is judged."""
        if self._span is not None:
            self._span.end()


class Spans:
    """Makes the spans; from any thread. Without a tracer it makes none."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer

    def batch(self, events: Sequence[tuple[ImageEvent, Ns]]) -> BatchSpan:
        """The span of a batch, with when each of its images was decoded."""
        tracer = self._tracer
        if tracer is None:
            return BatchSpan(None)
        links = [_link(event, event.trace) for event, _ in events if event.trace is not None]
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.batch.message_count": len(events),
        }
        span = tracer.start_span(
            "batch", kind=SpanKind.CONSUMER, links=links, attributes=attributes
        )
        if span.is_recording():
            inside = set_span_in_context(span)
            for event, (began, ended) in events:
                one = tracer.start_span(
                    "decode", inside, attributes=_place(event), start_time=began
                )
                one.end(ended)
        return BatchSpan(span)

    def part(self, name: str) -> AbstractContextManager[Span]:
        """The span of one stage of the batch that this thread is at."""
        return self._span(name)

    def commit(self, batches: Iterable[SpanContext | None]) -> AbstractContextManager[Span]:
        """The span of one transaction, linked to the batches whose answers it holds."""
        told = {batch.span_id: batch for batch in batches if batch is not None}
        links = [Link(batch) for batch in told.values()]
        return self._span("commit", SpanKind.PRODUCER, links)

    @contextmanager
    def _span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] = (),
        attributes: Mapping[str, str | int] | None = None,
    ) -> Iterator[Span]:
        """A span that ends with its block; of an error it keeps the kind alone, for the words may
        quote what was judged."""
        if self._tracer is None:
            yield INVALID_SPAN
            return
        with self._tracer.start_as_current_span(
            name,
            kind=kind,
            links=links,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise


def _link(event: ImageEvent, trace: TraceContext) -> Link:
    trace_id, span_id, flags = trace.ids
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return Link(context, _place(event))


def _place(event: ImageEvent) -> dict[str, str | int]:
    return {
        "messaging.destination.name": event.origin.topic,
        "messaging.destination.partition.id": str(event.origin.partition),
        "messaging.kafka.offset": event.origin.offset,
    }
