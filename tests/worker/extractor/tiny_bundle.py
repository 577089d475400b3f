"""A bundle that works in seconds, without training: for tests of everything around the extractor.

Its pictures are made on the spot: waves with noise stand for real photographs, half of them on a
scene of colours, and the same with a faint lattice for what a generator makes. Bases and maps are
fitted to a few of them under every codec, and photographs calibrate: those that were read, and
others whose fingerprints are drawn around theirs. Of lossless files half were halved before, and
all of them are read in both spaces.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.linalg import eigh

from fingerprint_db.background import (
    SIZE_CLASSES,
    Background,
    CodecSpace,
    Cohort,
    DecisionConstants,
)
from fingerprint_db.conditions import CODECS, Codec, conditions_of, readings_of, shown_by
from fingerprint_db.gate.enrolment import Registration
from tests.worker.decoder.image_samples import picture
from worker.decoder.decode import DecodeLimits, decode
from worker.decoder.regions import RegionReading
from worker.enrol.recompress import from_pil, under_condition
from worker.extractor.blocks.picture_features import BLOCKS
from worker.extractor.bundle import save_bundle
from worker.extractor.bundle_arrays import kept
from worker.extractor.document import GROUPS, Group, codecs_of, group_of
from worker.extractor.fingerprint_map import CodecMap, Floats, block_statistics
from worker.extractor.nuisance import nuisance

LIMITS = DecodeLimits(RegionReading())
DIMENSION, DIRECTIONS, CLIP = 8, 16, 4.0
BLOCKS_OF: dict[Group, tuple[str, ...]] = {
    "lossless": tuple(BLOCKS),
    "lossy": ("block_dct", "phase_dct", "co_occurrences"),
}
SOURCES, PHOTOGRAPHS = 6, 720
"""So many photographs of each size class; an eighth of them stand behind the models' z-norm."""
CONSTANTS = DecisionConstants(
    margin=6.0,
    atypical=0.002,
    reach=1.0,
    own_scatter=0.3,
    impostors=2,
    impostor_weight=0.25,
    unfamiliar_distance=12.0,
)
_READ, _MADE = 60, 24  # pictures that are really read: real ones, and of each generator
_SIDES = (64, 64, 48, 40)
_CALIBRATION_SEED = 1_000_000  # pictures of tests have smaller numbers


def _lattices() -> dict[str, NDArray[np.float64]]:
    """What each generator adds to a picture, (2, 2, 3) grey levels, repeated over it."""
    checks = np.array([[1.0, -1.0], [-1.0, 1.0]])
    columns = np.array([[1.0, -1.0], [1.0, -1.0]])
    return {
        "checks": checks[:, :, None] * np.array([6.0, 6.0, 6.0]),
        "columns": columns[:, :, None] * np.array([6.0, 6.0, 6.0]),
        "rows": columns.T[:, :, None] * np.array([7.0, 5.0, 6.0]),
    }


LATTICES = _lattices()
GENERATORS = tuple(LATTICES)


@dataclass(frozen=True, slots=True)
class TinyBundle:
    """Where a tiny bundle lies, and its digest: the fingerprint space."""

    path: Path
    digest: str


def real_png(number: int, side: int = 64) -> bytes:
    """A picture like a photo; another for every number."""
    return _encoded(_real(number, side), "PNG")


def made_png(generator: str, number: int, side: int = 64) -> bytes:
    """A picture that `generator`, one of GENERATORS, made; another for every number."""
    return _encoded(_made(generator, number, side), "PNG")


def varied_png(generator: str, number: int, side: int = 64) -> bytes:
    """As made_png, on a scene of its own: the others are much alike, as samples must not be."""
    return _encoded(_on_a_scene(_made(generator, number, side), number), "PNG")


def halved_png(generator: str, number: int, side: int = 64) -> bytes:
    """A picture on a scene of its own that `generator` made twice as large, then halved.

    What it adds there is twice as coarse, so that something is left.
    """
    return _as("half_lossless", _on_a_scene(_made(generator, number, 2 * side, 2), number))


def halved_real_png(number: int, side: int = 64) -> bytes:
    """A picture like a photo that was halved, and twice as large before."""
    return _as("half_lossless", _real(number, 2 * side))


def real_jpeg(number: int, quality: int, side: int = 64) -> bytes:
    """A picture like a photo as JPEG."""
    return _encoded(_real(number, side), "JPEG", quality=quality)


