"""What figures and spans cost an event: `python -m benchmarks.seeing`.

Everything that one event of a full batch adds to, in a loop, against nothing: two histograms of its
own, its share of the batch's and of the transaction's, and its share of the spans.
"""

import argparse
import platform
import time
from collections.abc import Callable

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from worker.events.cloudevents import Origin
from worker.events.image_event import ImageEvent
from worker.events.trace_context import TraceContext
from worker.metrics import Figures
from worker.seen.spans import Spans
from worker.stream.accounts import count_answers
from worker.stream.answers import Answer, Verdicted

BATCH = 16


def count_batch(figures: Figures, answers: list[Answer]) -> None:
    """All that the figures are told of one batch that is one transaction."""
    for _ in answers:
        figures.observe("decode_seconds", 0.006)
        figures.observe("end_to_end_seconds", 0.3)
    figures.add("events_admitted", len(answers))
    figures.observe("batch_fill_ratio", 1.0)
    figures.observe("extract_seconds", 0.08)
    figures.observe("match_seconds", 0.02)
    count_answers(figures, answers)
    figures.observe("commit_seconds", 0.02)


def trace_batch(spans: Spans, events: list[tuple[ImageEvent, tuple[int, int]]]) -> None:
    """All spans of one batch that is one transaction."""
    batch = spans.batch(events)
    for part in ("extract", "match"):
        with batch.here(), spans.part(part):
            pass
    batch.end()
    with spans.commit([batch.context] * len(events)):
        pass


def ns_an_event(work: Callable[[], None], rounds: int) -> float:
    """The least of five times, as others' load only adds."""
    times = []
    for _ in range(5):
        began = time.process_time_ns()
        for _ in range(rounds):
            work()
        times.append((time.process_time_ns() - began) / rounds / BATCH)
    return min(times)


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds: int = parser.parse_args().rounds
    answers: list[Answer] = [Verdicted("no_evidence", False, ("real_test_not_passed",), ())] * BATCH
    trace = TraceContext("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    event = ImageEvent(
        Origin("images", 0, 1), None, "1", "/source", None, None, None, b"", trace=trace
    )
    events = [(event, (1, 2))] * BATCH
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    figures, made = Figures(), Spans(provider.get_tracer("bench"))
    none = Spans()
    print(f"{platform.machine()}, Python {platform.python_version()}, batches of {BATCH}")
    for name, work in (
        ("figures", lambda: count_batch(figures, answers)),
        ("spans, nobody asked for", lambda: trace_batch(none, events)),
        ("spans, made and kept for sending", lambda: trace_batch(made, events)),
    ):
        print(f"{name}: {ns_an_event(work, rounds) / 1000:.1f} us of processor time an event")
    provider.shutdown()


if __name__ == "__main__":
    main()
