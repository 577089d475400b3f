"""Writing an extractor bundle, and enrolling the zoo in its space."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file as save_tensors

from fingerprint_db.background import Background
from fingerprint_db.enrolment import EnrolmentReport, Registration, enrol
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.transfer import export
from training.sources import ENROLMENT_SEED
from training.views import Encoding, read_back, write
from training.zoo.catalog import CatalogEntry
from training.zoo.generate import generate, load_generator
from worker.calibration import BINS, Calibration
from worker.decode import DecodeLimits, decode
from worker.errors import StopError
from worker.extractor import bundle as layout
from worker.extractor.extract import TorchExtractor
from worker.extractor.networks import FingerprintNetwork
from worker.policy import load_policy
from worker.recompress import Picture
from worker.register import fingerprint_samples

ENROLMENT_SAMPLES = 500
ARCHITECTURE = "spectrum-cooccurrence-residual"


def write_bundle(
    folder: Path,
    network: FingerprintNetwork,
    background: Background,
    calibration: Calibration,
    golden: Sequence[Picture],
    limits: DecodeLimits,
    provenance: dict[str, str | int | float],
) -> str:
    """Write all files of a bundle but the zoo's entries; returns the digest: the space."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_tensors(tensors, folder / layout.WEIGHTS)
    save_arrays(
        {
            "within": background.within,
            "total_mean": background.total_mean,
            "total": background.total,
            "real_vectors": background.real_vectors.astype(np.float16),
        },
        folder / layout.BACKGROUND,
    )
    save_arrays(
        {
            **{f"reference.{name}": np.sort(calibration.reference[name]) for name in BINS},
            **{f"held_out.{name}": calibration.held_out[name] for name in BINS},
        },
        folder / layout.CALIBRATION,
    )
    save_tensors(_golden(network, golden, limits), folder / layout.GOLDEN)
    document = layout.BundleDocument(
        format=layout.FORMAT,
        architecture=ARCHITECTURE,
        crop_size=network.sizes.crop_size,
        max_crops=limits.max_crops,
        residual_width=network.sizes.residual_width,
        residual_features=network.sizes.residual_features,
        dimension=network.sizes.dimension,
        conditions=background.conditions,
        calibration_bins=BINS,
        provenance=provenance,
        files={name: layout.sha256_of(folder / name) for name in layout.DIGESTED},
    )
    raw = json.dumps(document.model_dump(mode="json"), indent=1, sort_keys=True).encode() + b"\n"
    (folder / layout.DOCUMENT).write_bytes(raw)
    return hashlib.sha256(raw).hexdigest()


def _golden(
    network: FingerprintNetwork, pictures: Sequence[Picture], limits: DecodeLimits
) -> dict[str, torch.Tensor]:
    """Crops of made pictures and what the network says of them in float32."""
    crops, owners = [], []
    for index, picture in enumerate(pictures):
        view = read_back(write(picture, Encoding("png", 0, 0)), limits)
        assert view is not None, "a golden picture must be decodable"
        crops.append(view.crops)
        owners += [index] * len(view.crops)
    stacked = torch.from_numpy(np.concatenate(crops))
    owner = torch.tensor(owners)
    with torch.inference_mode():
        vectors, scores = network(stacked, owner, len(pictures))
    return {"crops": stacked, "image_of_crop": owner, "vectors": vectors, "scores": scores}


def enrol_zoo(folder: Path, models: Sequence[CatalogEntry]) -> list[EnrolmentReport]:
    """Enrol zoo models in the space of the bundle at `folder` and write its registry export.

    Through the same code as `latentprint register`. StopError when the gate refuses one.
    """
    bundle = layout.load_bundle(folder)
    extractor = TorchExtractor(bundle, "cpu")
    registry = MemoryRegistry()
    reports = []
    for model in models:
        images = generate(load_generator(model.name), ENROLMENT_SAMPLES, ENROLMENT_SEED)
        files = [write(image, Encoding("png", 0, 0)) for image in images]
        samples = fingerprint_samples(
            files, lambda data: decode(data, extractor.limits), extractor, bundle.calibration
        )
        registration = Registration(
            model_id=model.name,
            name=model.name,
            family=model.family,
            by="latentprint train export",
            reason="generator of the committed zoo",
            at=datetime.now(UTC),
        )
        enrolment = enrol(
            samples,
            registration,
            bundle.background,
            registry.snapshot(bundle.digest).models,
            alpha=load_policy().alpha,
        )
        reports.append(enrolment.report)
        if enrolment.model is None:
            raise StopError(
                f"the gate refused zoo model {model.name}: {'; '.join(enrolment.report.refusals)}"
            )
        registry.register(enrolment.model, by=registration.by, reason=registration.reason)
    (folder / layout.ZOO_EXPORT).write_bytes(export(registry, bundle.digest))
    return reports
