"""Image events in both content modes, and the records that leave."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from worker.errors import RejectError
from worker.events.cloudevents import Origin, RawRecord, subject_bytes
from worker.events.image_event import MAX_KEY_BYTES, parse_image_event
from worker.events.records import (
    Alert,
    FingerprintRecord,
    Verdict,
    alert_id,
    encode_fingerprint,
    outgoing,
    verdict_id,
)

EXAMPLES = Path(__file__).parent / "examples"
ORIGIN = Origin("images", 3, 42)
REQUIRED = {
    "ce_specversion": b"1.0",
    "ce_id": b"e-1",
    "ce_source": b"/uploads",
    "ce_type": b"latentprint.image.v1",
}
FILE_NAMES = st.binary(min_size=1, max_size=200).filter(lambda name: b"\0" not in name)


def binary(value: bytes | None = b"\xff\xd8", **headers: bytes | None) -> RawRecord:
    """A record in binary mode; a header given as None is left out."""
    named = {**REQUIRED, "content-type": b"image/jpeg", **headers}
    kept = tuple((name, content) for name, content in named.items() if content is not None)
    return RawRecord(ORIGIN, b"key", value, kept)


def structured(**changes: Any) -> RawRecord:
    """A record in structured mode; an attribute given as None is JSON null."""
    document = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/uploads",
        "type": "latentprint.image.v1",
        "datacontenttype": "image/png",
        "data_base64": base64.b64encode(b"\x89PNG").decode(),
        **changes,
    }
    return as_structured(json.dumps(document).encode())


def as_structured(value: bytes | None) -> RawRecord:
    content_type = b"application/cloudevents+json; charset=UTF-8"
    return RawRecord(ORIGIN, None, value, (("content-type", content_type),))


def rejection(record: RawRecord, **options: Any) -> RejectError:
    with pytest.raises(RejectError) as caught:
        parse_image_event(record, **options)
    return caught.value


def verdict(**changes: Any) -> Verdict:
    document = json.loads((EXAMPLES / "verdict.json").read_text())
    return Verdict.model_validate({**document, **changes})


def test_a_binary_event_carries_its_attributes_and_the_bytes_as_they_are() -> None:
    event = parse_image_event(
        binary(ce_subject="Grüße/ein Bild.jpg".encode(), ce_time=b"2026-01-31T12:00:00.5Z")
    )
    assert (event.event_id, event.source, event.data) == ("e-1", "/uploads", b"\xff\xd8")
    assert event.subject == "Grüße/ein Bild.jpg"
    assert event.time == datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)
    assert (event.origin, event.key, event.content_type) == (ORIGIN, b"key", "image/jpeg")


def test_a_structured_event_means_the_same_as_a_binary_one() -> None:
    event = parse_image_event(structured(subject="a b/ü.png", time="2026-01-31T13:00:00+01:00"))
    assert (event.event_id, event.source, event.data) == ("e-1", "/uploads", b"\x89PNG")
    assert event.subject == "a b/ü.png"
    assert event.time == datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@given(FILE_NAMES)
def test_any_file_name_survives_as_subject_and_becomes_valid_json(name: bytes) -> None:
    event = parse_image_event(binary(ce_subject=name))
    assert event.subject is not None
    assert subject_bytes(event.subject) == name
    record = outgoing(verdict(subject=event.subject, subject_base64=None), key=name)
    assert dict(record.headers)["ce_subject"] == name
    assert record.value is not None
    shown = Verdict.model_validate_json(record.value.decode("utf-8", "strict"))
    assert subject_bytes(shown.exact_subject() or "") == name


def test_a_subject_that_is_not_utf8_is_shown_escaped_beside_its_exact_bytes() -> None:
    shown = verdict(subject=b"caf\xe9.jpg".decode("utf-8", "surrogateescape"))
    assert shown.subject == r"caf\xe9.jpg"
    assert shown.subject_base64 == base64.b64encode(b"caf\xe9.jpg").decode()
    assert verdict(subject="café.jpg").subject_base64 is None


@pytest.mark.parametrize("name", sorted(REQUIRED))
@pytest.mark.parametrize("value", [None, b""])
def test_a_missing_or_empty_required_attribute_is_rejected_by_name(
    name: str, value: bytes | None
) -> None:
    error = rejection(binary(**{name: value}))
    assert (error.code, error.stage) == ("schema", "event")
    assert name in error.message


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (binary(ce_specversion=b"0.3"), "specversion is '0.3'"),
        (binary(ce_type=b"latentprint.verdict.v1"), "latentprint.verdict.v1"),
        (binary(ce_source=b"\xff"), "not UTF-8"),
        (binary(ce_id=b"x" * 4097), "4097 bytes"),
        (binary(ce_time=b"yesterday"), "RFC 3339"),
        (binary(ce_time=b"2026-02-31T00:00:00Z"), "RFC 3339"),
        (binary(ce_time=b"2026-01-31T00:00:00"), "RFC 3339"),
        (binary(None), "no data"),
        (binary(**{"content-type": b"text/html"}), "text/html"),
        (binary(**{"content-type": b"application/cloudevents+avro"}), "structured format"),
        (binary(**{"content-type": b"application/cloudevents-batch+json"}), "batches"),
        (RawRecord(ORIGIN, b"k" * (MAX_KEY_BYTES + 1), b"x", binary().headers), "the key has"),
        (RawRecord(ORIGIN, None, b"x", (*binary().headers, ("ce_id", b"2"))), "comes twice"),
        (RawRecord(ORIGIN, None, b"\xff\xd8"), "not a CloudEvent"),
        (as_structured(None), "no value"),
        (as_structured(b"{"), "not a JSON document"),
        (as_structured(b"\xff\xfe{}"), "not a JSON document"),
        (as_structured(b"[]"), "got `array`"),
        (as_structured(b'{"x":' + b"[" * 200_000), "nested too deeply"),
        (structured(id=7), "attribute id is a number"),
        (structured(source=None), "source is missing"),
        (structured(subject="\ud800 half a pair"), "not a JSON document"),
        (structured(data_base64="no base64!"), "not base64"),
        (structured(data_base64=7), "`data_base64` is a number"),
        (structured(data_base64=None), "no data"),
        (structured(data={"pixels": []}, data_base64=None), "expected in `data_base64`"),
    ],
)
def test_what_breaks_a_rule_is_rejected_with_the_rule(record: RawRecord, words: str) -> None:
    error = rejection(record)
    assert error.code == "schema"
    assert words in error.message


def test_an_image_at_the_size_limit_passes_and_one_byte_more_is_too_large() -> None:
    assert parse_image_event(binary(b"x" * 10), max_image_bytes=10).data == b"x" * 10
    assert rejection(binary(b"x" * 11), max_image_bytes=10).code == "too_large"
    encoded = base64.b64encode(b"x" * 11).decode()
    assert rejection(structured(data_base64=encoded), max_image_bytes=10).code == "too_large"


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        b"",
        b"image/gif",
        b"application/octet-stream",
        b"binary/octet-stream",
        b"Binary/Octet-Stream; charset=binary",
        b"IMAGE/JPEG; q=1",
    ],
)
def test_content_types_that_may_be_images_are_left_to_decode(content_type: bytes | None) -> None:
    assert parse_image_event(binary(**{"content-type": content_type})).data == b"\xff\xd8"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2016-12-31t23:59:60.25z", datetime(2017, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)),
        ("2017-01-01T00:59:60+01:00", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456789Z", datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-01-31T12:00:00-00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("", None),
    ],
)
def test_every_time_of_rfc_3339_is_read_leap_seconds_too(
    written: str, meant: datetime | None
) -> None:
    assert parse_image_event(binary(ce_time=written.encode())).time == meant
    assert parse_image_event(structured(time=written)).time == meant


@pytest.mark.parametrize("written", ["9999-12-31T23:59:60Z", "2016-12-31T23:59:61Z"])
def test_a_leap_second_that_no_calendar_holds_is_refused(written: str) -> None:
    assert "RFC 3339" in rejection(binary(ce_time=written.encode())).message


def test_names_of_headers_are_read_in_any_case_and_content_types_too() -> None:
    upper = tuple((name.upper(), content) for name, content in binary().headers)
    assert parse_image_event(RawRecord(ORIGIN, None, b"x", upper)).event_id == "e-1"
    for content_type in (
        b"application/cloudevents+json",
        b"Application/CloudEvents+JSON;charset=utf-8",
        b" application/cloudevents+json ; charset=UTF-8",
    ):
        headers = (("Content-Type", content_type),)
        record = RawRecord(ORIGIN, None, b"\xef\xbb\xbf" + (structured().value or b""), headers)
        assert parse_image_event(record).data == b"\x89PNG"


def test_an_empty_content_type_is_none() -> None:
    for empty in ("", " "):
        assert parse_image_event(binary(**{"content-type": empty.encode()})).content_type is None
        assert parse_image_event(structured(datacontenttype=empty)).content_type is None


def test_an_empty_file_is_an_event_whose_image_decode_will_refuse() -> None:
    assert parse_image_event(binary(b"")).data == b""


@given(st.binary(max_size=300), st.dictionaries(st.text(max_size=20), st.binary(max_size=50)))
def test_arbitrary_records_are_read_or_rejected_and_nothing_else(
    value: bytes, headers: dict[str, bytes]
) -> None:
    record = RawRecord(ORIGIN, None, value, tuple((REQUIRED | headers).items()))
    try:
        outcome = parse_image_event(record).data
    except RejectError as error:
        outcome = error.code.encode()
    assert outcome in (value, b"schema")


def test_ids_are_the_same_on_every_attempt_and_differ_with_their_inputs() -> None:
    first = verdict_id(ORIGIN, "digest")
    assert first == UUID("20e46781-210d-5e18-9d55-c816d2ef3760")
    others = [
        verdict_id(Origin("images", 3, 43), "digest"),
        verdict_id(Origin("images", 4, 42), "digest"),
        verdict_id(ORIGIN, "other"),
        verdict_id(Origin("images", 3, 42, "a topic id"), "digest"),
        alert_id(first),
    ]
    assert len({first, *others}) == 6


def test_output_records_are_cloudevents_in_binary_mode_under_the_input_key() -> None:
    record = outgoing(verdict(), key=b"k")
    headers = dict(record.headers)
    assert record.key == b"k"
    assert headers["ce_type"] == b"latentprint.verdict.v1"
    assert headers["ce_id"].decode() == str(verdict().verdict_id)
    assert headers["ce_time"] == b"2026-01-31T12:00:00Z"
    assert headers["content-type"] == b"application/json"
    assert json.loads(record.value or b"")["outcome"] == "attributed"


def test_a_verdict_cannot_hide_an_error() -> None:
    with pytest.raises(ValidationError, match="at least one reason"):
        verdict(outcome="undetermined", model=None, model_id=None, reasons=())
    with pytest.raises(ValidationError, match="must name its model"):
        verdict(model=None, model_id=None)
    with pytest.raises(ValidationError, match="cannot name a model"):
        verdict(outcome="no_evidence")
    with pytest.raises(ValidationError, match="finite"):
        verdict(crop_agreement=float("nan"))


def test_a_reader_ignores_fields_it_does_not_know_but_no_other_major_version() -> None:
    assert verdict(schema_version="1.7", invented_tomorrow=1).schema_version == "1.7"
    with pytest.raises(ValidationError, match="schema_version"):
        verdict(schema_version="2.0")


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("verdict", Verdict),
        ("verdict-1.1", Verdict),
        ("alert", Alert),
        ("fingerprint", FingerprintRecord),
    ],
)
def test_old_examples_still_parse_and_come_back_unchanged(
    name: str, model: type[Verdict] | type[Alert] | type[FingerprintRecord]
) -> None:
    text = (EXAMPLES / f"{name}.json").read_text()
    again = json.loads(model.model_validate_json(text).model_dump_json())
    assert of_old_fields(again, json.loads(text)) == json.loads(text)


def of_old_fields(new: Any, old: Any) -> Any:
    """What `new` holds in the places that `old` has; fields that came later are left out."""
    if isinstance(old, dict):
        return {key: of_old_fields(new[key], own) for key, own in old.items()}
    if isinstance(old, list):
        assert len(new) == len(old)
        return [of_old_fields(one, own) for one, own in zip(new, old, strict=True)]
    return new


def test_fields_that_an_old_verdict_has_not_are_null() -> None:
    """So that a reader of both tells what was not measured from what was not yet there."""
    old = verdict()
    assert (old.name_test, old.evidence) == (None, None)
    assert [(c.condition, c.lead) for c in old.candidates] == [(None, None)] * 2
    document = json.loads((EXAMPLES / "verdict-1.1.json").read_text())
    new = Verdict.model_validate(document)
    assert new.name_test is not None
    assert new.evidence is not None
    assert [(c.condition, c.lead) for c in new.candidates] == [
        ("half_jpeg90", 31.5),
        ("jpeg90", -31.5),
    ]
    del document["schema_version"]
    assert Verdict.model_validate(document).schema_version == "1.1"


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("name_test", "p_value", 1.5),
        ("name_test", "source_count", -1),
        ("name_test", "worst_source_share", float("nan")),
        ("evidence", "familiarity_limit", 0.0),
        ("evidence", "familiarity_distance", float("inf")),
        ("evidence", "earlier_jpeg_quality", 101),
        ("evidence", "blocks", {"block_dct": float("nan")}),
    ],
)
def test_numbers_that_cannot_be_are_refused(part: str, name: str, value: object) -> None:
    document = json.loads((EXAMPLES / "verdict-1.1.json").read_text())
    document[part][name] = value
    with pytest.raises(ValidationError, match=name):
        Verdict.model_validate(document)


def test_the_old_image_event_still_parses() -> None:
    event = parse_image_event(as_structured((EXAMPLES / "image.json").read_bytes()))
    assert event.subject == "2026/01/café.jpg"
    assert event.data.startswith(b"\xff\xd8")


def test_a_fingerprint_comes_back_as_float16_numbers() -> None:
    vector = np.linspace(-3, 3, 64, dtype=np.float32)
    text = (EXAMPLES / "fingerprint.json").read_text()
    document = {**json.loads(text), "fingerprint": encode_fingerprint(vector), "dimension": 64}
    record = FingerprintRecord.model_validate(document)
    assert record.vector().tolist() == [float(np.float16(x)) for x in vector]
    with pytest.raises(ValidationError, match="126 are expected"):
        FingerprintRecord.model_validate({**document, "dimension": 63})


def test_a_fingerprint_is_told_in_every_space_that_its_file_is_read_in() -> None:
    document = json.loads((EXAMPLES / "fingerprint.json").read_text())
    one, two = np.array([1.0, 2.0], np.float32), np.array([3.0, 4.0], np.float32)
    changes = {"fingerprint": encode_fingerprint(one), "dimension": 2, "codec": "lossless"}
    further = {"half_lossless": encode_fingerprint(two)}
    record = FingerprintRecord.model_validate({**document, **changes, "further": further})
    found = {codec: vector.tolist() for codec, vector in record.readings().items()}
    assert found == {"lossless": [1.0, 2.0], "half_lossless": [3.0, 4.0]}
    without = FingerprintRecord.model_validate({**document, **changes, "codec": None})
    assert (without.further, without.readings()) == ({}, {})
    longer = {"half_lossless": encode_fingerprint(np.zeros(3, np.float32))}
    with pytest.raises(ValidationError, match="6 bytes; 4 are expected"):
        FingerprintRecord.model_validate({**document, **changes, "further": longer})


@pytest.mark.parametrize("bad", [np.inf, np.nan, 70_000.0])
def test_a_fingerprint_that_float16_cannot_hold_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="at most 65504"):
        encode_fingerprint(np.array([0.0, bad], dtype=np.float32))
