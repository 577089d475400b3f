"""Measuring a bundle: held-out faces, photos and zoo images through the worker's own stages.

Every image goes through decode, extract, attribute and decide as in the stream, as received, after
JPEG 75 and after halving. The registry holds the zoo; then the held-out generator is enrolled from
50 samples, and its new images are measured again.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fingerprint_db.conditions import Condition
from fingerprint_db.enrolment import EnrolmentReport, Registration, enrol
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.snapshot import Snapshot
from fingerprint_db.transfer import import_
from training.data.faces import face_64, face_128
from training.data.manifest import Manifest
from training.extractor.sources import ENROLMENT_SEED, EVALUATION_SEED
from training.histories.encodings import Encoding, write
from training.histories.pictures import tile
from training.zoo.catalog import CATALOG, HELD_OUT
from training.zoo.generate import generate, load_generator
from training.zoo.sets import models_by_name
from worker.decoder.decode import DecodeLimits, decode
from worker.enrol.recompress import Picture, from_pil, under_condition
from worker.enrol.samples import fingerprint_samples
from worker.events.cloudevents import Origin
from worker.events.image_event import ImageEvent
from worker.extractor.bundle import ZOO_EXPORT, Bundle, load_bundle
from worker.extractor.extract import TorchExtractor
from worker.judge.judged import Judged
from worker.judge.pipeline import Pipeline
from worker.judge.policy import load_policy
from worker.registry.view import RegistryView

MEASURED = (
    ("as received", Condition("full", "as_received")),
    ("JPEG 75", Condition("full", "jpeg75")),
    ("half size", Condition("half", "as_received")),
)
TILES_PER_PHOTO = 20
SAMPLES_TO_REGISTER = 50
_BATCH = 32
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """What came of `images` images of one source under one condition.

    `truth` is "real", the name that is due, or "unknown"; `right` counts images with the outcome
    (and name) that is due, `wrong_name` those named as another model. Of real images, `photographs`
    counts the distinct photographs and `flagged_photographs` sums the share of each one's images
    that was flagged: tiles of one photograph hang together, and count as one.
    """

    source: str
    truth: str
    condition: str
    images: int
    right: int
    wrong_name: int
    flagged: int
    outcomes: dict[str, int]
    photographs: int = 0
    flagged_photographs: float = 0.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All rows, those over all real sources, and how the held-out generator was enrolled."""

    bundle: str
    alpha: float
    rows: tuple[Row, ...]
    all_real: tuple[Row, ...]
    enrolment: EnrolmentReport
    seconds: float

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Source:
    """Files of one kind; `photographs` names, for each real one, the photograph it shows."""

    name: str
    truth: str
    files: list[bytes]
    photographs: tuple[str, ...] = ()


def evaluate_bundle(path: Path | None, manifest: Manifest, images: int, say: Say) -> Evaluation:
    """Measure the bundle at `path` (None: the package's own) on the test split."""
    started = datetime.now(UTC)
    bundle = load_bundle(path)
    extractor = TorchExtractor(bundle, "auto")
    policy = load_policy()
    pipeline = Pipeline(extractor, bundle, policy, lambda: datetime.now(UTC))
    registry = MemoryRegistry()
    import_(registry, (bundle.path / ZOO_EXPORT).read_bytes(), by="evaluate", reason="the zoo")
    before = registry.snapshot(bundle.digest)
    rows: list[Row] = []
    tallies = {label: _Tally() for label, _ in MEASURED}
    for source in [*_real(manifest), *_made(before, images)]:
        say(f"{source.name}: {len(source.files)} images")
        for label, tally in _measure(source, pipeline, extractor.limits, before):
            rows.append(tally.row(source.name, source.truth, label))
            if source.truth == "real":
                tallies[label].add(tally)
    all_real = tuple(tally.row("**all real**", "real", label) for label, tally in tallies.items())
    report = _register_held_out(bundle, extractor, registry, policy.alpha)
    after = registry.snapshot(bundle.digest)
    known = _zoo_files(HELD_OUT, images, EVALUATION_SEED + 1)
    name = f"{HELD_OUT}, registered from {SAMPLES_TO_REGISTER}"
    registered = _Source(name, HELD_OUT, known)
    for label, tally in _measure(registered, pipeline, extractor.limits, after):
        rows.append(tally.row(name, HELD_OUT, label))
    seconds = (datetime.now(UTC) - started).total_seconds()
    return Evaluation(bundle.digest, policy.alpha, tuple(rows), all_real, report, seconds)


