"""An attribution network as an extractor bundle: calibrated, self-tested, its generators enrolled.

The paper's network tells the sources of its training apart. As a bundle it serves the worker like
the other architecture: its fingerprints of any generator are enrolled under the same conditions,
and its score is held against real pictures that it has not seen.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fingerprint_db.background import Background
from training.data.manifest import Manifest
from training.extractor.calibrate import CalibrationSizes, measure_background, measure_calibration
from training.extractor.choose_constants import load_constants
from training.extractor.cohort import Source
from training.extractor.export import ZooGenerator, enrol_zoo, write_bundle
from training.extractor.sources import (
    TRAINING_SEED,
    Photograph,
    load_photographs,
    load_real,
    simulated_source,
    zoo_source,
)
from training.paper.networks.attribution_file import load_attribution, sources_of
from training.zoo.sets import models_by_name
from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodeLimits
from worker.enrol.recompress import Picture
from worker.errors import StopError
from worker.extractor.attribution_network import AttributionNetwork
from worker.extractor.bundle import default_bundle_path, sha256_of
from worker.extractor.calibration import Calibration

# A crop of 64 costs 0.46 GMAC, some 15 times one of the other architecture's, so there are fewer.
MAX_CROPS = 4
SIMULATIONS = 20
# D = 512: with about 25 sources some 600 made pictures, and two views of each of some 330
# photographs, for each covariance, a little over D, and both are shrunk besides.
SIZES = CalibrationSizes(per_made_source=24, per_photograph=2)
_GOLDEN = 4
_FAMILIES = {"progan": "ProGAN", "sngan": "SNGAN", "cramergan": "CramerGAN", "mmdgan": "MMDGAN"}
_SEED = 1

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Material:
    """What a bundle is made from.

    `made` and `validation` give the background, `validation` the reference scores and `test` the
    held-out ones; the two real lists come from disjoint splits. `golden` are made pictures.
    """

    made: Sequence[Source]
    validation: Sequence[Photograph]
    test: Sequence[Photograph]
    golden: Sequence[Picture]
    zoo: Sequence[ZooGenerator]


def write_attribution_bundle(weights: Path, folder: Path, manifest: Manifest, say: Say) -> str:
    """Build the whole bundle of a weights file in `folder`; returns its digest.

    StopError for a file that holds no attribution network, for a generator of its sources whose
    weights are not there, and for the folder of the package's own bundle, which is not replaced.
    """
    if folder.resolve() == default_bundle_path().resolve():
        raise StopError(
            f"{folder} is the bundle that comes with the package, of another architecture; an"
            " attribution network does not replace it: name another folder",
            exit_code=2,
        )
    network, facts = load_attribution(weights)
    generators = zoo_generators(sources_of(facts))
    say(f"{network.side} pixels, {len(sources_of(facts))} sources, in the zoo: {len(generators)}")
    material = _material(generators, manifest)
    made_from = {"weights": sha256_of(weights), "date": datetime.now(UTC).date().isoformat()}
    return bundle_from(network, {**facts, **made_from}, material, SIZES, folder, say)


def zoo_generators(sources: Sequence[str]) -> list[ZooGenerator]:
    """Those generators of the zoo's sets that are among the sources, in their order."""
    models = models_by_name()
    return [
        ZooGenerator(name, _FAMILIES[models[name].architecture], models[name].weights)
        for name in sources
        if name in models
    ]


def _material(generators: Sequence[ZooGenerator], manifest: Manifest) -> Material:
    zoo = [zoo_source(g.name, g.weights, SIZES.per_made_source, TRAINING_SEED) for g in generators]
    train = load_real(manifest, "train")
    made = [*zoo, *(simulated_source(number, train) for number in range(SIMULATIONS))]
    rng = np.random.default_rng(_SEED)
    return Material(
        made,
        load_photographs(manifest, "validation", "calibration"),
        load_photographs(manifest, "test"),
        [made[number % len(made)].draw(number, rng) for number in range(_GOLDEN)],
        generators,
    )


def bundle_from(
    network: AttributionNetwork,
    facts: dict[str, object],
    material: Material,
    sizes: CalibrationSizes,
    folder: Path,
    say: Say,
) -> str:
    """Measure, write and enrol; returns the digest.

    A generator that the gate refuses, since the network cannot tell it from real pictures or from
    another, is left out of the registry export and said.
    """
    limits = DecodeLimits(CropReading(network.side, MAX_CROPS))
    say("measuring the background under every condition")
    background = measure_background(
        network, material.made, material.validation, load_constants(), limits, sizes, _SEED
    )
    say("scoring real pictures of the validation and test splits")
    calibration = measure_calibration(network, material.validation, material.test, limits, _SEED)
    digest = write_bundle(
        folder,
        network,
        background,
        calibration,
        material.golden,
        limits,
        _provenance(facts),
        sources=sources_of(facts),
        vector_spread=_vector_spread(background),
        score_spread=_score_spread(calibration),
    )
    say("enrolling the zoo")
    for report in enrol_zoo(folder, material.zoo, stop_at_refusal=False):
        why = "; ".join(report.refusals)
        say(f"{report.name}: " + (f"left out, the gate refused it: {why}" if why else "enrolled"))
    return digest


def _provenance(facts: dict[str, object]) -> dict[str, str | int | float]:
    """The facts as bundle.json holds them: lists and such as JSON text."""
    plain = {key: value for key, value in facts.items() if key not in ("side", "sources")}
    return {
        key: value if isinstance(value, str | int | float) else json.dumps(value)
        for key, value in plain.items()
    }


def _vector_spread(background: Background) -> float:
    """The root of the mean variance of a fingerprint's numbers within one generator."""
    return float(np.sqrt(np.trace(background.within[0]) / background.dimension))


def _score_spread(calibration: Calibration) -> float:
    """The deviation of real pictures' scores within a bin, the middle one of all bins."""
    return float(np.median([scored.scores.std() for scored in calibration.reference.values()]))
