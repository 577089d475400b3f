"""The JSON format of CloudEvents: one document that holds the attributes and the data.

The document comes from a stranger and is read outside the sandbox, so that reading it must cost
no more than it weighs. Its members are found without building what they hold; then those that an
event has are built one by one, each within its limit.
"""

import base64
import binascii
import contextlib
import re

import msgspec

from worker.events.attributes import MAX_ATTRIBUTE_BYTES, MalformedEventError
from worker.events.trace_context import MAX_BYTES, NAMES

MAX_MEMBERS = 256
"""The most members of a document: an event has about ten, a traced and signed one twenty more."""

MAX_NAME_BYTES = 256

_TEXT = frozenset(
    ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataref", "uri")
)
"""The members that are strings wherever they are given; `null` is as if they were not."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONGEST_ESCAPED = 6 * MAX_ATTRIBUTE_BYTES + 2
"""Of an attribute with every sign escaped as in \\u0041, and its quotes."""

_INTEGER = re.compile(rb"-?[0-9]{1,10}")
_KINDS = {
    "{": "an object",
    "[": "an array",
    '"': "a string",
    "t": "true",
    "f": "false",
    "n": "null",
}


class _Name(str):
    """The name of a member; a type of its own, so that each one is seen as it is met."""

    __slots__ = ()


class _Reference(msgspec.Struct):
    """`data` that only says where the data is."""

    uri: str


def read_json_event(value: bytes) -> tuple[dict[str, str], bytes | None]:
    """The attributes that are strings, and the data. Raises MalformedEventError.

    Besides strings an extension may be a boolean or an integer of 32 bits; these are checked and
    left out, since nothing here reads them.
    """
    members = _members(value)
    data = _data(members)
    attributes = {}
    for name, raw in members.items():
        kind = _kind(raw)
        if kind == "null" or name in ("data", "data_base64"):
            continue
        if name in NAMES:  # a trace that cannot be read is no reason to judge no image
            if kind == "a string" and len(raw) <= MAX_BYTES + 2:
                with contextlib.suppress(MalformedEventError):
                    attributes[name] = _attribute(name, raw)
        elif kind == "a string":
            attributes[name] = _attribute(name, raw)
        elif name in _TEXT:
            raise MalformedEventError(f"attribute {name} is {kind}; a string is expected")
        elif not _is_simple(raw):
            raise MalformedEventError(
                f"extension attribute {name} is {kind}; a string, a boolean or an integer of 32"
                " bits is expected"
            )
    return attributes, data


def _members(value: bytes) -> dict[str, memoryview]:
    """Each member's text by its name; nothing is built of it, and no name comes twice."""
    text = memoryview(value)
    if value.startswith(_BYTE_ORDER_MARK):
        text = text[len(_BYTE_ORDER_MARK) :]
    names: set[str] = set()

    def name_of(_: type, name: str) -> _Name:
        if name in names:
            raise ValueError(
                f"member {name!r} comes twice; one is expected, for nobody can say which one counts"
            )
        if len(names) == MAX_MEMBERS or len(name) > MAX_NAME_BYTES:
            raise ValueError(
                f"more than {MAX_MEMBERS} members, or a name longer than {MAX_NAME_BYTES} signs"
            )
        names.add(name)
        return _Name(name)

    try:
        found = msgspec.json.decode(text, type=dict[_Name, msgspec.Raw], dec_hook=name_of)
    except RecursionError:
        raise MalformedEventError("the JSON document is nested too deeply to be read") from None
    except msgspec.ValidationError as error:
        raise MalformedEventError(f"the JSON document is not an event: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedEventError(f"the value is not a JSON document in UTF-8: {error}") from None
    return {name: memoryview(raw) for name, raw in found.items()}


def _data(members: dict[str, memoryview]) -> bytes | None:
    """The bytes in `data_base64`; `data` may only refer to data elsewhere, and becomes `uri`."""
    data, encoded = members.get("data"), members.get("data_base64")
    if data is not None and _kind(data) != "null":
        if (uri := _reference(data)) is None:
            raise MalformedEventError(
                f"`data` is {_kind(data)} in JSON; image bytes are expected in `data_base64`"
            )
        members.setdefault("uri", memoryview(msgspec.json.encode(uri)))
    if encoded is None or _kind(encoded) == "null":
        return None
    if _kind(encoded) != "a string":
        raise MalformedEventError(f"`data_base64` is {_kind(encoded)}; a string is expected")
    try:
        # Encoders for mail and for XML break lines; nothing else that is not base64 is passed over.
        text = _string("data_base64", encoded).encode("ascii").translate(None, b" \t\r\n")
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedEventError(f"`data_base64` is not base64: {error}") from None


def _reference(data: memoryview) -> str | None:
    try:
        return msgspec.json.decode(data, type=_Reference).uri
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _attribute(name: str, raw: memoryview) -> str:
    text = _string(name, raw) if len(raw) <= _LONGEST_ESCAPED else ""
    size = len(text.encode()) if text else len(raw) - 2
    if size > MAX_ATTRIBUTE_BYTES:
        raise MalformedEventError(
            f"attribute {name} has {size} bytes; at most {MAX_ATTRIBUTE_BYTES} are taken"
        )
    return text


def _string(name: str, raw: memoryview) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except UnicodeDecodeError as error:
        raise MalformedEventError(f"{name} is not UTF-8: {error}") from None


def _kind(raw: memoryview) -> str:
    """What a member is, by its first sign: JSON needs no more to tell."""
    return _KINDS.get(chr(raw[0]), "a number")


def _is_simple(raw: memoryview) -> bool:
    """Whether this is a boolean or an integer of 32 bits."""
    if raw[0] in b"tf":
        return True
    if _INTEGER.fullmatch(raw) is None:
        return False
    return -(2**31) <= int(bytes(raw)) < 2**31
