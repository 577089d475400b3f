"""Sample images to the fingerprints that enrolment judges: every sample under every condition.

One file after another: it is read, decoded in the sandbox, compared with those before it,
re-encoded under every condition, each decoded as the worker would, and forgotten; its fingerprints
stay. Memory does not grow with the folder.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.conditions import CONDITIONS, Condition
from fingerprint_db.enrolment import Samples
from worker.decoder.decode import DecodedImage
from worker.enrol.copies import SAME_PICTURE, SKETCH_SHAPE, Sketch, nearest, sketch_of
from worker.enrol.hints import Traits, correlation_of
from worker.enrol.image_files import ImageFile, SkippedFile, UnreadablePath, find_image_files
from worker.enrol.in_order import in_order
from worker.enrol.recompress import Picture, open_sample, under_condition
from worker.errors import RejectError
from worker.extractor.calibration import Calibration, bin_of
from worker.extractor.extract import Extractor, ImageFingerprint

Decode = Callable[[bytes], DecodedImage]
Progress = Callable[[int, int], None]
Views = Mapping[str, DecodedImage]
"""One sample as the worker would see it, by condition; absent where it would give no verdict."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A sample that was not used, and why."""

    subject: str
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class SampleSet:
    """What a folder gave: fingerprints and traits of its distinct pictures, and what was left out.

    `subjects` and `traits` are of the pictures that were taken, in order.
    """

    samples: Samples
    subjects: tuple[str, ...]
    traits: tuple[Traits, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    subject: str
    pixels_sha256: str
    sketch: Sketch
    traits: Traits
    views: Views


def read_samples(
    folder: Path,
    decode: Decode,
    extractor: Extractor,
    calibration: Calibration,
    *,
    workers: int = 1,
    progress: Progress = lambda done, total: None,
) -> SampleSet:
    """Fingerprints of all distinct pictures below `folder` that decode; the rest with its reason.

    `workers` files are worked on at once; `decode` must bear as many callers. `progress` is told
    how many files are done, of how many. Pillow opens each picture once more outside the sandbox
    to re-encode it, so enrol only samples whose origin you trust.
    """
    gathered = _Gathered(extractor, calibration)
    left_out: list[LeftOut] = []
    distinct = _Distinct()
    found = list(find_image_files([folder]))
    for done, result in enumerate(in_order(lambda one: _prepare(one, decode), found, workers), 1):
        if isinstance(result, _Prepared):
            copy = distinct.copy_of(result)
            if copy is None:
                gathered.add(result.views)
            else:
                left_out.append(LeftOut(result.subject, copy))
        else:
            left_out.append(result)
        progress(done, len(found))
    return SampleSet(
        gathered.samples(), tuple(distinct.subjects), tuple(distinct.traits), tuple(left_out)
    )


def fingerprint_samples(
    files: Iterable[bytes],
    decode: Decode,
    extractor: Extractor,
    calibration: Calibration,
) -> Samples:
    """Fingerprints (N, D) and real-test p-values (N,) of the files under every condition.

    For files that are known to be distinct and sound, such as a generator's own in training.
    """
    gathered = _Gathered(extractor, calibration)
    for received in files:
        gathered.add(_views(received, open_sample(received).picture, decode))
    return gathered.samples()


class _Gathered:
    """Vectors and p-values by condition, a sample at a time."""

    def __init__(self, extractor: Extractor, calibration: Calibration) -> None:
        self._extractor, self._calibration = extractor, calibration
        self._vectors: dict[str, list[NDArray[np.float32]]] = {}
        self._p_values: dict[str, list[float]] = {}

    def add(self, views: Views) -> None:
        """Extract one sample under all its conditions, as one batch."""
        results = self._extractor.extract(list(views.values()))
        for (condition, image), result in zip(views.items(), results, strict=True):
            if isinstance(result, ImageFingerprint):
                facts = image.facts
                side = min(facts.width, facts.height)
                name = bin_of(facts.lossy, facts.jpeg_quality, side)
                p_value = self._calibration.p_value(name, result.synthesis_score)
                self._vectors.setdefault(condition, []).append(result.vector)
                self._p_values.setdefault(condition, []).append(p_value)

    def samples(self) -> Samples:
        """What was gathered, in the order of the conditions."""
        names = [c.name for c in CONDITIONS if c.name in self._vectors]
        return Samples(
            {name: np.stack(self._vectors[name]) for name in names},
            {name: np.array(self._p_values[name]) for name in names},
        )


class _Distinct:
    """The pictures met so far, to know another version of one of them."""

    def __init__(self) -> None:
        self.subjects: list[str] = []
        self.traits: list[Traits] = []
        self._by_pixels: dict[str, str] = {}
        self._sketches = np.empty((64, *SKETCH_SHAPE), dtype=np.complex64)

    def copy_of(self, sample: _Prepared) -> str | None:
        """Why the sample is none of its own, or None, and then it is remembered."""
        same = self._by_pixels.get(sample.pixels_sha256)
        if same is not None:
            return f"the same picture as {same}"
        count = len(self.subjects)
        if count:
            at, likeness = nearest(sample.sketch, self._sketches[:count])
            if likeness >= SAME_PICTURE:
                return f"another version of the picture {self.subjects[at]} ({likeness:.0%} alike)"
        if count == len(self._sketches):
            self._sketches = np.concatenate([self._sketches, np.empty_like(self._sketches)])
        self._sketches[count] = sample.sketch
        self._by_pixels[sample.pixels_sha256] = sample.subject
        self.subjects.append(sample.subject)
        self.traits.append(sample.traits)
        return None


def _prepare(
    found: ImageFile | SkippedFile | UnreadablePath, decode: Decode
) -> _Prepared | LeftOut:
    """One file up to its views; whatever is wrong with it is a reason, never an exception."""
    subject = getattr(found, "subject", found.path).decode("utf-8", "replace")
    if not isinstance(found, ImageFile):
        return LeftOut(subject, found.why)
    try:
        received = Path(found.path.decode("utf-8", "surrogateescape")).read_bytes()
        image = decode(received)
        if image.problem is not None:
            return LeftOut(subject, image.problem)
        opened = open_sample(received)
        if not opened.opaque:
            return LeftOut(subject, "parts of it are transparent; save it without transparency")
        facts = image.facts
        traits = Traits(
            facts.width,
            facts.height,
            opened.stored_as,
            facts.lossy,
            facts.jpeg_quality,
            correlation_of(opened.picture),
        )
        return _Prepared(
            subject,
            facts.pixels_sha256,
            sketch_of(opened.picture),
            traits,
            _views(received, opened.picture, decode),
        )
    except OSError as error:
        return LeftOut(subject, error.strerror or str(error))
    except RejectError as error:
        return LeftOut(subject, f"{error.code}: {error.message}")


def _views(received: bytes, picture: Picture, decode: Decode) -> Views:
    seen = ((c.name, _seen(decode, received, picture, c)) for c in CONDITIONS)
    return {name: image for name, image in seen if image is not None}


def _seen(
    decode: Decode, received: bytes, picture: Picture, condition: Condition
) -> DecodedImage | None:
    """A sample as the worker would see it under `condition`; None where it gives no verdict."""
    try:
        image = decode(under_condition(received, picture, condition))
    except RejectError:  # a large JPEG, for one, halved and written as PNG may be over the limit
        return None
    return image if image.problem is None else None
