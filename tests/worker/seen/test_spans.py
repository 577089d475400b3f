"""A batch is a span with a link for each event that came with a trace; commits link to batches."""

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from worker.events.cloudevents import Origin
from worker.events.image_event import ImageEvent
from worker.events.trace_context import TraceContext
from worker.seen.spans import Spans

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Bench:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.spans = Spans(provider.get_tracer("test"))

    def ended(self, name: str) -> list[ReadableSpan]:
        """The spans of this name that have ended."""
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


def event(offset: int, parent: str | None = None) -> ImageEvent:
    """An event whose every part that must not be seen says `secret`."""
    trace = TraceContext(parent) if parent else None
    origin = Origin("images", 3, offset)
    texts = ("secret", "secret", "secret")
    return ImageEvent(origin, b"secret", *texts, None, None, b"secret", trace=trace)


def test_a_batch_links_to_the_traces_of_its_events_and_has_its_parts_inside() -> None:
    bench = Bench()
    events = [(event(7, PARENT), (10, 20)), (event(8), (12, 24))]
    whole = bench.spans.batch(events)
    with whole.here(), bench.spans.part("extract"):
        pass
    with whole.here(), bench.spans.part("match"):
        pass
    assert bench.ended("batch") == []
    whole.end()
    (batch,) = bench.ended("batch")
    (link,) = batch.links
    assert f"{link.context.trace_id:032x}-{link.context.span_id:016x}" == PARENT[3:52]
    assert link.context.is_remote
    assert link.attributes is not None
    assert link.attributes["messaging.kafka.offset"] == 7
    assert batch.attributes is not None
    assert batch.attributes["messaging.batch.message_count"] == 2
    assert batch.context == whole.context
    decodes = bench.ended("decode")
    assert [(span.start_time, span.end_time) for span in decodes] == [(10, 20), (12, 24)]
    inside = [*decodes, *bench.ended("extract"), *bench.ended("match")]
    assert len(inside) == 4
    assert {span.parent and span.parent.span_id for span in inside} == {batch.context.span_id}


def test_a_commit_links_to_each_batch_once() -> None:
    bench = Bench()
    first, second = (bench.spans.batch([(event(offset), (1, 2))]).context for offset in (7, 8))
    with bench.spans.commit([first, second, None, first]):
        pass
    (commit,) = bench.ended("commit")
    assert [link.context for link in commit.links] == [first, second]
    assert commit.parent is None


def test_of_an_error_a_span_keeps_the_kind_and_not_the_words() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="secret"), bench.spans.part("extract"):
        raise ValueError("secret")
    (span,) = bench.ended("extract")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
    assert span.events == ()


def test_a_batch_that_fails_ends_its_span_with_the_kind_of_the_error() -> None:
    bench = Bench()
    batch = bench.spans.batch([(event(7), (1, 2))])
    with pytest.raises(ValueError, match="secret"), batch.here():
        raise ValueError("secret")
    (span,) = bench.ended("batch")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")


def test_nothing_of_image_subject_key_or_sender_is_in_a_span() -> None:
    bench = Bench()
    batch = bench.spans.batch([(event(7, PARENT), (1, 2))])
    with bench.spans.commit([batch.context]):
        batch.end()
    spans = bench.exporter.get_finished_spans()
    assert len(spans) == 3
    assert "secret" not in "".join(span.to_json() for span in spans)


def test_without_a_tracer_there_are_no_spans_and_no_errors() -> None:
    spans = Spans()
    batch = spans.batch([(event(7, PARENT), (1, 2))])
    with batch.here(), spans.part("extract"):
        assert batch.context is None
    batch.end()
    with spans.commit([None]) as commit:
        assert not commit.is_recording()
