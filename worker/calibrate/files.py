"""A folder of photographs to rows: decoded in the sandbox and fingerprinted as on the stream.

Memory does not grow with the folder but for the digests of its pixels, and nothing that is known
already is fingerprinted again: its digest says so.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fingerprint_db.background import size_class_of
from worker.calibrate.rows import Photograph, PhotographRow, identity_of
from worker.decoder.decode import DecodedImage
from worker.enrol.image_files import ImageFile, SkippedFile, UnreadablePath, find_image_files
from worker.enrol.in_order import in_order
from worker.errors import RejectError
from worker.extractor.extract import Extractor

KNOWN = "stored already"
"""Why a photograph is left out that calibrates, or is held back, since an earlier run."""
TOO_LOW = "jpeg_quality_too_low"


@dataclass(slots=True)
class Seen:
    """How far a run is: `files` met, `taken` of them, and why the others were `left_out`."""

    files: int = 0
    taken: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def photographs_of(
    folder: Path,
    decode: Callable[[bytes], DecodedImage],
    extractor: Extractor,
    known: set[bytes],
    seen: Seen,
    *,
    least_quality: int,
    batch: int,
    workers: int = 1,
) -> Iterator[Photograph]:
    """Every photograph below `folder` that the worker would judge, but for those `known`.

    `known` gains the identity of each. `decode` must bear as many callers as there are `workers`;
    JPEGs below `least_quality`, in a lossless file too, are left out, as the policy's verdicts
    leave them out.
    """

    def read(found: ImageFile | SkippedFile | UnreadablePath) -> DecodedImage | str:
        return _read(found, decode, least_quality)

    waiting: list[DecodedImage] = []
    for result in in_order(read, find_image_files([folder]), workers):
        seen.files += 1
        if isinstance(result, str):
            seen.left_out[result] += 1
            continue
        identity = identity_of(result.facts.pixels_sha256)
        if identity in known:
            seen.left_out[KNOWN] += 1
            continue
        known.add(identity)
        waiting.append(result)
        if len(waiting) == batch:
            yield from _rows(waiting, extractor, seen, least_quality)
            waiting = []
    yield from _rows(waiting, extractor, seen, least_quality)


def _read(
    found: ImageFile | SkippedFile | UnreadablePath,
    decode: Callable[[bytes], DecodedImage],
    least_quality: int,
) -> DecodedImage | str:
    """The file decoded, or why it calibrates nothing."""
    if not isinstance(found, ImageFile):
        return found.why
    try:
        image = decode(Path(found.path.decode("utf-8", "surrogateescape")).read_bytes())
    except RejectError as error:
        return error.code
    except OSError as error:
        return error.strerror or str(error)
    if image.problem is not None:
        return image.problem
    return TOO_LOW if _below(image.facts.jpeg_quality, least_quality) else image


def _below(quality: int | None, least: int) -> bool:
    return quality is not None and quality < least


def _rows(
    images: Sequence[DecodedImage], extractor: Extractor, seen: Seen, least_quality: int
) -> Iterator[Photograph]:
    if not images:
        return
    for image, found in zip(images, extractor.extract(images), strict=True):
        if isinstance(found, RejectError):
            seen.left_out[found.code] += 1
        elif _below(found.earlier_quality, least_quality):
            seen.left_out[TOO_LOW] += 1
        else:
            seen.taken += 1
            identity = identity_of(image.facts.pixels_sha256)
            size = size_class_of(found.pixels_read)
            yield tuple(
                PhotographRow(identity, one.codec, size, found.kind, one.vector)
                for one in found.readings
            )
