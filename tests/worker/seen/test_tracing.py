"""Spans arrive at a collector by OTLP over HTTP; one that is away holds nobody up."""

import socket
import sys
import time

import pytest

from tests.waiting import wait_for
from tests.worker.seen.collector import collecting
from worker.errors import StopError
from worker.seen.tracing import CLOSE_S, spans_to
from worker.settings.seen import TracingSettings


def test_spans_arrive_with_the_name_of_the_service_and_its_slot() -> None:
    with collecting() as collector:
        url = TracingSettings(endpoint=collector.endpoint).traces_url
        with spans_to(url, slot=3) as spans, spans.commit(()):
            pass
        wait_for(lambda: collector.spans("commit"), "the span")
        assert collector.paths == {"/v1/traces"}
        (resource,) = collector.received
    named = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert (named["service.name"], named["service.instance.id"]) == ("latentprint", "slot-3")


def test_a_collector_that_takes_and_never_answers_holds_nobody_up_at_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
        with spans_to(url, slot=0) as spans:
            with spans.commit(()):
                pass
            began = time.monotonic()
        assert time.monotonic() - began < CLOSE_S + 2.0


def test_without_the_extra_the_setting_is_refused_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with spans_to(None, slot=0) as spans, spans.part("extract") as span:
        assert not span.is_recording()
    with (
        pytest.raises(StopError, match=r"pip install 'latentprint\[otel\]'") as stop,
        spans_to("http://127.0.0.1:4318/v1/traces", slot=0),
    ):
        pytest.fail("it went on")
    assert stop.value.exit_code == 2


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("https://collector.example/", "https://collector.example/v1/traces"),
        ("http://gateway/otel/v1/traces", "http://gateway/otel/v1/traces"),
        (None, None),
    ],
)
def test_a_collectors_own_path_is_added_where_none_is_given(
    endpoint: str | None, url: str | None
) -> None:
    assert TracingSettings(endpoint=endpoint).traces_url == url


@pytest.mark.parametrize(
    "endpoint", ["collector:4318", "grpc://collector:4317", "http://", "http://a:b@c", "http://c:x"]
)
def test_an_address_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="expected http://HOST:PORT"):
        TracingSettings(endpoint=endpoint)
