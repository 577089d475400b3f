"""The worker as the judge: its decoder, extractor, gate and pipeline, in this process.

A file is decoded and fingerprinted once. Verdicts come from the worker's own pipeline, which is
given the fingerprint that was kept: registries differ, pictures do not.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from fingerprint_db.conditions import CODECS, readings_of
from fingerprint_db.gate.enrolment import Registration, Samples, enrol
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.names import model_id_of
from fingerprint_db.snapshot import Snapshot
from training.evaluation.fillers import draw_fillers
from training.evaluation.judge import Answer, Candidate, Enrolled, Seen
from training.evaluation.subjects import Shown
from worker.decoder.decode import DecodedImage, DecodeLimits, ImageFacts, decode
from worker.decoder.jpeg_quality import JpegCoding
from worker.enrol.recompress import open_sample
from worker.enrol.samples import read_samples
from worker.errors import RejectError
from worker.events.cloudevents import Origin
from worker.events.image_event import ImageEvent
from worker.events.records import Verdict
from worker.extractor.bundle import Bundle, load_bundle
from worker.extractor.extract import BlockExtractor, ImageFingerprint, Reading
from worker.extractor.nuisance import Nuisance
from worker.extractor.products import stay_on_this_thread
from worker.judge.judged import Judged
from worker.judge.pipeline import Pipeline
from worker.judge.policy import Policy, load_policy
from worker.registry.view import RegistryView

_BATCH = 64
_SHOWN = 50  # candidates beside a verdict, the most that a policy allows
_FURTHER = max(len(readings_of(codec)) for codec in CODECS) - 1  # beside the first
_AT = datetime(2026, 1, 1, tzinfo=UTC)  # entries must not differ by the day


def open_judge(bundle: Path | None = None) -> "WorkerJudge":
    """The judge of a bundle, the package's own by default, and of the package's policy."""
    stay_on_this_thread()  # as the worker, and several processes share the cores
    return WorkerJudge(load_bundle(bundle), load_policy())


class WorkerJudge:
    """A bundle and a policy, which do not change."""

    def __init__(self, bundle: Bundle, policy: Policy) -> None:
        self._bundle = bundle
        self._policy = policy.model_copy(update={"candidates_shown": _SHOWN})
        self._stated = policy
        self._extractor = BlockExtractor(bundle)

    @property
    def digest(self) -> str:
        """Of the bundle."""
        return self._bundle.digest

    @property
    def policy(self) -> Mapping[str, object]:
        """The policy's levels and digest."""
        return {**self._stated.model_dump(mode="json"), "digest": self._stated.digest}

    def see(self, files: Sequence[Shown]) -> Seen:
        """Decode and fingerprint; what is no picture is a row as well."""
        rows: list[dict[str, Any]] = []
        images: list[DecodedImage] = []
        for shown in files:
            row: dict[str, Any] = {"arrivals": shown.arrival, "owners": shown.owner}
            try:
                image = decode(shown.data, self._extractor.limits)
            except RejectError as error:
                rows.append({**row, "rejected": error.code})
                continue
            row |= {"facts": json.dumps(asdict(image.facts)), "problems": image.problem or ""}
            if image.problem is None:
                row["image"] = len(images)
                images.append(image)
            rows.append(row)
        found = self._extractor.extract(images)
        return _table([_with_fingerprint(row, found) for row in rows], self._extractor.dimension)

    def samples(self, files: Iterable[bytes]) -> Samples:
        """Fingerprints of samples under every condition, of a folder as `register` reads it.

        Pictures without anything to judge by, and copies of others, are left out there as well.
        """
        limits = self._extractor.limits
        with TemporaryDirectory() as folder:
            for number, data in enumerate(files):
                Path(folder, f"{number:04d}.png").write_bytes(data)
            read = read_samples(
                Path(folder), lambda data: decode(data, limits), open_sample, self._extractor
            )
            return read.samples

    def enrol(
        self, samples: Samples, name: str, family: str, registered: Sequence[ModelFingerprint]
    ) -> Enrolled:
        """Through the gate, beside the models that are registered already."""
        found = enrol(
            samples,
            Registration(model_id_of(name), name, family, "evaluate", "evaluation", _AT),
            self._bundle.background,
            registered,
            alpha_name=self._policy.alpha_name,
            alpha_source=self._policy.alpha_source,
            alpha_alike=self._policy.alpha_alike,
        )
        return Enrolled(found.model, found.report.refusals)

    def answers(
        self,
        seen: Seen,
        models: Sequence[ModelFingerprint],
        *,
        named_from: int | None = None,
    ) -> list[Answer]:
        """A verdict of the worker's pipeline for each file against a registry of these models."""
        policy = self._policy
        if named_from is not None:
            policy = policy.model_copy(update={"minimum_samples_to_name": named_from})
        remembered = Remembered(seen, self._extractor, self._bundle)
        pipeline = Pipeline(remembered, self._bundle, policy, lambda: _AT)
        view = RegistryView(_snapshot(self.digest, models), 0.0)
        answers: dict[int, Answer] = {}
        rows = [i for i in range(len(seen)) if not seen.rejected[i]]
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            judged = pipeline.judge([(_EVENT, remembered.image(i)) for i in batch], view)
            answers |= {i: _answer(one) for i, one in zip(batch, judged, strict=True)}
        return [answers.get(i, _REJECTED) for i in range(len(seen))]

    def fillers(
        self, count: int, like: Sequence[ModelFingerprint], seed: int
    ) -> list[ModelFingerprint]:
        """Models drawn like the background's generators (training/evaluation/fillers.py)."""
        return draw_fillers(self._bundle.background, count, like, seed)


