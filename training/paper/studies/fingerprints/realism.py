"""The most realistic tenth: is attribution the recognition of artefacts?

Yu, Davis and Fritz 2019, section 4.3: of the images of every generator, the tenth that lies nearest
to a real photograph by a perceptual distance. If a network knew generators by their failures, it
would know these less well, and the least realistic tenth better.

As read here the networks and the baselines are the ones of all images, and the tenth is of test
images that nothing else sees (`fresh`); the paper seems to train on such a tenth too. The real
class is its test photographs, the same for every part.
"""

from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from training.paper.accuracy import measure
from training.paper.baselines.selections import with_flips
from training.paper.images import LabelledImages, SetUp, images_config
from training.paper.studies.attribution import (
    BASELINES,
    FITS,
    GRIDS,
    accuracy_result,
    answers_of,
)
from training.paper.studies.attribution_run import AttributionRun, base_run, trained
from training.paper.studies.fingerprints.fresh import (
    FIXED,
    computed_once,
    fresh_fingerprints,
    fresh_test,
)
from training.paper.studies.fingerprints.likeness import LIKENESS, nearest_distances
from training.paper.studies.frechet import HALVINGS, fd_ratio
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measurement, Result
from training.paper.studies.zoo import draw_sheet
from training.zoo.train_set import pictures

SETUP = "seeds"
SHARE = 0.1

Part = Literal["any", "most", "least"]
PARTS: tuple[Part, ...] = get_args(Part)
"""Tenths of each generator's images: the first drawn, the most and the least realistic."""

_ROWS = 2
_CONFIG = {"fresh": FIXED, "likeness": LIKENESS, "share": SHARE}


def measurements(lab: Lab, setup: SetUp) -> list[Measurement]:
    """What the tenths are, then what the network and the baselines say of them."""
    return [
        chosen_measurement(lab, setup),
        *(network_measurement(lab, base_run(lab, setup, seed)) for seed in range(lab.effort.seeds)),
        *(baseline_measurement(lab, setup, name) for name in BASELINES),
    ]


def chosen_measurement(lab: Lab, setup: SetUp) -> Measurement:
    """How far the tenths lie from photographs, beside photographs that no generator saw."""
    config = _CONFIG | {"images": images_config(setup)}
    return Measurement(f"realism/{setup.name}/chosen", config, partial(_measure_chosen, lab, setup))


def network_measurement(lab: Lab, run: AttributionRun) -> Measurement:
    """Accuracy and FD ratio of the published network on all images and on the tenths."""
    name = f"realism/{run.setup.name}/network-seed{run.recipe.seed}"
    config = run.config() | _CONFIG | {"halvings": HALVINGS}
    return Measurement(name, config, partial(_measure_network, lab, run), shared=True)


def baseline_measurement(lab: Lab, setup: SetUp, baseline: str) -> Measurement:
    """Accuracy of a baseline, fitted as in `attribution`, on the tenths."""
    config = _CONFIG | {"images": images_config(setup), "grid": GRIDS[baseline]}
    work = partial(_measure_baseline, lab, setup, baseline)
    return Measurement(f"realism/{setup.name}/{baseline}", config, work)


def sheet_of(lab: Lab, setup: SetUp) -> Path:
    """Two rows of the most realistic images, two of the least; a column for each generator."""
    return lab.figures / f"realism-{setup.name}.webp"


def tenths(images: LabelledImages, distances: NDArray[np.float32]) -> dict[Part, NDArray[np.int64]]:
    """The places (n,) of each part in `images`: all real ones, and a tenth of each generator's.

    `distances` (N,) from the nearest photograph; those of the real class are not looked at.
    """
    found: dict[Part, list[NDArray[np.int64]]] = {part: [] for part in PARTS}
    for label in range(len(images.sources)):
        own = np.flatnonzero(images.labels == label)
        count = len(own) if label == 0 else round(SHARE * len(own))
        by_distance = own[np.argsort(distances[own], kind="stable")]
        found["any"].append(own[:count])
        found["most"].append(by_distance[:count])
        found["least"].append(by_distance[len(own) - count :])
    return {part: np.sort(np.concatenate(places)) for part, places in found.items()}


def some(images: LabelledImages, places: NDArray[np.int64]) -> LabelledImages:
    """The images at ascending places alone."""
    return LabelledImages(images.images[places], images.labels[places], images.sources)


def _ranked(lab: Lab, setup: SetUp) -> tuple[LabelledImages, NDArray[np.float32]]:
    """The fresh images, and the distance of each from the nearest training photograph (N,)."""
    images = fresh_test(lab, setup)

    def compute() -> NDArray[np.float32]:
        photographs = pictures(lab.manifest, setup.content, setup.side, "train")
        return nearest_distances(images.images, photographs)

    return images, computed_once(setup, "distances", LIKENESS, compute)


def _measure_chosen(lab: Lab, setup: SetUp) -> Result:
    images, distances = _ranked(lab, setup)
    parts = tenths(images, distances)
    made = images.labels > 0
    _draw(lab, setup, images, parts)
    return {
        "images": images.counts(),
        "unseen_photographs": float(distances[~made].mean()),
        "all": float(distances[made].mean()),
        **{part: float(distances[places][made[places]].mean()) for part, places in parts.items()},
    }


def _draw(
    lab: Lab, setup: SetUp, images: LabelledImages, parts: dict[Part, NDArray[np.int64]]
) -> None:
    """The first drawn of each part of a generator, none of them picked; no real picture."""
    rows = []
    for part in ("most", "least"):
        own = some(images, parts[part])
        made = [own.of(label) for label in range(1, len(images.sources))]
        rows += [np.stack([group[row] for group in made]) for row in range(_ROWS)]
    draw_sheet(np.stack(rows), sheet_of(lab, setup))


def _measure_network(lab: Lab, run: AttributionRun) -> Result:
    network = trained(run, lab)
    images, distances = _ranked(lab, run.setup)
    fingerprints = fresh_fingerprints(lab, run.setup, network, images)
    answers = answers_of(network, fingerprints)
    result: Result = {"all": accuracy_result(measure(images, answers))}
    for part, places in tenths(images, distances).items():
        accuracy = accuracy_result(measure(some(images, places), answers[places]))
        ratio = fd_ratio(fingerprints[places], images.labels[places])
        result[part] = accuracy | {"fd_ratio": ratio}
    return result


def _measure_baseline(lab: Lab, setup: SetUp, baseline: str) -> Result:
    train = with_flips(lab.images(setup, "train"), 0)
    fitted = FITS[baseline](train, lab.images(setup, "validation"))
    images, distances = _ranked(lab, setup)
    result: Result = {"settings": fitted.settings}
    for part, places in tenths(images, distances).items():
        own = some(images, places)
        result[part] = accuracy_result(measure(own, fitted.answers(own.images)))
    return result
