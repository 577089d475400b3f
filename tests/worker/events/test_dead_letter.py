"""Dead letters: out and back, and the event inside once more."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import RejectError
from worker.events.cloudevents import Origin, RawRecord
from worker.events.dead_letter import DeadLetter, read_dead_letter
from worker.events.image_event import parse_image_event
from worker.events.redrive import first_record

EXAMPLES = Path(__file__).parent / "examples"
ORIGIN = Origin("images", 3, 42)
REDRIVES = "redrives"


def test_the_old_dead_letter_still_reads() -> None:
    document = json.loads((EXAMPLES / "dead-letter.json").read_text())
    headers = tuple((name, base64.b64decode(text)) for name, text in document["headers"])
    key, value = (base64.b64decode(document[f"{part}_base64"]) for part in ("key", "value"))
    letter = read_dead_letter(RawRecord(Origin("dead-letters", 0, 0), key, value, headers))
    assert letter.origin == Origin("latentprint.images", 3, 42)
    assert (letter.code, letter.attempts) == ("schema", 1)
    assert letter.headers == (("ce_id", b"9f0c5a52-0001"),)


DLQ_HEADERS = [
    f"dlq.{name}"
    for name in (
        "reason", "stage", "message", "topic", "partition", "offset", "attempts",
        "null-headers", "null-value", "omitted", "value-bytes", "value-sha256",
    )
]  # fmt: skip
HEADERS = st.lists(
    st.tuples(
        st.text(max_size=10) | st.sampled_from(DLQ_HEADERS),
        st.none() | st.binary(max_size=20),
    ),
    max_size=5,
)


@given(st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=20), HEADERS)
def test_a_dead_letter_returns_key_value_and_headers_byte_for_byte(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    letter = DeadLetter(
        ORIGIN, key, value, tuple(headers), "schema", "event", "no ünicode", attempts=2
    )
    sent = letter.outgoing()
    assert sent.key is not None or sent.value is not None, "the client refuses neither"
    received = RawRecord(Origin("dead-letters", 0, 0), sent.key, sent.value, tuple(sent.headers))
    assert read_dead_letter(received) == letter


def test_an_event_that_dies_again_keeps_the_first_letter_inside() -> None:
    first = DeadLetter(ORIGIN, b"k", b"v", (("a", b"1"),), "schema", "event", "first")
    again = DeadLetter(
        Origin("images", 0, 7), b"k", b"v", tuple(first.outgoing().headers), "x", "y", "second"
    )
    record = RawRecord(ORIGIN, b"k", b"v", tuple(again.outgoing().headers))
    assert read_dead_letter(record) == again


def test_a_dead_letter_too_large_to_send_loses_its_value_and_says_so() -> None:
    letter = DeadLetter(ORIGIN, b"k", b"v" * 50_000, (("a", b"1"),), "too_large", "event", "m")
    assert letter.outgoing(60_000).value == letter.value
    small = letter.outgoing(40_000)
    headers = dict(small.headers)
    assert small.value == b""
    assert headers["dlq.omitted"] == b"value"
    assert headers["dlq.value-bytes"] == b"50000"
    assert headers["a"] == b"1"
    smallest = dict(letter.outgoing(10).headers)
    assert smallest["dlq.omitted"] == b"value,headers"
    assert smallest["dlq.offset"] == b"42"


def test_a_record_of_another_kind_is_no_dead_letter() -> None:
    with pytest.raises(ValueError, match="is no dead letter"):
        read_dead_letter(RawRecord(ORIGIN, b"k", b"v", (("ce_id", b"1"),)))


def redriven(letter: DeadLetter, **changed: bytes) -> RawRecord:
    """The letter as it comes in by the topic of redrives, with `dlq.*` headers changed."""
    sent = letter.outgoing()
    headers = tuple(
        (name, changed.get(name.removeprefix("dlq."), content)) for name, content in sent.headers
    )
    return RawRecord(Origin(REDRIVES, 0, 5), sent.key, sent.value, headers)


EVENT_HEADERS: tuple[tuple[str, bytes | None], ...] = (
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e-1"),
    ("ce_source", b"/uploads"),
    ("ce_type", b"latentprint.image.v1"),
)


@pytest.mark.parametrize("name", DLQ_HEADERS)
def test_a_senders_own_header_of_a_dead_letter_changes_nothing_of_the_event(name: str) -> None:
    headers = (*EVENT_HEADERS, (name, b"0"))
    letter = DeadLetter(ORIGIN, b"k", b"image", headers, "model_error", "inference", "m", 2)
    first = first_record(redriven(letter), REDRIVES)
    assert (first.origin, first.value, first.headers) == (ORIGIN, b"image", headers)
    assert parse_image_event(first).data == b"image"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("partition", b"-1", "partition -1"),
        ("partition", b"2147483648", "partition 2147483648"),
        ("partition", b"x", "invalid literal"),
        ("offset", b"-7", "offset -7"),
        ("offset", b"9223372036854775808", "offset 9223372036854775808"),
        ("topic", b"", "topic ''"),
        ("topic", b"a/b", "topic 'a/b'"),
        ("topic", b"\xff", "utf-8"),
        ("attempts", b"0", "0 attempts"),
        ("attempts", b"-3", "-3 attempts"),
        ("attempts", b"99999999999", "99999999999 attempts"),
    ],
)
def test_a_redriven_record_that_names_no_place_is_rejected_as_it_is(
    name: str, content: bytes, words: str
) -> None:
    letter = DeadLetter(ORIGIN, b"k", b"image", EVENT_HEADERS, "model_error", "inference", "m")
    record = redriven(letter, **{name: content})
    first = first_record(record, REDRIVES)
    assert first.origin == record.origin, "under its own place"
    with pytest.raises(RejectError, match=words) as caught:
        parse_image_event(first)
    assert caught.value.code == "schema"


@pytest.mark.parametrize(("partition", "offset"), [(-1, 0), (0, -1), (2**31, 0), (0, 2**63)])
def test_no_origin_names_a_place_that_kafka_has_not(partition: int, offset: int) -> None:
    assert Origin("images", 2**31 - 1, 2**63 - 1).partition == 2**31 - 1
    with pytest.raises(ValueError, match="is none"):
        Origin("images", partition, offset)


def test_what_a_letter_lost_is_known_when_it_is_read_back() -> None:
    letter = DeadLetter(ORIGIN, b"k", b"v" * 5000, (("dlq.omitted", b"x"),), "too_large", "e", "m")
    sent = letter.outgoing(4000)
    received = RawRecord(ORIGIN, sent.key, sent.value, tuple(sent.headers))
    assert read_dead_letter(received).omitted == ("value",)


@pytest.mark.parametrize("topic_id", [None, "ffffffff-72dd-5ff5-a7a5-912e8ff53a68"])
def test_a_dead_letter_says_what_its_topic_was_so_that_a_redrive_keeps_its_id(
    topic_id: str | None,
) -> None:
    origin = Origin("images", 3, 42, topic_id)
    out = DeadLetter(origin, b"k", b"v", (), "schema", "event", "no").outgoing()
    again = RawRecord(Origin("redrives", 0, 0, "another"), out.key, out.value, out.headers)
    assert first_record(again, "redrives").origin == origin