_EVENT = ImageEvent(Origin("evaluate", 0, 0), None, "0", "evaluate", None, None, None, b"")
_REJECTED = Answer("rejected", None, None, None, None, ())


class Remembered:
    """The extractor's protocol over fingerprints that were kept: no pixel is read again.

    `standard` is zero: statistics are not kept, and decide nothing.
    """

    def __init__(self, seen: Seen, extractor: BlockExtractor, bundle: Bundle) -> None:
        self._seen = seen
        self._extractor = extractor
        self._standard = {codec: np.zeros_like(one.mean) for codec, one in bundle.maps.items()}
        self._rows = {}
        for i, text in enumerate(seen.facts):
            if text:
                self._rows[str(json.loads(str(text))["sha256"])] = i

    @property
    def space(self) -> str:
        """The bundle's digest."""
        return self._extractor.space

    @property
    def dimension(self) -> int:
        """D, the size of a fingerprint."""
        return self._extractor.dimension

    @property
    def limits(self) -> DecodeLimits:
        """How the pictures were decoded."""
        return self._extractor.limits

    def image(self, row: int) -> DecodedImage:
        """A picture that was decoded once, without its pixels."""
        facts = json.loads(str(self._seen.facts[row]))
        if facts["jpeg"] is not None:
            luma, chroma = facts["jpeg"]["luma"], facts["jpeg"]["chroma"]
            facts["jpeg"] = JpegCoding(
                tuple(luma), None if chroma is None else tuple(chroma), facts["jpeg"]["sampling"]
            )
        nothing = np.empty((0, 3, 1, 1), np.uint8), np.empty((0, 2), np.int32)
        return DecodedImage(ImageFacts(**facts), *nothing, str(self._seen.problems[row]) or None)

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        """What was kept of each."""
        return [self._fingerprint(self._rows[image.facts.sha256]) for image in images]

    def _fingerprint(self, row: int) -> ImageFingerprint | RejectError:
        seen = self._seen
        codec = next((one for one in CODECS if one == seen.codecs[row]), None)
        if codec is None:
            return RejectError("model_nan", "no fingerprint was kept", stage="extract")
        codecs = readings_of(codec)
        vectors = [seen.vectors[row], *seen.further[row]][: len(codecs)]
        return ImageFingerprint(
            readings=tuple(
                Reading(one, vector, self._standard[one])
                for one, vector in zip(codecs, vectors, strict=True)
            ),
            synthesis_score=float(seen.scores[row]),
            kind=seen.kinds[row],
            pixels_read=int(seen.pixels_read[row]),
            earlier_quality=int(seen.earlier[row]) or None,
            crop_count=int(seen.regions[row]),
        )


def _with_fingerprint(
    row: dict[str, Any], found: Sequence[ImageFingerprint | RejectError]
) -> dict[str, Any]:
    if "image" not in row:
        return row
    made = found[row.pop("image")]
    if isinstance(made, RejectError):
        return {**row, "rejected": made.code}
    further = np.zeros((_FURTHER, len(made.vector)), np.float32)
    for number, reading in enumerate(made.readings[1:]):
        further[number] = reading.vector
    return row | {
        "codecs": made.codec,
        "further": further,
        "vectors": made.vector,
        "scores": made.synthesis_score,
        "kinds": made.kind,
        "pixels_read": made.pixels_read,
        "earlier": made.earlier_quality or 0,
        "regions": made.crop_count,
    }


def _table(rows: Sequence[Mapping[str, Any]], dimension: int) -> Seen:
    """Rows as columns; what a row lacks is empty or zero."""

    def words(name: str) -> Any:
        return np.array([row.get(name, "") for row in rows], np.str_)

    def numbers(name: str, dtype: type, *shape: int) -> Any:
        nothing: Any = np.zeros(shape, dtype)
        return np.array([row.get(name, nothing) for row in rows], dtype).reshape(-1, *shape)

    return Seen(
        arrivals=words("arrivals"),
        owners=numbers("owners", np.int64),
        facts=words("facts"),
        problems=words("problems"),
        rejected=words("rejected"),
        codecs=words("codecs"),
        vectors=numbers("vectors", np.float32, dimension),
        scores=numbers("scores", np.float32),
        kinds=numbers("kinds", np.float32, len(Nuisance.NAMES)),
        pixels_read=numbers("pixels_read", np.int64),
        earlier=numbers("earlier", np.int64),
        regions=numbers("regions", np.int64),
        further=numbers("further", np.float32, _FURTHER, dimension),
    )


def _snapshot(space: str, models: Sequence[ModelFingerprint]) -> Snapshot:
    """A registry of these models; its root is only a name here, another for other models."""
    names = " ".join(model.model_id for model in models)
    root = hashlib.sha256(names.encode()).hexdigest()
    return replace(Snapshot.empty(space), revision=1, root=root, models=tuple(models))


def _answer(judged: Judged | RejectError) -> Answer:
    if isinstance(judged, RejectError):
        return _REJECTED
    verdict: Verdict = judged.verdict
    return Answer(
        verdict.outcome,
        verdict.model,
        verdict.family,
        None if verdict.name_test is None else verdict.name_test.p_value,
        None if verdict.real_test is None else verdict.real_test.p_value,
        tuple(
            Candidate(one.name, one.family or one.name, one.similarity, one.accepted, one.lead)
            for one in verdict.candidates
        ),
        verdict.reasons,
    )
