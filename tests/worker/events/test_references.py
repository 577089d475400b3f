"""An event may name its image instead of carrying it, in either mode."""

import pytest

from tests.worker.events.test_events import binary, rejection, structured
from worker.events.cloudevents import RawRecord
from worker.events.image_event import parse_image_event


@pytest.mark.parametrize(
    "record",
    [
        structured(data_base64=None, uri="https://x.test/a.jpg?signature=abc"),
        structured(data_base64=None, data={"uri": "https://x.test/a.jpg?signature=abc"}),
        structured(
            data_base64=None,
            data={"uri": "https://x.test/a.jpg?signature=abc"},
            datacontenttype="application/json; charset=utf-8",
        ),
        structured(data_base64=None, dataref="https://x.test/a.jpg?signature=abc"),
        binary(None, ce_dataref=b"https://x.test/a.jpg?signature=abc"),
        binary(b"", ce_uri=b"https://x.test/a.jpg?signature=abc"),
    ],
)
def test_an_event_may_name_its_image_instead_of_carrying_it(record: RawRecord) -> None:
    event = parse_image_event(record)
    assert event.reference == "https://x.test/a.jpg?signature=abc"
    assert (event.data, event.fetched_from) == (b"", None)
    assert "signature" not in repr(event)


def test_an_image_that_an_event_carries_wins_over_a_reference_beside_it() -> None:
    for record in (
        binary(b"\xff\xd8", ce_dataref=b"https://x.test/a.jpg"),
        structured(dataref="https://x.test/a.jpg", uri="https://x.test/b.jpg"),
    ):
        event = parse_image_event(record)
        assert event.data
        assert event.reference is None


def test_the_name_of_the_extension_counts_before_that_of_the_habit() -> None:
    both = binary(None, ce_dataref=b"s3://b/right", ce_uri=b"s3://b/other")
    assert parse_image_event(both).reference == "s3://b/right"


def test_a_reference_longer_than_an_attribute_may_be_is_no_event() -> None:
    error = rejection(binary(None, ce_dataref=b"https://x.test/" + b"a" * 4096))
    assert error.code == "schema"
    assert "4096" in error.message


def test_what_is_no_image_by_the_events_own_word_is_not_fetched() -> None:
    for content_type in (b"text/html", b"application/pdf"):
        record = binary(None, ce_dataref=b"https://x.test/a", **{"content-type": content_type})
        assert "content type" in rejection(record).message
    assert "application/json" in rejection(binary(**{"content-type": b"application/json"})).message
