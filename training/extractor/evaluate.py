"""Measuring a bundle: held-out faces, photos and zoo images through the worker's own stages.

Every image goes through decode, extract, attribute and decide as in the stream, as received, after
JPEG 75 and after halving. The registry holds the zoo; then the held-out generator is enrolled from
50 samples, and its new images are measured again.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
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
from training.extractor.views import Encoding, tile, write
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
    (and name) that is due, `wrong_name` those named as another model.
    """

    source: str
    truth: str
    condition: str
    images: int
    right: int
    wrong_name: int
    flagged: int
    outcomes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All rows, and how the held-out generator was enrolled."""

    bundle: str
    alpha: float
    rows: tuple[Row, ...]
    enrolment: EnrolmentReport
    seconds: float

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    truth: str
    files: list[bytes]


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
    for source in [*_real(manifest), *_made(before, images)]:
        say(f"{source.name}: {len(source.files)} images")
        rows += _measure(source, pipeline, extractor.limits, before)
    report = _register_held_out(bundle, extractor, registry, policy.alpha)
    after = registry.snapshot(bundle.digest)
    known = _zoo_files(HELD_OUT, images, EVALUATION_SEED + 1)
    name = f"{HELD_OUT}, registered from {SAMPLES_TO_REGISTER}"
    rows += _measure(_Source(name, HELD_OUT, known), pipeline, extractor.limits, after)
    seconds = (datetime.now(UTC) - started).total_seconds()
    return Evaluation(bundle.digest, policy.alpha, tuple(rows), report, seconds)


def _real(manifest: Manifest) -> Iterator[_Source]:
    """Held-out real pictures: whole files, and tiles and crops of the sizes that GANs make."""
    faces, photos = manifest.faces("test"), manifest.photos("test")
    yield _Source("faces, native", "real", [path.read_bytes() for path in faces])
    png = Encoding("png", 0, 0)
    yield _Source("faces, 128", "real", [write(face_128(path), png) for path in faces])
    yield _Source("faces, 64", "real", [write(face_64(path), png) for path in faces])
    yield _Source("photos, whole", "real", [path.read_bytes() for path in photos])
    tiles = []
    for number, path in enumerate(photos):
        picture = _open(path.read_bytes())
        rng = _rng(number)
        tiles += [write(tile(picture, 128, 128, rng), png) for _ in range(TILES_PER_PHOTO)]
    yield _Source("photos, tiles of 128", "real", tiles)


def _made(registered: Snapshot, images: int) -> Iterator[_Source]:
    for model in registered.models:
        yield _Source(model.name, model.name, _zoo_files(model.name, images, EVALUATION_SEED))
    files = _zoo_files(HELD_OUT, images, EVALUATION_SEED)
    yield _Source(f"{HELD_OUT}, not registered", "unknown", files)


def _zoo_files(name: str, count: int, seed: int) -> list[bytes]:
    generator = load_generator(name if name in CATALOG else models_by_name()[name].weights)
    return [write(image, Encoding("png", 0, 0)) for image in generate(generator, count, seed)]


def _measure(
    source: _Source, pipeline: Pipeline, limits: DecodeLimits, snapshot: Snapshot
) -> Iterator[Row]:
    for label, condition in MEASURED:
        outcomes: Counter[str] = Counter()
        right = wrong_name = flagged = 0
        for batch in _batches(source.files):
            items = []
            for data in batch:
                file = under_condition(data, _open(data), condition)
                items.append((_event(file), decode(file, limits)))
            for judged in pipeline.judge(items, RegistryView(snapshot, 0.0)):
                assert isinstance(judged, Judged), judged
                verdict = judged.verdict
                outcomes[verdict.outcome] += 1
                flagged += verdict.flagged
                right += _is_right(source.truth, verdict.outcome, verdict.model)
                wrong_name += verdict.model is not None and verdict.model != source.truth
        yield Row(
            source.name,
            source.truth,
            label,
            len(source.files),
            right,
            wrong_name,
            flagged,
            dict(outcomes),
        )


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


def _batches(files: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(files), _BATCH):
        yield files[start : start + _BATCH]


def _event(data: bytes) -> ImageEvent:
    return ImageEvent(Origin("evaluate", 0, 0), None, "0", "evaluate", None, None, None, data)


def _open(data: bytes) -> Picture:
    return from_pil(Image.open(io.BytesIO(data)))


def _rng(number: int) -> np.random.Generator:
    return np.random.default_rng([EVALUATION_SEED, number])
