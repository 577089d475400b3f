"""The bundle from the corpus: every codec's map and space, fitted on all that may be learned from.

Nothing of the role `held_out` takes part. Bases, maps and photographs are what 8 bits keep of them
before anything is measured with them, so that what was measured is what serves.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fingerprint_db.background import Background, CodecSpace, Cohort, Floats, size_class_of
from fingerprint_db.conditions import CODECS, Codec, is_shown, readings_of
from fingerprint_db.gate.enrolment import EnrolmentReport, Registration, enrol
from fingerprint_db.matching.familiarity import Familiarity
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.transfer import export
from training.histories.encodings import PNG, write
from training.open_set import run
from training.open_set.cohorts import cohorts, native
from training.open_set.former import FormerRows
from training.open_set.spaces import (
    Learning,
    SpaceRecipe,
    Statistics,
    basis_of,
    learn,
    synthesis_weights,
)
from training.open_set.trial import CONSTANTS
from training.zoo.catalog import CATALOG, HELD_OUT
from training.zoo.generate import generate, load_generator
from worker.decoder.decode import decode
from worker.decoder.regions import RegionReading
from worker.enrol.recompress import Picture
from worker.enrol.samples import fingerprint_samples
from worker.errors import StopError
from worker.extractor import bundle as layout
from worker.extractor.bundle import Bundle, load_bundle
from worker.extractor.document import GROUPS, codecs_of
from worker.extractor.extract import BlockExtractor
from worker.extractor.fingerprint_map import CodecMap
from worker.judge.policy import load_policy

GOLDEN_PICTURES, GOLDEN_SEED = 4, 5
FAMILIAR = 0.99
"""The share of native photographs that count as familiar."""
ZOO_SAMPLES, ZOO_SEED = 200, 77

Say = Callable[[str], None]


def write_bundle(
    folder: Path, corpus: Path, recipe: SpaceRecipe, say: Say, maps_of: Path | None = None
) -> str:
    """Fit everything and write the bundle but the zoo's entries; returns its digest.

    With `maps_of`, the folder of a bundle, its maps and variances are kept, and only photographs
    and the test with nothing registered are new: a map that is fitted anew on the same generators
    tells them no better, and is a third of what a new bundle adds to a history.
    """
    before = None if maps_of is None else load_bundle(maps_of)
    former = None if maps_of is None else FormerRows.of(maps_of)
    maps: dict[Codec, CodecMap] = {}
    spaces: dict[Codec, CodecSpace] = {}
    distances: list[Floats] = []
    for group in GROUPS:
        shown = [codec for codec in codecs_of(group) if is_shown(codec)]
        basis = None
        if before is None:
            say(f"{group}: directions")
            every = (one for codec in shown for one in _learning(codec, corpus, recipe).values())
            basis = basis_of(every, recipe)
        for codec in shown:
            say(f"{codec}: map, statistics, photographs")
            learning = _learning(codec, corpus, recipe)
            learned = {
                name: _kept(before, name) if basis is None else learn(one, basis, recipe)
                for name, one in learning.items()
            }
            maps |= {name: one.to_fingerprint for name, one in learned.items()}
            held = cohorts(learning, maps, former)
            for name, one in learned.items():
                weights = synthesis_weights(learning[name], maps[name], recipe)
                # Background generators weigh nothing in the decision, so that none are kept.
                nobody = one.generators[: 0 if CONSTANTS.impostor_weight == 0 else None]
                spaces[name] = CodecSpace(one.real_variance, nobody, weights, held[name])
            distances += list(_native_distances(learning[codec], held[codec]))
    limit = float(np.quantile(np.concatenate(distances), FAMILIAR))
    constants = replace(CONSTANTS, unfamiliar_distance=round(limit, 3))
    background = Background("0" * 64, {codec: spaces[codec] for codec in CODECS}, constants)
    return layout.save_bundle(
        folder,
        maps,
        background,
        golden_pictures(),
        RegionReading(),
        _provenance(spaces, recipe),
        None if former is None else former.kept(spaces),
    )


def _kept(before: Bundle | None, codec: Codec) -> Statistics:
    """A codec's map and statistics in a bundle."""
    assert before is not None, "maps of no bundle"
    space = before.background.codecs[codec]
    return Statistics(before.maps[codec], space.real_variance, space.generators)


def _learning(codec: Codec, corpus: Path, recipe: SpaceRecipe) -> dict[Codec, Learning]:
    """Of every space that files of a codec are read in."""
    drawings = run.read(codec, "learn", corpus)
    return {one: Learning.of(one, drawings, recipe) for one in readings_of(codec)}


def _native_distances(one: Learning, cohort: Cohort) -> Iterator[Floats]:
    """How far native photographs that are not in the cohort lie from it, by size class."""
    seen = one.known.where(native(one.known.histories))
    sizes = np.array([size_class_of(int(pixels)) for pixels in seen.pixels])
    for size in np.unique(sizes):
        alike = Familiarity.of(cohort.where(cohort.size_classes == size))
        yield alike.distances(seen.kinds[sizes == size])


def _provenance(
    spaces: Mapping[Codec, CodecSpace], recipe: SpaceRecipe
) -> dict[str, str | int | float]:
    """What the bundle was made from: counts are of photographs and sources, never of views."""
    cohort = spaces["lossless"].cohort
    return {
        "command": "latentprint train bundle",
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "photographs_behind_levels": len(np.unique(cohort.photographs[~cohort.normalises])),
        "photographs_behind_norms": len(np.unique(cohort.photographs[cohort.normalises])),
        "sources": len(np.unique(cohort.sources)),
        "shrinkage": recipe.fit.shrinkage,
        "statistics_share": recipe.statistics,
        "norm_share": recipe.norm,
    }


def golden_pictures() -> list[Picture]:
    """Made pictures of the zoo: nobody's photographs."""
    first = next(name for name in CATALOG if name != HELD_OUT)
    images = generate(load_generator(CATALOG[first].weights), GOLDEN_PICTURES, GOLDEN_SEED)
    return list(images)


def enrol_zoo(folder: Path) -> list[EnrolmentReport]:
    """Enrol the zoo's generators in the space of the bundle and write its registry export.

    Through the same code as `latentprint register`, after the bundle's self-test. StopError where
    the gate refuses one.
    """
    bundle = layout.load_bundle(folder)
    extractor = BlockExtractor(bundle)
    extractor.self_test()
    registry, policy, reports = MemoryRegistry(), load_policy(), []
    for name, entry in CATALOG.items():
        if name == HELD_OUT:
            continue
        images = generate(load_generator(entry.weights), ZOO_SAMPLES, ZOO_SEED)
        files = [write(image, PNG) for image in images]
        samples = fingerprint_samples(files, lambda data: decode(data, extractor.limits), extractor)
        registration = Registration(
            model_id=name,
            name=name,
            family=entry.family,
            by="latentprint train bundle",
            reason="generator of the committed zoo",
            at=datetime.now(UTC),
        )
        enrolment = enrol(
            samples,
            registration,
            bundle.background,
            registry.snapshot(bundle.digest).models,
            alpha_name=policy.alpha_name,
            alpha_source=policy.alpha_source,
            alpha_alike=policy.alpha_alike,
        )
        reports.append(enrolment.report)
        if enrolment.model is None:
            raise StopError(
                f"the gate refused the zoo's {name}: {'; '.join(enrolment.report.refusals)}"
            )
        registry.register(enrolment.model, by=registration.by, reason=registration.reason)
    (folder / layout.ZOO_EXPORT).write_bytes(export(registry, bundle.digest))
    return reports