def jpeg_in_png(number: int, quality: int, side: int = 192) -> bytes:
    """A picture like a photo on a scene of its own, which was a JPEG before it became a PNG."""
    scene = _on_a_scene(_real(number, side), number)
    return _encoded(Image.open(io.BytesIO(_encoded(scene, "JPEG", quality=quality))), "PNG")


def registration(name: str) -> Registration:
    """Who registers `name`, and when; always the same."""
    at = datetime(2026, 3, 4, tzinfo=UTC)
    return Registration(name, name, f"family of {name}", "ada", "a test", at)


def write_tiny_bundle(folder: Path) -> TinyBundle:
    """Write the tiny bundle into `folder`; always the same one."""
    maps, background = tiny_parts()
    golden = [_pixels(_real(1, 64)), *(_pixels(_made(name, 2, 64)) for name in GENERATORS)]
    digest = save_bundle(
        folder, maps, background, golden, RegionReading(), {"made_by": "the tests"}
    )
    return TinyBundle(folder, digest)


@lru_cache(maxsize=1)
def tiny_parts() -> tuple[dict[Codec, CodecMap], Background]:
    """The maps and the background, as they are before they are written."""
    maps: dict[Codec, CodecMap] = {}
    spaces: dict[Codec, CodecSpace] = {}
    for group in GROUPS:
        read = {codec: _read_all(codec) for codec in codecs_of(group)}
        centred = {codec: _centred(_of_files(codec, read)) for codec in read}
        basis = _basis([one.seen for one in centred.values()])
        for codec, own in centred.items():
            maps[codec], spaces[codec] = _fitted(codec, own, basis)
    return maps, Background("0" * 64, spaces, CONSTANTS)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Pictures under one codec: statistics of real ones (N, F) and their kinds (N, 15); `made`
    (G M, F) those of each generator, one after the other."""

    real: Floats
    made: Floats
    kinds: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Centred:
    """`seen` in deviations (F,) `scale` from the `mean` (F,) of all its pictures."""

    mean: Floats
    scale: Floats
    seen: _Seen


def _read_all(codec: Codec) -> _Seen:
    numbers = range(_CALIBRATION_SEED, _CALIBRATION_SEED + _READ)
    times = 2 if codec == "half_lossless" else 1
    sides = [times * side for side in _SIDES]
    pictures = [_varied(_real(n, sides[n % 4]), n) for n in numbers]
    for name in GENERATORS:
        pictures += [_varied(_made(name, n, sides[n % 4], times), n) for n in numbers[:_MADE]]
    statistics, kinds = [], []
    for number, one in enumerate(pictures):
        image = decode(_as(codec, one), LIMITS)
        statistics.append(block_statistics(image.regions, BLOCKS_OF[group_of(codec)]))
        if number < _READ:
            kinds.append(nuisance(image.regions, image.facts).vector)
    return _Seen(np.stack(statistics[:_READ]), np.stack(statistics[_READ:]), np.stack(kinds))


def _of_files(codec: Codec, read: Mapping[Codec, _Seen]) -> _Seen:
    """What is read in a codec's space: all photographs whose files are, and its own generators."""
    every = [read[one] for one in readings_of(shown_by(codec))]
    return _Seen(
        np.concatenate([one.real for one in every]),
        read[codec].made,
        np.concatenate([one.kinds for one in every]),
    )


def _centred(seen: _Seen) -> _Centred:
    statistics = np.concatenate([seen.real, seen.made])
    mean, scale = statistics.mean(0), statistics.std(0) + 1e-2
    rows = ((statistics - mean) / scale).clip(-CLIP, CLIP).astype(np.float32)
    count = len(seen.real)
    return _Centred(mean, scale, _Seen(rows[:count], rows[count:], seen.kinds))


