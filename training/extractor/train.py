"""Training the extractor: views of every source, the residual branch, the map and the score."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from training.data.manifest import Manifest
from training.extractor.cohort import Cohort, Source, collect, features_of
from training.extractor.fit import FitRecipe, fit_projection, fit_score
from training.extractor.residual import ResidualRecipe, train_residual
from training.extractor.sources import (
    TRAINING_SEED,
    RealPictures,
    load_real,
    real_sources,
    simulated_source,
    zoo_source,
)
from training.zoo.catalog import CATALOG, HELD_OUT
from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodeLimits
from worker.errors import StopError
from worker.extractor.networks import FingerprintNetwork, NetworkSizes

WEIGHTS = "network.safetensors"
FACTS = "training.json"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ExtractorRecipe:
    """How many views of which sources, and the recipes of the parts."""

    sizes: NetworkSizes = field(default_factory=NetworkSizes)
    max_crops: int = 16
    simulations: int = 200
    views_per_simulation: int = 16
    views_per_zoo_model: int = 600
    views_per_snapshot: int = 100
    views_of_photos: int = 2400
    views_of_faces: int = 800
    views_per_other_real: int = 300
    residual: ResidualRecipe = field(default_factory=ResidualRecipe)
    fit: FitRecipe = field(default_factory=FitRecipe)
    seed: int = 1


def limits_of(recipe: ExtractorRecipe) -> DecodeLimits:
    """How images are decoded for this recipe."""
    return DecodeLimits(CropReading(recipe.sizes.crop_size, recipe.max_crops))


def training_models() -> list[str]:
    """The zoo's models that the extractor may see: all that are trained but the held-out one."""
    names = [n for n, entry in CATALOG.items() if n != HELD_OUT and entry.weights.is_file()]
    if not names:
        raise StopError("no zoo model is trained; run `latentprint train zoo NAME` first")
    return names


def snapshots(cache: Path) -> list[tuple[str, Path]]:
    """Snapshots of all trainings in `cache`, abandoned ones too: generators of their own.

    Those of the held-out model are left out.
    """
    found = sorted((cache / "zoo").glob("*/snapshots/*.safetensors"))
    names = [(path.parent.parent.name, path) for path in found]
    return [(f"{name}.{path.stem}", path) for name, path in names if name != HELD_OUT]


def training_sources(
    recipe: ExtractorRecipe, pictures: RealPictures, cache: Path
) -> tuple[list[Source], list[int]]:
    """All sources of the training split with how many views of each are drawn."""
    real = real_sources(pictures)
    counts = [recipe.views_of_photos, recipe.views_of_faces]
    counts += [recipe.views_per_other_real] * (len(real) - 2)
    simulated = [simulated_source(number, pictures) for number in range(recipe.simulations)]
    zoo = [
        zoo_source(name, CATALOG[name].weights, recipe.views_per_zoo_model, TRAINING_SEED)
        for name in training_models()
    ]
    stages = [
        zoo_source(name, path, recipe.views_per_snapshot, TRAINING_SEED + index)
        for index, (name, path) in enumerate(snapshots(cache), start=1)
    ]
    counts += [recipe.views_per_simulation] * len(simulated)
    counts += [recipe.views_per_zoo_model] * len(zoo)
    counts += [recipe.views_per_snapshot] * len(stages)
    return [*real, *simulated, *zoo, *stages], counts


def train_extractor(
    recipe: ExtractorRecipe, manifest: Manifest, folder: Path, say: Say
) -> FingerprintNetwork:
    """Train from nothing and save network and facts in `folder`."""
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    say("reading the training photos")
    pictures = load_real(manifest, "train")
    sources, counts = training_sources(recipe, pictures, manifest.root)
    say(f"drawing {sum(counts)} views of {len(sources)} sources")
    cohort = collect(sources, counts, limits_of(recipe), recipe.seed)
    torch.manual_seed(recipe.seed)
    network = FingerprintNetwork(recipe.sizes)
    say(
        f"{len(cohort)} views after {time.monotonic() - started:.0f} s;"
        " training the residual branch"
    )
    steps = train_residual(network, cohort, recipe.residual, folder / "residual.jsonl")
    network.requires_grad_(False)
    say(f"{steps} steps after {time.monotonic() - started:.0f} s; describing all views")
    features = features_of(network, cohort.crops)
    say(f"fitting the map and the score after {time.monotonic() - started:.0f} s")
    loss = fit_all(network, features, cohort, recipe)
    facts: dict[str, str | int | float] = {
        "sources": len(sources),
        "views": len(cohort),
        "zoo_models": ", ".join(training_models()),
        "held_out_model": HELD_OUT,
        "residual_steps": steps,
        "score_loss": round(loss, 4),
        "seconds": round(time.monotonic() - started),
    }
    save_network(network, facts, folder)
    return network


def fit_all(
    network: FingerprintNetwork, features: torch.Tensor, cohort: Cohort, recipe: ExtractorRecipe
) -> float:
    """Fit the map on all sources, then the score with real, simulated and zoo weighing 2:1:1."""
    fit_projection(network, features, cohort.label, cohort.codec, cohort.real, recipe.fit)
    network.score_head.requires_grad_(True)
    loss = fit_score(
        network, network.fingerprint(features), cohort.real, draw_weights(cohort), recipe.fit
    )
    network.requires_grad_(False)
    return loss


def draw_weights(cohort: Cohort) -> np.ndarray:
    """(N,) float64: photos and faces a quarter each, simulated and zoo a quarter each."""
    kind = np.array([_kind(name) for name in cohort.sources])[cohort.label]
    weight = np.zeros(len(kind))
    for name in np.unique(kind):
        weight[kind == name] = 1.0 / (kind == name).sum()
    return weight


def _kind(source: str) -> str:
    return "real.photo" if source == "real.photo" else source.split(".")[0]


def save_network(
    network: FingerprintNetwork, facts: dict[str, str | int | float], folder: Path
) -> None:
    """Weights and facts, for `export`."""
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n")


def load_network(
    recipe: ExtractorRecipe, folder: Path
) -> tuple[FingerprintNetwork, dict[str, str | int | float]]:
    """What `train_extractor` saved; StopError where there is nothing."""
    if not (folder / WEIGHTS).is_file():
        raise StopError(f"no trained extractor in {folder}; run `latentprint train extractor`")
    network = FingerprintNetwork(recipe.sizes)
    network.load_state_dict(load_file(folder / WEIGHTS))
    facts: dict[str, str | int | float] = json.loads((folder / FACTS).read_text())
    return network.eval().requires_grad_(False), facts


def made_sources_for_background(
    pictures: RealPictures, simulations: Sequence[int], seed: int, count: int
) -> list[Source]:
    """Made sources of the background statistics: final zoo models and simulated generators."""
    zoo = [zoo_source(name, CATALOG[name].weights, count, seed) for name in training_models()]
    return [*zoo, *(simulated_source(number, pictures) for number in simulations)]
