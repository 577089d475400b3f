"""The trace of an event is carried on as it came, and one that is broken never costs a verdict."""

import base64
import json

import pytest

from worker.events.cloudevents import Origin, RawRecord
from worker.events.image_event import ImageEvent, parse_image_event
from worker.events.trace_context import TraceContext

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def parsed(*headers: tuple[str, bytes | None]) -> ImageEvent:
    """An event in binary mode with these headers besides its own."""
    own: tuple[tuple[str, bytes | None], ...] = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"1"),
        ("ce_source", b"/test"),
        ("ce_type", b"upload"),
    )
    return parse_image_event(RawRecord(Origin("images", 0, 1), None, b"image", (*own, *headers)))


def structured(**attributes: object) -> ImageEvent:
    """An event in structured mode with these attributes besides its own."""
    document = {
        "specversion": "1.0",
        "id": "1",
        "source": "/test",
        "type": "upload",
        "data_base64": base64.b64encode(b"image").decode(),
    } | attributes
    headers = (("content-type", b"application/cloudevents+json"),)
    value = json.dumps(document).encode()
    return parse_image_event(RawRecord(Origin("images", 0, 1), None, value, headers))


def test_the_extension_is_read_in_both_modes_with_its_state() -> None:
    expected = TraceContext(PARENT, "vendor=1")
    both = (("ce_traceparent", PARENT.encode()), ("ce_tracestate", b"vendor=1"))
    assert parsed(*both).trace == expected
    assert structured(traceparent=PARENT, tracestate="vendor=1").trace == expected
    assert expected.headers() == both
    assert expected.ids == (int(TRACE, 16), int(SPAN, 16), 1)


def test_the_header_of_whoever_sent_the_record_stands_in_where_the_event_has_none() -> None:
    other = PARENT.replace("4bf9", "5bf9")
    assert parsed(("traceparent", PARENT.encode())).trace == TraceContext(PARENT)
    mixed = (("traceparent", other.encode()), ("ce_traceparent", PARENT.encode()))
    assert parsed(*mixed).trace == TraceContext(PARENT)
    assert parsed().trace is None


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        b"0" * 100_000,
        PARENT.upper().encode(),
        f"ff-{TRACE}-{SPAN}-01".encode(),
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"{PARENT}\n".encode(),
        f"{PARENT}-more".encode(),
        f"00-{TRACE}-{SPAN}-0\u0661".encode(),
    ],
)
def test_what_is_of_another_form_is_as_if_it_were_not_there(broken: bytes) -> None:
    assert parsed(("ce_traceparent", broken), ("traceparent", broken)).trace is None
    assert structured(traceparent=broken.decode("utf-8", "replace")).trace is None
    twice = (("ce_traceparent", PARENT.encode()), ("ce_traceparent", broken))
    assert parsed(*twice).trace is not None or len(broken) == 0


@pytest.mark.parametrize("broken", [7, True, None, [PARENT], {"a": 1}, "x" * 5000])
def test_a_trace_that_is_no_string_fails_no_event(broken: object) -> None:
    event = structured(traceparent=broken, tracestate=broken)
    assert event.data == b"image"
    assert event.trace is None


@pytest.mark.parametrize("state", [b"x" * 513, b"\xff", b"", b"a\x00b", "é=1".encode()])
def test_a_state_that_cannot_be_carried_on_is_left_out(state: bytes) -> None:
    found = parsed(("ce_traceparent", PARENT.encode()), ("ce_tracestate", state)).trace
    assert found == TraceContext(PARENT)
