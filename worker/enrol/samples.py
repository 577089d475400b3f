"""Sample images to the fingerprints that enrolment judges: every sample under every condition.

One file after another: it is read, decoded in the sandbox, compared with those before it,
re-encoded under every condition that it can be in, each decoded as the worker would, and forgotten;
its fingerprints stay. Memory does not grow with the folder.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import size_class_of
from fingerprint_db.conditions import CONDITIONS, Codec, Condition, codec_of
from fingerprint_db.gate.enrolment import Samples
from worker.decoder.decode import DecodedImage
from worker.enrol.copies import SAME_PICTURE, SKETCH_SHAPE, Sketch, nearest, sketch_of
from worker.enrol.hints import LeftOut, Traits, correlation_of
from worker.enrol.image_files import ImageFile, SkippedFile, UnreadablePath, find_image_files
from worker.enrol.in_order import in_order
from worker.enrol.reach import COMPRESSED, beyond_reach, quality_for, quality_of
from worker.enrol.recompress import Picture, open_sample, under_condition
from worker.enrol.whole import Open
from worker.errors import RejectError
from worker.extractor.extract import Extractor, ImageFingerprint
from worker.extractor.nuisance import Nuisance

Decode = Callable[[bytes], DecodedImage]
Progress = Callable[[int, int], None]

_BY_NAME = {condition.name: condition for condition in CONDITIONS}


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """One sample as the worker would see it: its own file, and re-encoded, by condition.

    `codec` and `quality` are the file's own, the quality None where it loses nothing; `absent` says
    why the sample is not under a condition.
    """

    received: DecodedImage
    codec: Codec
    quality: int | None
    others: Mapping[str, DecodedImage]
    absent: Mapping[str, str]


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
    open_whole: Open,
    extractor: Extractor,
    *,
    workers: int = 1,
    progress: Progress = lambda done, total: None,
) -> SampleSet:
    """Fingerprints of all distinct pictures below `folder` that decode; the rest with its reason.

    `workers` files are worked on at once; `decode` and `open_whole` must bear as many callers.
    `progress` is told how many files are done, of how many.
    """
    gathered = _Gathered(extractor)
    left_out: list[LeftOut] = []
    distinct = _Distinct()
    found = list(find_image_files([folder]))
    for done, result in enumerate(
        in_order(lambda one: _prepare(one, decode, open_whole), found, workers), 1
    ):
        if isinstance(result, _Prepared):
            copy = distinct.copy_of(result)
            if copy is None:
                gathered.add(result.subject, result.views)
            else:
                left_out.append(LeftOut(result.subject, copy))
        else:
            left_out.append(result)
        progress(done, len(found))
    return SampleSet(
        gathered.samples(), tuple(distinct.subjects), tuple(distinct.traits), tuple(left_out)
    )


def fingerprint_samples(files: Iterable[bytes], decode: Decode, extractor: Extractor) -> Samples:
    """Fingerprints of the files, called 0, 1 …, under every condition.

    For files that are known to be distinct and sound, such as a generator's own in training.
    """
    gathered = _Gathered(extractor)
    for number, received in enumerate(files):
        picture = open_sample(received).picture
        gathered.add(str(number), _views(decode(received), picture, decode))
    return gathered.samples()


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What is kept of one sample under one condition; `row` is its position among all."""

    row: int
    vector: NDArray[np.float32]
    size_class: int
    kind: NDArray[np.float32]

    @classmethod
    def of(cls, row: int, one: ImageFingerprint, codec: Codec) -> Self:
        return cls(row, one.reading(codec).vector, size_class_of(one.pixels_read), one.kind)


class _Gathered:
    """What enrolment is told of each condition, a sample at a time."""

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor
        self._subjects: list[str] = []
        self._found: dict[str, list[_Found]] = defaultdict(list)
        self._absent: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, subject: str, views: Views) -> None:
        """Extract one sample under all its conditions, as one batch."""
        row = len(self._subjects)
        self._subjects.append(subject)
        results = self._extractor.extract([views.received, *views.others.values()])
        others = dict(zip(views.others, results[1:], strict=True))
        absent, received = dict(views.absent), results[0]
        plain, quality = views.codec, views.quality
        if isinstance(received, RejectError):
            absent[plain] = f"give no fingerprint ({received.code})"
        else:
            # An earlier JPEG may be found: the file is what a JPEG of that quality would be.
            plain, quality = received.codec, received.earlier_quality or quality
            self._found[plain].append(_Found.of(row, received, plain))
            others.pop(plain, None)
            absent.pop(plain, None)
        if quality is not None:
            absent["lossless"] = COMPRESSED
        for name, result in others.items():
            condition = _BY_NAME[name]
            if beyond := beyond_reach(condition, quality):
                absent[name] = beyond
            elif isinstance(result, RejectError):
                absent[name] = f"give no fingerprint there ({result.code})"
            elif condition.codec not in (one.codec for one in result.readings):
                absent[name] = f"seem to be {result.codec} there"
            else:
                self._found[name].append(_Found.of(row, result, condition.codec))
        for name, why in absent.items():
            self._absent[name][why] += 1

    def samples(self) -> Samples:
        """What was gathered, in the order of the conditions."""
        found = {c.name: self._found[c.name] for c in CONDITIONS if c.name in self._found}
        return Samples(
            tuple(self._subjects),
            {name: np.stack([one.vector for one in rows]) for name, rows in found.items()},
            {name: np.array([one.row for one in rows]) for name, rows in found.items()},
            {name: np.array([one.size_class for one in rows]) for name, rows in found.items()},
            {name: np.stack([one.kind for one in rows]) for name, rows in found.items()},
            Nuisance.NAMES,
            {c.name: self._absent[c.name] for c in CONDITIONS if c.name in self._absent},
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
    found: ImageFile | SkippedFile | UnreadablePath, decode: Decode, open_whole: Open
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
        opened = open_whole(received)
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
            _views(image, opened.picture, decode),
        )
    except OSError as error:
        return LeftOut(subject, error.strerror or str(error))
    except RejectError as error:
        return LeftOut(subject, f"{error.code}: {error.message}")


def _views(received: DecodedImage, picture: Picture, decode: Decode) -> Views:
    """Of a sample whose own file gives a verdict; `picture` is the same image."""
    quality = quality_of(received.facts)
    facts = received.facts
    own = codec_of(
        facts.lossy,
        None if facts.format == "webp" else quality,
        full_chroma=facts.jpeg is not None and facts.jpeg.sampling == "4:4:4",
    )
    others, absent = {}, {}
    for condition in CONDITIONS:
        if condition.name == own:
            continue  # as received
        drawn = quality_for(condition, facts.pixels_sha256, quality)
        seen = beyond_reach(condition, quality) or _seen(decode, picture, condition, drawn)
        if isinstance(seen, str):
            absent[condition.name] = seen
        else:
            others[condition.name] = seen
    return Views(received, own, quality, others, absent)


def _seen(
    decode: Decode, picture: Picture, condition: Condition, quality: int | None
) -> DecodedImage | str:
    """A picture as the worker would see it under `condition`, or why it gives no verdict there."""
    try:
        image = decode(under_condition(None, picture, condition, quality))
    except RejectError as error:
        # A large JPEG, for one, halved and written as PNG may be over the limit.
        return f"are rejected there ({error.code})"
    return image if image.problem is None else f"give no verdict there ({image.problem})"
