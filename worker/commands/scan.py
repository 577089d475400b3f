"""Verdicts for local files, without Kafka: the same decode, stages and records as the stream."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from worker.decoder.decode import DecodedImage
from worker.enrol.image_files import ImageFile, SkippedFile, UnreadablePath, find_image_files
from worker.enrol.in_order import in_order
from worker.errors import RejectError
from worker.events.cloudevents import Origin, readable
from worker.events.dead_letter import DeadLetter
from worker.events.image_event import ImageEvent
from worker.events.records import PROJECT_NAMESPACE
from worker.judge.judged import Judged
from worker.judge.pipeline import Pipeline
from worker.outside.watched import rejected_document
from worker.registry.view import RegistryView

SCAN_TOPIC = "scan"
"""Stands for the input topic in verdicts of local files; the offset counts the files."""

SOURCE = "/latentprint/scan"

Decode = Callable[[bytes], DecodedImage]
Read = dict[str, Any] | tuple[ImageEvent, DecodedImage | RejectError]
"""A file as it was read and decoded, or the document that says why it could not be read."""


def scan(
    paths: Sequence[Path],
    decode: Decode,
    pipeline: Pipeline,
    view: RegistryView,
    batch: int,
    *,
    workers: int = 1,
    skipped: Callable[[SkippedFile], None] = lambda file: None,
) -> Iterator[dict[str, Any]]:
    """One document per image below `paths`, in order: as `latentprint watch --json` prints them.

    `workers` files are read and decoded at once; `decode` must bear as many callers. `skipped` is
    told of what was found and is no image by its name.
    """

    def read(numbered: tuple[int, ImageFile | UnreadablePath]) -> Read:
        offset, found = numbered
        event = _event(found, offset)
        if isinstance(event, dict):
            return event
        try:
            return event, decode(event.data)
        except RejectError as error:
            return event, error

    waiting: list[tuple[ImageEvent, DecodedImage | RejectError]] = []
    for result in in_order(read, enumerate(_images(paths, skipped)), workers):
        if isinstance(result, dict):
            yield from _judged(waiting, pipeline, view)
            waiting = []
            yield result
            continue
        waiting.append(result)
        if len(waiting) == batch:
            yield from _judged(waiting, pipeline, view)
            waiting = []
    yield from _judged(waiting, pipeline, view)


def _images(
    paths: Sequence[Path], skipped: Callable[[SkippedFile], None]
) -> Iterator[ImageFile | UnreadablePath]:
    for found in find_image_files(paths):
        if isinstance(found, SkippedFile):
            skipped(found)
        else:
            yield found


def _event(found: ImageFile | UnreadablePath, offset: int) -> ImageEvent | dict[str, Any]:
    """The file as an event, or the document that says why it could not be read."""
    path = Path(found.path.decode("utf-8", "surrogateescape"))
    if isinstance(found, UnreadablePath):
        return _unreadable(str(path), found.why)
    try:
        data = path.read_bytes()
    except OSError as error:
        return _unreadable(str(path), error.strerror or str(error))
    subject = found.subject.decode("utf-8", "surrogateescape")
    return ImageEvent(
        origin=Origin(SCAN_TOPIC, 0, offset),
        key=found.subject,
        event_id=hashlib.sha256(data).hexdigest(),
        source=SOURCE,
        subject=subject,
        time=None,
        content_type=found.content_type,
        data=data,
    )


def _unreadable(path: str, why: str) -> dict[str, Any]:
    return {"record": "unreadable", "subject": readable(path), "message": why}


def _judged(
    waiting: Sequence[tuple[ImageEvent, DecodedImage | RejectError]],
    pipeline: Pipeline,
    view: RegistryView,
) -> Iterator[dict[str, Any]]:
    """Documents for a batch, in its order; rejected files keep their place."""
    decoded = [(event, image) for event, image in waiting if isinstance(image, DecodedImage)]
    results = iter(pipeline.judge(decoded, view) if decoded else [])
    for event, image in waiting:
        result = image if isinstance(image, RejectError) else next(results)
        yield _document(event, result)


def _document(event: ImageEvent, result: Judged | RejectError) -> dict[str, Any]:
    if isinstance(result, Judged):
        verdict = result.verdict
        verdict_id = file_verdict_id(event.event_id, verdict.bundle_digest)
        document = verdict.model_copy(update={"verdict_id": verdict_id}).model_dump(mode="json")
        return {"record": "verdict", **document}
    letter = DeadLetter(
        event.origin, event.key, None, (), result.code, result.stage, result.message
    )
    return rejected_document(letter, event.event_id, event.subject)


def file_verdict_id(sha256: str, bundle_digest: str) -> UUID:
    """The id of the verdict that this bundle gives on these bytes, in whatever run and folder.

    A place in a stream names a record for good; the place of a file in one scan names nothing.
    """
    return uuid5(PROJECT_NAMESPACE, f"{SOURCE}/{sha256}/{bundle_digest}")
