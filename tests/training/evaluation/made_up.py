"""A judge that knows generators by their mean colour, and sources of grey photographs."""

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from fingerprint_db.gate.enrolment import Samples
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint
from fingerprint_db.names import model_id_of
from training.data.manifest import Entry, Manifest
from training.evaluation.judge import Answer, Candidate, Enrolled, Seen
from training.evaluation.subjects import Shown
from training.generators.generator import Generator
from worker.enrol.recompress import Picture

SPACE = "ab" * 32
_NEAR = 30.0  # grey levels between a picture's colour and a model's


class ColourJudge:
    """Its fingerprint is the mean colour (3,); a picture of no colour is real."""

    digest = SPACE
    policy: Mapping[str, object] = {"alpha_name": 0.01, "alpha_unknown": 0.005}

    def __init__(self) -> None:
        self.files_seen = 0

    def see(self, files: Sequence[Shown]) -> Seen:
        self.files_seen += len(files)
        vectors = [_colour(one.data) for one in files]
        count = len(files)
        return Seen(
            np.array([one.arrival for one in files], np.str_),
            np.array([one.owner for one in files], np.int64),
            np.full(count, "{}"),
            np.full(count, ""),
            np.array(["decode.corrupt" if v is None else "" for v in vectors], np.str_),
            np.full(count, "lossless"),
            np.array([np.zeros(3) if v is None else v for v in vectors], np.float32).reshape(-1, 3),
            np.zeros(count, np.float32),
            np.zeros((count, 15), np.float32),
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            np.zeros((count, 0, 3), np.float32),
        )

    def samples(self, files: Iterable[bytes]) -> Samples:
        vectors = np.array([_colour(one) for one in files], np.float32)
        count = np.arange(len(vectors))
        return Samples(
            tuple(str(i) for i in count),
            {"lossless": vectors},
            {"lossless": count},
            {"lossless": count * 0},
            {"lossless": np.zeros((len(vectors), 15), np.float32)},
        )

    def enrol(
        self, samples: Samples, name: str, family: str, registered: Sequence[ModelFingerprint]
    ) -> Enrolled:
        vectors = samples.vectors["lossless"]
        mean = vectors.mean(0).astype(np.float16).astype(np.float32)
        if np.ptp(mean) < 20:
            return Enrolled(None, ("inseparable from real photographs",))
        entry = ConditionStatistics("lossless", len(vectors), mean, np.ones(3, np.float32), _NEAR)
        return Enrolled(_model(name, family, (entry,), len(vectors)), ())

    def answers(
        self,
        seen: Seen,
        models: Sequence[ModelFingerprint],
        *,
        named_from: int | None = None,
    ) -> list[Answer]:
        least = 50 if named_from is None else named_from
        return [
            Answer("rejected", None, None, None, None, ())
            if rejected
            else _answer(vector, models, least)
            for vector, rejected in zip(seen.vectors, seen.rejected, strict=True)
        ]

    def fillers(
        self, count: int, like: Sequence[ModelFingerprint], seed: int
    ) -> list[ModelFingerprint]:
        far = replace(like[0].statistics[0], mean=np.full(3, 1000, np.float32))
        return [_model(f"filler {i}", f"filler {i}", (far,), 50) for i in range(count)]


def _answer(vector: np.ndarray, models: Sequence[ModelFingerprint], least: int) -> Answer:
    distances = [float(np.abs(vector - m.statistics[0].mean).max()) for m in models]
    order = np.argsort(distances)
    ranked = tuple(
        Candidate(
            models[i].name,
            models[i].family,
            -distances[i],
            distances[i] < _NEAR,
            None if len(order) < 2 else distances[order[1]] - distances[order[0]],
        )
        for i in order
    )
    coloured = float(np.ptp(vector)) >= 20
    p_value = 0.001 if coloured else 0.6
    if not coloured:
        return Answer("no_evidence", None, None, p_value, p_value, ranked)
    if ranked and ranked[0].accepted:
        best = models[order[0]]
        if best.sample_count >= least:
            return Answer("attributed", best.name, best.family, p_value, p_value, ranked)
        return Answer("unknown_generator", None, best.family, p_value, p_value, ranked)
    return Answer("unknown_generator", None, None, p_value, p_value, ranked)


def tinted(
    name: str, family: str, colour: tuple[int, int, int], *, noise: bool = True
) -> Generator:
    """A generator whose pictures have a colour of their own, of 64, 128 or 256 pixels."""

    def make(count: int, side: int, seed: int, pictures: Sequence[Picture]) -> list[Picture]:
        rng = np.random.default_rng([seed, *colour])
        return [
            np.clip(
                np.array(colour)[:, None, None] + rng.normal(0, 3, (3, side, side)), 0, 255
            ).astype(np.uint8)
            for _ in range(count)
        ]

    return Generator(name, family, noise, (64, 128, 256), make)


def grey_photographs(
    root: Path,
    counts: Mapping[str, int],
    side: int = 300,
    kind: str = "photo",
    role: str = "held_out",
) -> tuple[Entry, ...]:
    """So many grey pictures of each source on disk, as entries of a role."""
    entries = []
    for number, (source, count) in enumerate(counts.items()):
        for i in range(count):
            rng = np.random.default_rng([number, i])
            grey = rng.normal(120, 25, (side, side + 40)).clip(0, 255).astype(np.uint8)
            file = f"pictures/{source}/{i}.png"
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.stack([grey] * 3, axis=2)).save(root / file)
            digest = hashlib.sha256((root / file).read_bytes()).hexdigest()
            entries.append(
                Entry(file, digest, kind, "package", None, source, role)  # type: ignore[arg-type]
            )
    return tuple(entries)


def manifest_of(root: Path, *groups: tuple[Entry, ...]) -> Manifest:
    return Manifest(root, tuple(entry for group in groups for entry in group))


def _model(
    name: str, family: str, statistics: tuple[ConditionStatistics, ...], count: int
) -> ModelFingerprint:
    return ModelFingerprint(
        model_id_of(name),
        name,
        family,
        SPACE,
        "live",
        statistics,
        count,
        datetime(2026, 1, 1, tzinfo=UTC),
        "a test",
        "a test",
    )


def _colour(data: bytes) -> np.ndarray | None:
    try:
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image.convert("RGB"), np.float32)
    except OSError:
        return None
    found: np.ndarray = pixels.mean((0, 1))
    return found
