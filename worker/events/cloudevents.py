"""CloudEvents 1.0 on Kafka, both ways, without knowing any client library.

Binary mode (the fast path): the data is the record's value as it is, each attribute is a header
`ce_NAME`, and `content-type` says what the value is. Structured mode: the value is one JSON
document; `content-type` starts with `application/cloudevents`.

The binding wants header values in UTF-8, without percent-encoding. One exception is made here:
a file name on Linux is any bytes, so `ce_subject` may hold bytes that are not UTF-8. They become
a str with `surrogateescape`, which gives the same bytes back when encoded the same way.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from worker.events.attributes import MAX_ATTRIBUTE_BYTES, MalformedEventError
from worker.events.json_format import read_json_event
from worker.events.trace_context import NAMES, TraceContext, trace_of, trace_of_headers

SPEC_VERSION = "1.0"
STRUCTURED_PREFIX = "application/cloudevents"
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}", re.ASCII)
_CORE = ("specversion", "id", "source", "type")
_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:)(\d{2})((?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2}))", re.ASCII
)


@lru_cache(maxsize=64)
def _is_topic(name: str) -> bool:
    return _TOPIC.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event was first read, whatever became of it since: it names the event for good.

    A topic that is deleted and made again begins its offsets anew; `topic_id` tells the two apart.
    It is None where it is not known: before Kafka 2.8, and for events of workers before 0.2.
    Raises ValueError for what can be no place in Kafka.
    """

    topic: str
    partition: int
    offset: int
    topic_id: str | None = None

    def __post_init__(self) -> None:
        if not _is_topic(self.topic):
            raise ValueError(
                f"topic {self.topic[:300]!r} is none; 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'"
                " are expected"
            )
        if not 0 <= self.partition < 2**31 or not 0 <= self.offset < 2**63:
            raise ValueError(
                f"partition {self.partition} or offset {self.offset} is none; a partition counts"
                " from 0 to 2^31 - 1, an offset from 0 to 2^63 - 1"
            )


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One Kafka record as it was read; nothing in it has been judged yet.

    `attempts` is how often it was tried before: more than zero where it was redriven. `unread` says
    why the record was not unpacked, where it was not; its key, value and headers are not known.
    `broken` says what is wrong with the wrapping of one that was sent to be judged again.
    """

    origin: Origin
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int | None = None
    attempts: int = 0
    unread: str | None = None
    broken: str | None = None


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
    """The address in `dataref`, the extension's name, or `uri`: the data was left elsewhere."""

    trace: TraceContext | None = None


def read_cloudevent(record: RawRecord) -> CloudEvent:
    """Read a record in binary or structured mode. Raises MalformedEventError."""
    attributes = _header_attributes(record)
    content_type = attributes.get("datacontenttype", "").strip()
    if content_type.lower().startswith(STRUCTURED_PREFIX):
        media_type = content_type.split(";")[0].strip().lower()
        if media_type != f"{STRUCTURED_PREFIX}+json":
            raise MalformedEventError(
                f"content-type is {content_type!r}; the only structured format read here is"
                f" {STRUCTURED_PREFIX}+json, and batches are not part of the Kafka binding"
            )
        if record.value is None:
            raise MalformedEventError(
                "the record has no value; structured mode expects a JSON document"
            )
        attributes, data = read_json_event(record.value)
    else:
        data = record.value
    trace = trace_of(attributes) or trace_of_headers(record.headers)
    return replace(_event(attributes, data), trace=trace)


def binary_headers(
    *,
    event_id: str,
    source: str,
    type_: str,
    content_type: str,
    subject: str | None = None,
    time: datetime | None = None,
    reference: str | None = None,
) -> tuple[tuple[str, bytes], ...]:
    """The headers of an event in binary mode; `subject` may hold surrogate-escaped bytes.

    `reference` says where the data is, of an event that does not carry it.
    """
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
    if reference is not None:
        headers.append(("ce_dataref", reference.encode()))
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
        if value is None or name in NAMES:
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
        content_type=attributes.get("datacontenttype", "").strip() or None,
        data=data,
        data_reference=attributes.get("dataref") or attributes.get("uri"),
    )


def _time(text: str | None) -> datetime | None:
    """A leap second, :60, is the second after :59, as it is for every clock that counts by days.

    It is taken in any minute: nobody but the keepers of time knows which minutes have one.
    """
    if not text:
        return None
    if match := _RFC3339.fullmatch(text):
        minute, second, rest = match.groups()
        leap = second == "60"
        try:
            time = datetime.fromisoformat(f"{minute}{'59' if leap else second}{rest}".upper())
            return time + timedelta(seconds=1) if leap else time
        except (ValueError, OverflowError):
            pass
    raise MalformedEventError(
        f"time is {text!r}; a date and time of RFC 3339 is expected, like 2026-01-31T12:00:00Z"
    )
