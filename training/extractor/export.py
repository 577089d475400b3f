"""Writing an extractor bundle, and enrolling the zoo in its space."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
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
from training.extractor.sources import ENROLMENT_SEED
from training.extractor.views import read_back
from training.histories.encodings import Encoding, write
from training.zoo.generate import generate, load_generator
from worker.decoder.crops import CROP_RULE, CropReading
from worker.decoder.decode import DecodeLimits, decode
from worker.enrol.recompress import Picture
from worker.enrol.samples import fingerprint_samples
from worker.errors import StopError
from worker.extractor import bundle as layout
from worker.extractor.architectures import ExtractorNetwork
from worker.extractor.calibration import Calibration
from worker.extractor.document import BundleDocument
from worker.extractor.extract import TorchExtractor
from worker.judge.policy import load_policy

ENROLMENT_SAMPLES = 500


@dataclass(frozen=True, slots=True)
class ZooGenerator:
    """A generator of the zoo to enrol: its name is its model id, its weights are of the zoo."""

    name: str
    family: str
    weights: Path


def write_bundle(
    folder: Path,
    network: ExtractorNetwork,
    background: Background,
    calibration: Calibration,
    golden: Sequence[Picture],
    limits: DecodeLimits,
    provenance: dict[str, str | int | float],
    *,
    sources: tuple[str, ...] = (),
    vector_spread: float = 1.0,
    score_spread: float = 1.0,
) -> str:
    """Write all files of a bundle but the zoo's entries; returns the digest: the space.

    The last three are the fields of bundle.json of the same names.
    """
    reading = limits.reading
    if not isinstance(reading, CropReading):
        raise ValueError("this bundle format is of crops")
    bins = tuple(calibration.reference)
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
    save_arrays(calibration.arrays(), folder / layout.CALIBRATION)
    save_tensors(_golden(network, golden, limits), folder / layout.GOLDEN)
    document = BundleDocument(
        format=layout.FORMAT,
        architecture=network.architecture,
        crop_size=network.crop_size,
        max_crops=reading.max_crops,
        crop_rule=CROP_RULE,
        dimension=network.dimension,
        **network.further_sizes(),
        sources=sources,
        vector_spread=vector_spread,
        score_spread=score_spread,
        decision=background.constants,
        conditions=background.conditions,
        calibration_bins=bins,
        provenance=provenance,
        files={name: layout.sha256_of(folder / name) for name in layout.DIGESTED},
    )
    # Fields at their default are left out, as in the bundles from before there were any.
    stated = document.model_dump(mode="json", exclude_defaults=True)
    raw = json.dumps(stated, indent=1, sort_keys=True).encode() + b"\n"
    (folder / layout.DOCUMENT).write_bytes(raw)
    return hashlib.sha256(raw).hexdigest()


def _golden(
    network: ExtractorNetwork, pictures: Sequence[Picture], limits: DecodeLimits
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
        features = network.pool(network.crop_features(stacked), owner, len(pictures))
        vectors = network.fingerprint(features)
        scores = network.score(vectors)
    return {"crops": stacked, "image_of_crop": owner, "vectors": vectors, "scores": scores}


def enrol_zoo(
    folder: Path, models: Sequence[ZooGenerator], *, stop_at_refusal: bool = True
) -> list[EnrolmentReport]:
    """Enrol zoo models in the space of the bundle at `folder` and write its registry export.

    Through the same code as `latentprint register`, after the bundle's self-test. When the gate
    refuses one: StopError, or without `stop_at_refusal` the model is left out and its report says
    why.
    """
    bundle = layout.load_bundle(folder)
    extractor = TorchExtractor(bundle, "cpu")
    extractor.self_test()
    registry = MemoryRegistry()
    reports = []
    for model in models:
        images = generate(load_generator(model.weights), ENROLMENT_SAMPLES, ENROLMENT_SEED)
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
            if not stop_at_refusal:
                continue
            raise StopError(
                f"the gate refused zoo model {model.name}: {'; '.join(enrolment.report.refusals)}"
            )
        registry.register(enrolment.model, by=registration.by, reason=registration.reason)
    (folder / layout.ZOO_EXPORT).write_bytes(export(registry, bundle.digest))
    return reports
