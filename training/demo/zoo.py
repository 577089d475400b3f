"""The generators of the demo: those that the bundle registers, and two that it does not.

Of those two, ProGAN shares no architecture with the others and is registered before the worker
starts; the newcomer, a sibling of a registered generator by another seed, while it runs.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.transfer import import_
from training.demo.plan import DEMO_SEED, ENROLMENT_SAMPLES, MADE_PER_GENERATOR, Made
from training.zoo.catalog import CATALOG
from training.zoo.generate import Generator, generate, load_generator
from training.zoo.sets import models_by_name
from worker.errors import StopError
from worker.extractor.bundle import ZOO_EXPORT
from worker.extractor.document import default_bundle_path
from worker.settings_sources import load_settings

OTHER = "progan"
"""Registered from samples, as an operator would: the bundle's own generators and the newcomer are
DCGAN's and residual networks (MMD-GAN's is SNGAN's), ProGAN is neither."""


def bundle_path(environment: Mapping[str, str]) -> Path:
    """The bundle that the worker will use; StopError when it brings no models."""
    path = load_settings(environment=environment).extract.bundle or default_bundle_path()
    if not (path / ZOO_EXPORT).is_file():
        raise StopError(
            f"the bundle {path} has no {ZOO_EXPORT}, so that no generator would be registered;"
            " restore it from the repository, or write it by `latentprint train bundle`"
        )
    return path


def import_zoo(registry: RedisRegistry, bundle: Path) -> tuple[ModelFingerprint, ...]:
    """Import the bundle's models, as `latentprint registry import` does; those of the catalogue."""
    data = (bundle / ZOO_EXPORT).read_bytes()
    report = import_(registry, data, by="latentprint demo", reason="the zoo of the bundle")
    live = registry.list(report.space, status="live")
    models = tuple(model for model in live if model.name in CATALOG)
    if not models or len(models) == len(CATALOG):
        raise StopError(
            f"the bundle {bundle} registers {[model.name for model in live]}; expected some of the"
            f" zoo's generators ({', '.join(CATALOG)}) and at least one left out, to be the"
            " unknown one"
        )
    return models


def make_images(models: Sequence[ModelFingerprint]) -> Made:
    """New images of every registered generator, of OTHER, and of the first not registered."""
    names = [model.name for model in models]
    newcomer = next(name for name in CATALOG if name not in names)
    unknown = load_generator(newcomer)
    return Made(
        registered={
            name: generate(_generator(name), MADE_PER_GENERATOR, DEMO_SEED + number)
            for number, name in enumerate((*names, OTHER))
        },
        other=OTHER,
        other_samples=generate(_generator(OTHER), ENROLMENT_SAMPLES, DEMO_SEED + 400),
        newcomer=newcomer,
        newcomer_before=generate(unknown, MADE_PER_GENERATOR, DEMO_SEED + 100),
        newcomer_samples=generate(unknown, ENROLMENT_SAMPLES, DEMO_SEED + 200),
        newcomer_after=generate(unknown, MADE_PER_GENERATOR, DEMO_SEED + 300),
    )


def _generator(name: str) -> Generator:
    """One of the catalogue, or of the zoo's sets."""
    return load_generator(name if name in CATALOG else models_by_name()[name].weights)