def _real(manifest: Manifest) -> Iterator[_Source]:
    """Held-out real pictures: whole files, and tiles and crops of the sizes that GANs make."""
    faces, photos = manifest.faces("test"), manifest.photos("test")
    who = tuple(path.name for path in faces)
    yield _Source("faces, native", "real", [path.read_bytes() for path in faces], who)
    png = Encoding("png", 0, 0)
    yield _Source("faces, 128", "real", [write(face_128(path), png) for path in faces], who)
    yield _Source("faces, 64", "real", [write(face_64(path), png) for path in faces], who)
    which = tuple(f"{path.parent.name}/{path.name}" for path in photos)
    yield _Source("photos, whole", "real", [path.read_bytes() for path in photos], which)
    tiles = []
    for number, path in enumerate(photos):
        picture = _open(path.read_bytes())
        rng = _rng(number)
        tiles += [write(tile(picture, 128, 128, rng), png) for _ in range(TILES_PER_PHOTO)]
    of_tiles = tuple(name for name in which for _ in range(TILES_PER_PHOTO))
    yield _Source("photos, tiles of 128", "real", tiles, of_tiles)


def _made(registered: Snapshot, images: int) -> Iterator[_Source]:
    for model in registered.models:
        yield _Source(model.name, model.name, _zoo_files(model.name, images, EVALUATION_SEED))
    files = _zoo_files(HELD_OUT, images, EVALUATION_SEED)
    yield _Source(f"{HELD_OUT}, not registered", "unknown", files)


def _zoo_files(name: str, count: int, seed: int) -> list[bytes]:
    generator = load_generator(name if name in CATALOG else models_by_name()[name].weights)
    return [write(image, Encoding("png", 0, 0)) for image in generate(generator, count, seed)]


@dataclass(slots=True)
class _Tally:
    """Counts of outcomes; `views` are, per photograph, its images and how many were flagged."""

    images: int = 0
    right: int = 0
    wrong_name: int = 0
    flagged: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    views: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, other: "_Tally") -> None:
        self.images += other.images
        self.right += other.right
        self.wrong_name += other.wrong_name
        self.flagged += other.flagged
        self.outcomes += other.outcomes
        for name, (images, flagged) in other.views.items():
            before = self.views.get(name, (0, 0))
            self.views[name] = before[0] + images, before[1] + flagged

    def row(self, source: str, truth: str, condition: str) -> Row:
        return Row(
            source,
            truth,
            condition,
            self.images,
            self.right,
            self.wrong_name,
            self.flagged,
            dict(self.outcomes),
            len(self.views),
            sum(flagged / images for images, flagged in self.views.values()),
        )


def _measure(
    source: _Source, pipeline: Pipeline, limits: DecodeLimits, snapshot: Snapshot
) -> Iterator[tuple[str, _Tally]]:
    """Label and counts of each measured condition."""
    for label, condition in MEASURED:
        tally = _Tally(images=len(source.files))
        for start in range(0, len(source.files), _BATCH):
            items = []
            for data in source.files[start : start + _BATCH]:
                file = under_condition(data, _open(data), condition)
                items.append((_event(file), decode(file, limits)))
            for place, judged in enumerate(pipeline.judge(items, RegistryView(snapshot, 0.0))):
                assert isinstance(judged, Judged), judged
                verdict = judged.verdict
                tally.outcomes[verdict.outcome] += 1
                tally.flagged += verdict.flagged
                tally.right += _is_right(source.truth, verdict.outcome, verdict.model)
                tally.wrong_name += verdict.model is not None and verdict.model != source.truth
                if source.photographs:
                    name = source.photographs[start + place]
                    images, flagged = tally.views.get(name, (0, 0))
                    tally.views[name] = images + 1, flagged + verdict.flagged
        yield label, tally


def _is_right(truth: str, outcome: str, model: str | None) -> bool:
    if truth == "real":
        return outcome == "no_evidence"
    if truth == "unknown":
        return outcome == "unknown_generator"
    return outcome == "attributed" and model == truth


def _register_held_out(
    bundle: Bundle, extractor: TorchExtractor, registry: MemoryRegistry, alpha: float
) -> EnrolmentReport:
    """Enrol the held-out generator from 50 samples, through the code of `latentprint register`."""
    files = _zoo_files(HELD_OUT, SAMPLES_TO_REGISTER, ENROLMENT_SEED)
    samples = fingerprint_samples(
        files, lambda data: decode(data, extractor.limits), extractor, bundle.calibration
    )
    enrolment = enrol(
        samples,
        Registration(
            HELD_OUT,
            HELD_OUT,
            CATALOG[HELD_OUT].family,
            "evaluate",
            "measured after registration",
            datetime.now(UTC),
        ),
        bundle.background,
        registry.snapshot(bundle.digest).models,
        alpha=alpha,
    )
    if enrolment.model is not None:
        registry.register(enrolment.model, by="evaluate", reason="measured after registration")
    return enrolment.report


def _event(data: bytes) -> ImageEvent:
    return ImageEvent(Origin("evaluate", 0, 0), None, "0", "evaluate", None, None, None, data)


def _open(data: bytes) -> Picture:
    return from_pil(Image.open(io.BytesIO(data)))


def _rng(number: int) -> np.random.Generator:
    return np.random.default_rng([EVALUATION_SEED, number])
