"""The JSON format: what a document may hold, and what reading one may cost."""

import base64
import json
import time
import tracemalloc
from typing import Any

import pytest

from worker.events.attributes import MAX_ATTRIBUTE_BYTES, MalformedEventError
from worker.events.json_format import MAX_MEMBERS, MAX_NAME_BYTES, read_json_event

MIB = 1024 * 1024
EVENT = {"specversion": "1.0", "id": "e-1", "source": "/s", "type": "t"}
IMAGE = bytes(range(256)) * 3


def document(**changes: Any) -> bytes:
    return json.dumps({**EVENT, **changes}).encode()


def with_member(text: bytes) -> bytes:
    """The event with one more member, given as the text of its name and value."""
    return document()[:-1] + b", " + text + b"}"


def refusal(value: bytes) -> str:
    with pytest.raises(MalformedEventError) as caught:
        read_json_event(value)
    return str(caught.value)


def repeated(piece: bytes, size: int = 10 * MIB) -> bytes:
    return piece * (size // len(piece))


HOSTILE = {
    "arrays in an extension": with_member(b'"x": [' + repeated(b"[],") + b"[]]"),
    "objects in an extension": with_member(b'"x": [' + repeated(b'{"a":1},') + b"0]"),
    "arrays in the data": with_member(b'"data": [' + repeated(b"[],") + b"[]]"),
    "members in the data": with_member(b'"data": {' + repeated(b'"a":{},') + b'"a":0}'),
    "arrays in data_base64": with_member(b'"data_base64": [' + repeated(b"[],") + b"[]]"),
    "arrays in the id": with_member(b'"type ": [' + repeated(b"[],") + b"[]]"),
    "members": with_member(b",".join(b'"k%d":0' % i for i in range(900_000))),
    "a long name": with_member(b'"' + repeated(b"n") + b'":0'),
    "a long attribute": with_member(b'"x":"' + repeated(b"v") + b'"'),
    "a long number": with_member(b'"x":' + repeated(b"9")),
    "many documents": repeated(b"{}"),
    "words and spaces": with_member(b'"data_base64":"' + repeated(b"aa ") + b'a"'),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_at_no_more_than_a_few_times_its_weight(name: str) -> None:
    value = HOSTILE[name]
    tracemalloc.start()
    try:
        assert refusal(value)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3.5 * len(value), f"{peak / MIB:.0f} MiB for {len(value) / MIB:.0f}"


def test_a_hostile_document_holds_the_interpreter_for_a_fraction_of_a_second() -> None:
    started = time.thread_time()
    refusal(HOSTILE["arrays in an extension"])
    assert time.thread_time() - started < 1.0


def test_an_image_of_the_largest_size_costs_a_few_times_its_weight() -> None:
    value = document(data_base64=base64.b64encode(bytes(10 * MIB)).decode())
    tracemalloc.start()
    try:
        _, data = read_json_event(value)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert data == bytes(10 * MIB)
    assert peak < 3.5 * len(value)


@pytest.mark.parametrize(
    "member",
    [b'"id": "e-2"', b'"id": "e-1"', b'"\\u0069d": "e-2"', b'"id": null', b'"x": 1, "x": 1'],
)
def test_a_member_that_comes_twice_is_refused_for_nobody_can_say_which_one_counts(
    member: bytes,
) -> None:
    assert "comes twice" in refusal(with_member(member))


@pytest.mark.parametrize("member", [b'"x": {"id": 1, "id": 2}', b'"x": 1.5', b'"x": []'])
def test_extensions_that_cloudevents_does_not_know_are_refused_by_name(member: bytes) -> None:
    assert "extension attribute x is" in refusal(with_member(member))


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 10**30, 1e3])
def test_a_number_beyond_32_bits_is_no_extension(number: float) -> None:
    assert "integer of 32 bits" in refusal(document(x=number))


def test_strings_booleans_integers_and_null_are_extensions() -> None:
    limits = {"low": -(2**31), "high": 2**31 - 1}
    attributes, data = read_json_event(document(a="s", b=True, c=False, d=None, **limits))
    assert (attributes, data) == ({**EVENT, "a": "s"}, None)


def test_an_attribute_is_measured_in_bytes_of_utf8_however_it_was_escaped() -> None:
    longest = "ü" * (MAX_ATTRIBUTE_BYTES // 2)
    for ascii_only in (True, False):
        value = json.dumps({**EVENT, "x": longest}, ensure_ascii=ascii_only).encode()
        assert read_json_event(value)[0]["x"] == longest
        value = json.dumps({**EVENT, "x": longest + "u"}, ensure_ascii=ascii_only).encode()
        assert f"{MAX_ATTRIBUTE_BYTES + 1} bytes" in refusal(value)


def test_as_many_members_as_allowed_and_no_more_are_read() -> None:
    more = {f"k{i}": i for i in range(MAX_MEMBERS - len(EVENT))}
    assert read_json_event(document(**more))[0] == EVENT
    assert "more than" in refusal(document(**more, one_more=1))
    assert "name longer" in refusal(document(**{"n" * (MAX_NAME_BYTES + 1): 1}))


@pytest.mark.parametrize(
    ("encode", "why"),
    [
        (lambda text: text, "as it is"),
        (lambda text: "\r\n".join(text[i : i + 76] for i in range(0, len(text), 76)), "mail"),
        (lambda text: "\n".join(text[i : i + 64] for i in range(0, len(text), 64)) + "\n", "PEM"),
        (lambda text: f"\n\t  {text[:10]}\n  {text[10:]}  ", "indented XML"),
    ],
)
def test_base64_is_read_with_the_line_ends_of_its_encoder(encode: Any, why: str) -> None:
    text = encode(base64.b64encode(IMAGE).decode())
    assert read_json_event(document(data_base64=text))[1] == IMAGE, why


def test_a_slash_escaped_as_php_does_is_a_slash() -> None:
    value = document(data_base64=base64.b64encode(b"\xff" * 6).decode()).replace(b"/", b"\\/")
    attributes, data = read_json_event(value)
    assert (attributes["source"], data) == ("/s", b"\xff" * 6)


@pytest.mark.parametrize("text", ["YQ", "YQ==YQ==", "Y-_Y", "YQ=\x0b=", "YWFh\u2028", "?"])
def test_what_is_not_base64_is_refused(text: str) -> None:
    assert "is not base64" in refusal(document(data_base64=text))


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read_json_event(b"\xef\xbb\xbf" + document())[0] == EVENT


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"[]", b"7", b"null", b"{} {}", b"\xff\xfe{}", with_member(b'"x": NaN')],
)
def test_what_is_no_document_is_refused(value: bytes) -> None:
    assert "JSON document" in refusal(value)


@pytest.mark.parametrize("member", [b'"x": "\xff"', b'"\xff": 1', b'"x": "\xed\xa0\x80"'])
def test_what_is_not_utf8_is_refused(member: bytes) -> None:
    assert "UTF-8" in refusal(with_member(member))
