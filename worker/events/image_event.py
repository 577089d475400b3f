"""ImageEvent: what comes in, one image of the stream, read from a record or rejected."""

from dataclasses import dataclass, field
from datetime import datetime

from worker.errors import RejectError
from worker.events.attributes import MalformedEventError
from worker.events.cloudevents import Origin, RawRecord, read_cloudevent
from worker.events.records import IMAGE_TYPE
from worker.events.trace_context import TraceContext

MAX_IMAGE_BYTES = 10 * 1024 * 1024
"""One size limit for producers, topics and brokers."""

MAX_KEY_BYTES = 32 * 1024
"""The key travels on with every output record, and half the room beside an image is its own."""

STAGE = "event"

_ANY_BYTES = ("application/octet-stream", "binary/octet-stream")
"""What stores say of a file whose type they were not told; the second is that of S3."""


@dataclass(frozen=True, slots=True)
class ImageEvent:
    """One image to be judged, and what its sender said about it.

    `subject` may hold bytes that are not UTF-8, surrogate-escaped; `subject_bytes` gives them
    back, and the output records show them in a readable form. Where there is a `reference`, the
    event only names its image: `data` is empty until it was fetched, and `fetched_from` then says
    from where, without query and user name.
    """

    origin: Origin
    key: bytes | None
    event_id: str
    source: str
    subject: str | None
    time: datetime | None
    content_type: str | None
    data: bytes
    reference: str | None = field(default=None, repr=False)  # it may be signed
    fetched_from: str | None = None
    trace: TraceContext | None = None


def parse_image_event(record: RawRecord, *, max_image_bytes: int = MAX_IMAGE_BYTES) -> ImageEvent:
    """Read an image event in binary or structured mode, with its image or a reference to it.

    An event that has both is judged by what it carries. Raises RejectError("schema") for what is no
    image event, RejectError("too_large") for data of more than `max_image_bytes` and for a record
    that was not unpacked. What a reference names is decided by worker/references/, and whether the
    bytes are an image by decode, not here.
    """
    if record.unread is not None:
        raise RejectError("too_large", record.unread, stage="read")
    if record.broken is not None:
        raise _schema(record.broken)
    if record.key is not None and len(record.key) > MAX_KEY_BYTES:
        raise _schema(f"the key has {len(record.key)} bytes; at most {MAX_KEY_BYTES} are taken")
    try:
        event = read_cloudevent(record)
    except MalformedEventError as error:
        raise _schema(str(error)) from None
    if event.type.startswith("latentprint.") and event.type != IMAGE_TYPE:
        raise _schema(f"type is {event.type!r}; of this project's own only {IMAGE_TYPE!r} is read")
    # Not every producer can send a record without a value: an empty one carries no image either.
    reference = event.data_reference if not event.data else None
    # `{"uri": …}` is JSON itself, and says so; of the image it says nothing.
    is_json = reference is not None and _media_type(event.content_type) == "application/json"
    content_type = None if is_json else event.content_type
    if not _may_be_image(content_type):
        raise _schema(
            f"content type is {event.content_type!r}; image/* or application/octet-stream is"
            " expected"
        )
    if event.data is None and reference is None:
        raise _schema(
            "the event has no data, and no `dataref` that says where it is; the bytes of an image"
            " are expected"
        )
    data = event.data or b""
    if len(data) > max_image_bytes:
        raise RejectError(
            "too_large",
            f"the image has {len(data)} bytes; at most {max_image_bytes} are judged",
            stage=STAGE,
        )
    return ImageEvent(
        origin=record.origin,
        key=record.key,
        event_id=event.event_id,
        source=event.source,
        subject=event.subject,
        time=event.time,
        content_type=content_type,
        data=data,
        reference=reference,
        trace=event.trace,
    )


def _may_be_image(content_type: str | None) -> bool:
    """A sender that names no type is taken at the image's own word."""
    media_type = _media_type(content_type)
    return not media_type or media_type.startswith("image/") or media_type in _ANY_BYTES


def _media_type(content_type: str | None) -> str:
    return (content_type or "").split(";")[0].strip().lower()


def _schema(message: str) -> RejectError:
    return RejectError("schema", message, stage=STAGE)
