"""CloudEvents 1.0 on Kafka, both ways, without knowing any client library.

Binary mode (the fast path): the data is the record's value as it is, each attribute is a header
`ce_NAME`, and `content-type` says what the value is. Structured mode: the value is one JSON
document; `content-type` starts with `application/cloudevents`.

The binding wants header values in UTF-8, without percent-encoding. One exception is made here:
a file name on Linux is any bytes, so `ce_subject` may hold bytes that are not UTF-8. They become
a str with `surrogateescape`, which gives the same bytes back when encoded the same way.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

SPEC_VERSION = "1.0"
STRUCTURED_PREFIX = "application/cloudevents"
MAX_ATTRIBUTE_BYTES = 4096
"""The longest attribute taken: a path on Linux. Attributes travel on in every output record,
which must stay below the 1 MiB that an output topic takes."""

_CORE = ("specversion", "id", "source", "type")
_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record was read: it names the record for good.

    A topic that is deleted and made again begins its offsets anew; `topic_id` tells the two apart.
    It is None where it is not known: before Kafka 2.8, and for events of workers before 0.2.
    """

    topic: str
    partition: int
    offset: int
    topic_id: str | None = None


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One Kafka record as it was read; nothing in it has been judged yet.

    `attempts` is how often it was tried before: more than zero where it was redriven. `unread` says
    why the record was not unpacked, where it was not; its key, value and headers are not known.
    """

    origin: Origin
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int | None = None
    attempts: int = 0
    unread: str | None = None


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """One Kafka record to be sent, in the form that the producer takes."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """The attributes of an event and its data; `data` is None where the record carries none."""

    event_id: str
    source: str
    type: str
    subject: str | None
    time: datetime | None
    content_type: str | None
    data: bytes | None
    data_reference: str | None = None
    """The address in `uri` or `dataref`, for a sender that left the data elsewhere."""


class MalformedEventError(ValueError):
    """The record breaks a rule of CloudEvents; the message says which, and what was seen."""


def read_cloudevent(record: RawRecord) -> CloudEvent:
    """Read a record in binary or structured mode. Raises MalformedEventError."""
    attributes = _header_attributes(record)
    content_type = attributes.get("datacontenttype")
    if content_type is not None and content_type.lower().startswith(STRUCTURED_PREFIX):
        media_type = content_type.split(";")[0].strip().lower()
        if media_type != f"{STRUCTURED_PREFIX}+json":
            raise MalformedEventError(
                f"content-type is {content_type!r}; the only structured format read here is"
                f" {STRUCTURED_PREFIX}+json, and batches are not part of the Kafka binding"
            )
        attributes, data = _structured(record.value)
    else:
        data = record.value
    return _event(attributes, data)


def binary_headers(
    *,
    event_id: str,
    source: str,
    type_: str,
    content_type: str,
    subject: str | None = None,
    time: datetime | None = None,
) -> tuple[tuple[str, bytes], ...]:
    """The headers of an event in binary mode; `subject` may hold surrogate-escaped bytes."""
    headers = [
        ("ce_specversion", SPEC_VERSION.encode()),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", type_.encode()),
    ]
    if subject is not None:
        headers.append(("ce_subject", subject_bytes(subject)))
    if time is not None:
        stamp = time.astimezone(UTC).isoformat().replace("+00:00", "Z")
        headers.append(("ce_time", stamp.encode()))
    headers.append(("content-type", content_type.encode()))
    return tuple(headers)


def subject_bytes(subject: str) -> bytes:
    """The bytes of a subject exactly as its sender wrote them."""
    return subject.encode("utf-8", "surrogateescape")


def readable(subject: str) -> str:
    r"""A subject as valid Unicode: every byte that is not UTF-8 becomes the four signs `\xNN`."""
    return subject_bytes(subject).decode("utf-8", "backslashreplace")


def _header_attributes(record: RawRecord) -> dict[str, str]:
    """The attributes found in the headers, `content-type` under its name `datacontenttype`."""
    attributes: dict[str, str] = {}
    for header, value in record.headers:
        name = header.lower()
        if name == "content-type":
            name = "datacontenttype"
        elif name.startswith("ce_"):
            name = name[len("ce_") :]
        else:
            continue
        if value is None:
            continue
        if len(value) > MAX_ATTRIBUTE_BYTES:
            raise MalformedEventError(
                f"header {header} has {len(value)} bytes; at most {MAX_ATTRIBUTE_BYTES} are taken,"
                " because attributes travel on in every output record"
            )
        try:
            text = value.decode("utf-8", "surrogateescape" if name == "subject" else "strict")
        except UnicodeDecodeError as error:
            raise MalformedEventError(f"header {header} is not UTF-8: {error}") from None
        if attributes.setdefault(name, text) != text:
            raise MalformedEventError(
                f"header {header} comes twice, with {attributes[name]!r} and {text!r};"
                " one value is expected, for nobody can say which one counts"
            )
    return attributes


def _structured(value: bytes | None) -> tuple[dict[str, str], bytes | None]:
    """The attributes and the data of an event in the JSON format."""
    if value is None:
        raise MalformedEventError(
            "the record has no value; structured mode expects a JSON document"
        )
    try:
        document = json.loads(value.decode("utf-8-sig"))
    except RecursionError:
        raise MalformedEventError("the JSON document is nested too deeply to be read") from None
    except ValueError as error:
        raise MalformedEventError(f"the value is not a JSON document in UTF-8: {error}") from None
    if not isinstance(document, dict):
        raise MalformedEventError(
            f"the JSON document is a {type(document).__name__}, not an object"
        )
    data = _structured_data(document)
    attributes = {}
    for name, content in document.items():
        if name in ("data", "data_base64") or content is None:
            continue
        if isinstance(content, str):
            attributes[name] = _checked_text(name, content)
        elif name in (*_CORE, "subject", "time", "datacontenttype", "dataref", "uri"):
            raise MalformedEventError(
                f"attribute {name} is a {type(content).__name__}; a string is expected"
            )
    return attributes, data


def _checked_text(name: str, content: str) -> str:
    try:
        size = len(content.encode("utf-8"))
    except UnicodeEncodeError:
        raise MalformedEventError(f"attribute {name} holds half of a surrogate pair") from None
    if size > MAX_ATTRIBUTE_BYTES:
        raise MalformedEventError(
            f"attribute {name} has {size} bytes; at most {MAX_ATTRIBUTE_BYTES} are taken"
        )
    return content


def _structured_data(document: dict[str, Any]) -> bytes | None:
    data, encoded = document.get("data"), document.get("data_base64")
    if isinstance(data, dict) and isinstance(data.get("uri"), str):
        document.setdefault("uri", data["uri"])
        data = None
    if data is not None:
        raise MalformedEventError(
            f"`data` is a JSON {type(data).__name__}; image bytes are expected in `data_base64`"
        )
    if encoded is None:
        return None
    if not isinstance(encoded, str):
        raise MalformedEventError(
            f"`data_base64` is a {type(encoded).__name__}; a string is expected"
        )
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedEventError(f"`data_base64` is not base64: {error}") from None


def _event(attributes: dict[str, str], data: bytes | None) -> CloudEvent:
    for name in _CORE:
        if not attributes.get(name):
            raise MalformedEventError(
                f"the required attribute {name} is missing or empty"
                f" (binary mode: header ce_{name}); not a CloudEvent"
            )
    if attributes["specversion"] != SPEC_VERSION:
        raise MalformedEventError(
            f"specversion is {attributes['specversion']!r}; {SPEC_VERSION!r} is expected"
        )
    return CloudEvent(
        event_id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        subject=attributes.get("subject") or None,
        time=_time(attributes.get("time")),
        content_type=attributes.get("datacontenttype"),
        data=data,
        data_reference=attributes.get("dataref") or attributes.get("uri"),
    )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    if _RFC3339.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper())
        except ValueError:
            pass
    raise MalformedEventError(
        f"time is {text!r}; a date and time of RFC 3339 is expected, like 2026-01-31T12:00:00Z"
    )
