"""The extractor bundle: the one thing that training hands to the worker.

A folder of
- bundle.json           architecture sizes, rule of the crops, constants of the decision, training
                        provenance, digests of the other files
- weights.safetensors   the network (worker/extractor/architectures.py builds it by code)
- background.safetensors   per-condition statistics that enrolment and attribution need
- calibration.safetensors  scores of real photos and whose they are: p-values, stated error rate
- golden.safetensors    a few inputs and their outputs, for a self-test before readiness
- registry.export       the zoo's entries, for `latentprint registry import`

The SHA-256 of bundle.json, which names the digests of all others but the export, is the bundle
digest: the fingerprint space. Nothing here is unpickled.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file as load_tensors

from fingerprint_db.background import Background
from worker.decoder.crops import CROP_RULE
from worker.errors import StopError
from worker.extractor.architectures import ExtractorNetwork, build_network
from worker.extractor.calibration import Calibration
from worker.extractor.document import BundleDocument, reachable_bins
from worker.plain_errors import sentences

DOCUMENT = "bundle.json"
WEIGHTS = "weights.safetensors"
BACKGROUND = "background.safetensors"
CALIBRATION = "calibration.safetensors"
GOLDEN = "golden.safetensors"
DIGESTED = (WEIGHTS, BACKGROUND, CALIBRATION, GOLDEN)
ZOO_EXPORT = "registry.export"
FORMAT = "latentprint-bundle-2"
# Golden fingerprints and scores may differ by this share of a deviation between machines and number
# types, far below any decision; bundle.json names what a deviation is where it is not 1.
GOLDEN_TOLERANCE = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A verified bundle. `digest` is the fingerprint space."""

    path: Path
    digest: str
    document: BundleDocument
    network: ExtractorNetwork
    background: Background
    calibration: Calibration


def default_bundle_path() -> Path:
    """Where the bundle that comes with the package lies."""
    return Path(str(resources.files("worker.extractor"))) / "default_bundle"


def zoo_export_path() -> Path:
    """The registry entries of the committed zoo in the default bundle's space."""
    return default_bundle_path() / ZOO_EXPORT


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_bundle(path: Path | None = None) -> Bundle:
    """Read and verify a bundle; StopError says which file is missing, damaged or too new."""
    path = path or default_bundle_path()
    raw = _read_document(path)
    try:
        stated = json.loads(raw)
        # The format first: a document of another format may lack what this one must have.
        seen = stated.get("format", FORMAT) if isinstance(stated, dict) else FORMAT
        if seen != FORMAT:
            raise StopError(
                f"{path} has format {seen!r}, this version reads {FORMAT!r}; export the"
                " bundle again or install the version that wrote it",
                exit_code=2,
            )
        document = BundleDocument.model_validate(stated)
    except ValidationError as error:
        raise StopError(
            f"{path / DOCUMENT} is no bundle document:"
            f" {sentences(error, BundleDocument.model_fields)}",
            exit_code=2,
        ) from error
    except ValueError as error:  # no UTF-8, or no JSON
        raise StopError(f"{path / DOCUMENT} is no bundle document: {error}", exit_code=2) from error
    if document.crop_rule != CROP_RULE:
        raise StopError(
            f"{path / DOCUMENT} was measured on crops chosen by rule {document.crop_rule!r}, this"
            f" version chooses them by {CROP_RULE!r}, so that its calibration would not hold;"
            " export the bundle again or install the version that wrote it",
            exit_code=2,
        )
    if set(document.files) != set(DIGESTED):
        raise StopError(
            f"{path / DOCUMENT} names digests of {sorted(document.files)}, expected exactly"
            f" {sorted(DIGESTED)}: a file without one could be changed unseen; export it again",
            exit_code=2,
        )
    for name, expected in document.files.items():
        _verify(path / name, expected)
    digest = hashlib.sha256(raw).hexdigest()
    if lacking := set(reachable_bins(document.crop_size)) - set(document.calibration_bins):
        raise StopError(
            f"{path / DOCUMENT} lacks the calibration bins {sorted(lacking)}, into which images for"
            f" crops of {document.crop_size} pixels may fall; export it again",
            exit_code=2,
        )
    try:
        network = build_network(document, load_tensors(path / WEIGHTS))
        background = _background(load_arrays(path / BACKGROUND), digest, document)
        calibration = Calibration.from_arrays(
            load_arrays(path / CALIBRATION), document.calibration_bins
        )
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise StopError(
            f"bundle {path} does not fit architecture {document.architecture!r}: {error}",
            exit_code=2,
        ) from error
    return Bundle(path, digest, document, network, background, calibration)


def _read_document(path: Path) -> bytes:
    try:
        return (path / DOCUMENT).read_bytes()
    except OSError as error:
        raise StopError(
            f"no extractor bundle at {path}: {error.strerror}; expected a folder with {DOCUMENT}."
            " Give one by LATENTPRINT_EXTRACT__BUNDLE or `latentprint train export`",
            exit_code=2,
        ) from error


def _verify(path: Path, expected: str) -> None:
    if not path.is_file():
        raise StopError(f"the bundle lacks {path.name} ({path}); export it again", exit_code=2)
    seen = sha256_of(path)
    if seen != expected:
        raise StopError(
            f"{path} has SHA-256 {seen}, bundle.json names {expected}; the bundle is damaged or was"
            " changed: restore it",
            exit_code=2,
        )


def _background(arrays: dict[str, np.ndarray], digest: str, document: BundleDocument) -> Background:
    return Background(
        digest,
        document.conditions,
        arrays["within"].astype(np.float32),
        arrays["total_mean"].astype(np.float32),
        arrays["total"].astype(np.float32),
        arrays["real_vectors"].astype(np.float32),
        document.decision,
    )


def check_golden(bundle: Bundle, vectors: np.ndarray, scores: np.ndarray) -> None:
    """Compare freshly computed golden outputs with the stored ones; StopError where they differ.

    `vectors` (B, D) and `scores` (B,) are what this machine computes for the golden crops.
    """
    golden, document = load_tensors(bundle.path / GOLDEN), bundle.document
    differences = (
        (torch.from_numpy(vectors) - golden["vectors"]).abs().flatten() / document.vector_spread,
        (torch.from_numpy(scores) - golden["scores"]).abs() / document.score_spread,
    )
    worst = float(torch.cat(differences).max())  # NaN if any is, which the built-in max loses
    if not worst <= GOLDEN_TOLERANCE:
        raise StopError(
            f"self-test of bundle {bundle.digest[:12]} ({GOLDEN}): golden outputs differ by"
            f" {worst:.3g}, at most {GOLDEN_TOLERANCE:g} is allowed; this machine computes other"
            " fingerprints than were calibrated, so no verdict would hold: try"
            " LATENTPRINT_EXTRACT__DEVICE=cpu"
        )