def _basis(of_codecs: list[_Seen]) -> Floats:
    """(F, B): the leading directions of what parts the generators, and of everything."""
    parting = np.concatenate([_class_means(one.made) - one.real.mean(0) for one in of_codecs])
    _, _, first = np.linalg.svd(parting, full_matrices=False)
    first = first[: DIRECTIONS // 2].T  # (F, at most B / 2)
    rest = np.concatenate([rows for one in of_codecs for rows in (one.real, one.made)])
    rest = rest - (rest @ first) @ first.T
    _, _, others = np.linalg.svd(rest[:: len(of_codecs)], full_matrices=False)
    basis = np.concatenate([first, others[: DIRECTIONS - first.shape[1]].T], axis=1)
    return kept(basis)


def _class_means(made: NDArray[np.floating]) -> NDArray[np.floating]:
    """(generators, ...) of the rows of all generated pictures."""
    means: NDArray[np.floating] = made.reshape(len(GENERATORS), _MADE, -1).mean(1)
    return means


def _fitted(codec: Codec, own: _Centred, basis: Floats) -> tuple[CodecMap, CodecSpace]:
    """As training/open_set/fit.py does: the basis in which both covariances are diagonal."""
    real = (own.seen.real @ basis).astype(np.float64)
    made = (own.seen.made @ basis).astype(np.float64).reshape(len(GENERATORS), _MADE, -1)
    of_real = _shrunk(np.cov(real.T))
    of_made = _shrunk(np.mean([np.cov(one.T) for one in made], axis=0))
    variances, directions = eigh(of_real, (of_real + of_made) / 2)
    # Kept are the numbers in which the generators lie furthest from photographs.
    apart = np.square((made.mean(1) - real.mean(0)) @ directions).sum(0) / variances
    chosen = np.sort(np.argsort(-apart)[:DIMENSION])
    projection = kept(directions[:, chosen].astype(np.float32))
    offset = (-real.mean(0) @ projection).astype(np.float32)
    to_fingerprint = CodecMap(
        BLOCKS_OF[group_of(codec)], own.mean, own.scale, CLIP, basis, projection, offset
    )
    means = _class_means(to_fingerprint.fingerprint(own.seen.made))
    variance = np.clip(variances[chosen], 0.05, 1.95).astype(np.float32)
    direction = np.linalg.solve(np.eye(DIMENSION) + 0.5 * np.cov(means.T, bias=True), means.mean(0))
    synthesis = direction / np.sqrt(direction**2 @ variance)
    rng = np.random.default_rng(CODECS.index(codec))
    generators = rng.normal(0, 1, (6, DIMENSION)).astype(np.float32)  # nobody's, near photographs
    space = CodecSpace(
        variance,
        generators.astype(np.float16).astype(np.float32),
        synthesis.astype(np.float32),
        _cohort(to_fingerprint.fingerprint(own.seen.real), own.seen.kinds, rng),
    )
    return to_fingerprint, space


def _shrunk(covariance: NDArray[np.floating]) -> NDArray[np.float64]:
    mixed: NDArray[np.float64] = 0.8 * covariance + 0.2 * np.diag(np.diag(covariance))
    return mixed


def _cohort(vectors: Floats, kinds: Floats, rng: np.random.Generator) -> Cohort:
    """As many photographs in every size class: the pictures that were read, moved a little."""
    count = PHOTOGRAPHS * len(SIZE_CLASSES)
    chosen = np.arange(count) % len(vectors)
    moved = vectors[chosen] + rng.normal(0, 0.2, (count, DIMENSION))
    others = kinds[chosen] + rng.normal(0, 0.02, (count, kinds.shape[1]))
    photographs = np.arange(count)
    return Cohort(
        kept(moved.astype(np.float32)),
        photographs,
        photographs % SOURCES,
        photographs // PHOTOGRAPHS,
        kept(others.astype(np.float32)),
        photographs // SOURCES % 8 == 0,
        np.ones(len(photographs), np.float32),
    )


def _as(codec: Codec, image: Image.Image) -> bytes:
    return under_condition(None, from_pil(image), conditions_of(codec)[0])


def _real(number: int, side: int) -> Image.Image:
    return picture(side, side, seed=number)


def _made(generator: str, number: int, side: int, coarse: int = 1) -> Image.Image:
    plain = np.asarray(_real(number, side)).astype(np.float64)  # (S, S, 3)
    lattice = LATTICES[generator].repeat(coarse, axis=0).repeat(coarse, axis=1)
    lattice = np.tile(lattice, (side // 2 + 1, side // 2 + 1, 1))[:side, :side]
    return Image.fromarray((plain + lattice).round().clip(0, 255).astype(np.uint8))


def _varied(image: Image.Image, number: int) -> Image.Image:
    """Every other picture stands on a scene."""
    return _on_a_scene(image, number) if number % 2 else image


def _on_a_scene(image: Image.Image, number: int) -> Image.Image:
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    scene = Image.fromarray(coarse).resize(image.size, Image.Resampling.BICUBIC)
    mixed = np.asarray(image, np.float64) + 0.4 * (np.asarray(scene, np.float64) - 128)
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def _encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()
