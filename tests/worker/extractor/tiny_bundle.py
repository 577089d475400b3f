"""A bundle that works in a second, without training: for tests of everything around the network.

Its pictures are made on the spot: waves with noise stand for real photos, and the same with a
faint lattice for what a generator makes. The residual branch is random; the map looks for the
lattices where they stand out of the spectrum, and calibration and background are measured.
"""

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from fingerprint_db.background import Background, DecisionConstants
from fingerprint_db.conditions import CONDITIONS
from fingerprint_db.enrolment import Registration
from tests.worker.decoder.image_samples import picture
from training.extractor.export import write_bundle
from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodeLimits, decode
from worker.extractor.calibration import BINS, Calibration, PhotographScores
from worker.extractor.networks import FingerprintNetwork, NetworkSizes

LIMITS = DecodeLimits(CropReading(32, 3))
SIZES = NetworkSizes(crop_size=32, residual_width=4, residual_features=4, dimension=6)
REFERENCE, HELD_OUT, PER_GENERATOR = 220, 40, 24
_FEATURES_PER_LATTICE = 20
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


def real_jpeg(number: int, quality: int, side: int = 64) -> bytes:
    """A picture like a photo as JPEG."""
    return _encoded(_real(number, side), "JPEG", quality=quality)


def registration(name: str) -> Registration:
    """Who registers `name`, and when; always the same."""
    at = datetime(2026, 3, 4, tzinfo=UTC)
    return Registration(name, name, f"family of {name}", "ada", "a test", at)


@lru_cache(maxsize=1)
def _parts() -> tuple[FingerprintNetwork, Background, Calibration]:
    torch.manual_seed(11)
    network = FingerprintNetwork(SIZES).eval().requires_grad_(False)
    numbers = range(_CALIBRATION_SEED, _CALIBRATION_SEED + REFERENCE + HELD_OUT)
    reals = _features(network, [real_png(number) for number in numbers])
    made = {
        name: _features(network, [made_png(name, n) for n in numbers[:PER_GENERATOR]])
        for name in GENERATORS
    }
    _fit(network, reals, made)
    vectors = network.fingerprint(reals)
    scores = network.score(vectors).numpy()
    reference, held_out = scores[:REFERENCE], scores[REFERENCE:]
    # Each picture is one view of a photograph of its own.
    photographs = np.array(numbers)
    calibration = Calibration(
        dict.fromkeys(BINS, PhotographScores.of(reference, photographs[:REFERENCE])),
        dict.fromkeys(BINS, PhotographScores.of(held_out, photographs[REFERENCE:])),
    )
    background = _background(
        vectors.numpy(), {name: network.fingerprint(rows).numpy() for name, rows in made.items()}
    )
    return network, background, calibration


def write_tiny_bundle(folder: Path) -> TinyBundle:
    """Write the tiny bundle into `folder`; always the same one."""
    network, background, calibration = _parts()
    golden = [np.asarray(_real(1, 64)).transpose(2, 0, 1), *_golden_of_generators()]
    digest = write_bundle(
        folder, network, background, calibration, golden, LIMITS, {"made_by": "the tests"}
    )
    return TinyBundle(folder, digest)


def _golden_of_generators() -> list[NDArray[np.uint8]]:
    return [np.asarray(_made(name, 2, 64)).transpose(2, 0, 1) for name in GENERATORS]


def _real(number: int, side: int) -> Image.Image:
    return picture(side, side, seed=number)


def _made(generator: str, number: int, side: int) -> Image.Image:
    plain = np.asarray(_real(number, side)).astype(np.float64)  # (S, S, 3)
    lattice = np.tile(LATTICES[generator], (side // 2 + 1, side // 2 + 1, 1))[:side, :side]
    return Image.fromarray((plain + lattice).round().clip(0, 255).astype(np.uint8))


def _encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def _features(network: FingerprintNetwork, files: list[bytes]) -> torch.Tensor:
    """Raw features (N, F) in float32."""
    crops = [decode(data, LIMITS).crops for data in files]
    counts = torch.tensor([len(of_one) for of_one in crops])
    owner = torch.repeat_interleave(torch.arange(len(crops)), counts)
    parts = network.crop_features(torch.from_numpy(np.concatenate(crops)))
    return network.pool(parts, owner, len(crops))


def _fit(network: FingerprintNetwork, reals: torch.Tensor, made: dict[str, torch.Tensor]) -> None:
    """One direction per generator, then random ones; the score is the sum of the first."""
    network.feature_mean.copy_(reals.mean(0))
    network.feature_scale.copy_(reals.std(0) + 1e-3)
    standard = (reals - network.feature_mean) / network.feature_scale
    rows = []
    for features in made.values():
        shift = ((features - network.feature_mean) / network.feature_scale).mean(0)
        shift[shift < shift.topk(_FEATURES_PER_LATTICE).values[-1]] = 0.0
        rows.append(shift)
    for _ in range(SIZES.dimension - len(rows)):
        rows.append(torch.randn(reals.shape[1]))
    projection = torch.stack(rows)
    projection /= (standard @ projection.T).std(0)[:, None]
    network.projection.copy_(projection)
    # silu(a) - silu(-a) = a, so two hidden units make the score linear.
    first, last = network.score_head[0], network.score_head[2]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    for layer in (first, last):
        layer.weight.zero_()
        layer.bias.zero_()
    first.weight[0, : len(made)] = 1.0
    first.weight[1, : len(made)] = -1.0
    last.weight[0, 0], last.weight[0, 1] = 1.0, -1.0


def _background(reals: NDArray[np.float32], made: dict[str, NDArray[np.float32]]) -> Background:
    """Measured on the files as received, and taken to hold under every condition."""
    within = np.mean([np.cov(vectors.T) for vectors in made.values()], axis=0)
    everything = np.concatenate([reals[: PER_GENERATOR * len(made)], *made.values()])
    count = len(CONDITIONS)
    return Background(
        "0" * 64,
        tuple(condition.name for condition in CONDITIONS),
        np.stack([within] * count).astype(np.float32),
        np.stack([everything.mean(0)] * count).astype(np.float32),
        np.stack([np.cov(everything.T)] * count).astype(np.float32),
        np.stack([reals[:60]] * count).astype(np.float32),
        DecisionConstants(15.0, 40.0 / 96, 0.005, 0.025),
    )
