"""The FD ratio over the number of test images: why a few of them give a small one.

Two halves of one class differ by chance alone. Both parts of their Frechet distance, that of the
means and that of the covariances, are sampling errors, which fall like one over the number of
images once these outnumber the features (512 for fingerprints), and more slowly before, whereas
the distance between classes tends to a value of its own. So the ratio grows with the number of
images, for the same network and the same generators, and two ratios can be compared at one number
only. The paper has 10,000 test images of each class; its own ratio falls to a fifth where it takes
a tenth of them, the most realistic.
"""

import itertools
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.paper.images import LabelledImages, SetUp
from training.paper.studies import attribution
from training.paper.studies.attribution_run import AttributionRun, base_run, trained
from training.paper.studies.fingerprints.fresh import FIXED, FRESH, fresh_fingerprints, fresh_test
from training.paper.studies.frechet import HALVINGS, Distances, distances
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measurement, Result

COUNTS = (150, 250, 500, FRESH)
"""Images of each generator; of the real class all its test photographs, which are fewer."""


def measurements(lab: Lab, setup: SetUp) -> list[Measurement]:
    """Attribution, then what the number of images does to its FD ratio.

    Of faces alone: of scenes the ratio is the paper's without more images.
    """
    over = [measurement(lab, setup)] if setup.content == "faces" else []
    return [*attribution.measurements(lab, setup), *over]


def measurement(lab: Lab, setup: SetUp) -> Measurement:
    """The ratio at every number of images, by the network of training seed 0."""
    run = base_run(lab, setup, 0)
    config = run.config() | {"fresh": FIXED, "counts": COUNTS, "halvings": HALVINGS}
    return Measurement(f"ratio/{setup.name}", config, partial(_measure, lab, run), shared=True)


def _measure(lab: Lab, run: AttributionRun) -> Result:
    network, images = trained(run, lab), fresh_test(lab, run.setup)
    fingerprints = fresh_fingerprints(lab, run.setup, network, images)
    return over_counts(fingerprints, images, COUNTS)


def over_counts(
    fingerprints: NDArray[np.float32], images: LabelledImages, counts: tuple[int, ...]
) -> Result:
    """At each number of images of a class: the ratio with the real class and without, and FDs.

    `fingerprints` (N,F) of `images`. Beside the curve, at the largest number, the distance of each
    source's halves and of each from the real class, and those between generators.
    """
    labels = images.labels
    place = np.concatenate([np.arange(count) for count in images.counts().values()])  # in its class
    made = range(1, len(images.sources))
    curve: dict[str, dict[str, float]] = {}
    for count in counts:
        few = place < count
        found = distances(fingerprints[few], labels[few])
        pairs = _between(found, list(made))
        curve[str(count)] = {
            "with_real": found.ratio(),
            "made_alone": found.ratio(made),
            "between": float(np.mean(pairs)),
            "within": float(found.within[1:].mean()),
        }
    return {
        "curve": curve,
        "test_images": images.counts(),
        "within": dict(zip(images.sources, found.within.tolist(), strict=True)),
        "from_real": dict(zip(images.sources[1:], found.between[0, 1:].tolist(), strict=True)),
        "between": _spread(pairs),
    }


def at(curve: dict[str, dict[str, float]], count: int) -> float:
    """The ratio among the generators that the `curve` of `over_counts` leads to at `count` images.

    By its last two points: the distance between classes is a constant and a part that falls like
    one over the number of images, and that within a class goes on with its last `exponent`. Which
    is cautious, since that tends to -1.
    """
    (few, first), (many, last) = list(curve.items())[-2:]
    n, m = int(few), int(many)
    falling = (first["between"] - last["between"]) / (1 / n - 1 / m)
    between = last["between"] + falling * (1 / count - 1 / m)
    return float(between / (last["within"] * (count / m) ** exponent(curve)))


def exponent(curve: dict[str, dict[str, float]]) -> float:
    """The power of the number of images that the distance within goes with, last two points.

    It tends to -1, the power of a sampling error, once there are more images than features.
    """
    (few, first), (many, last) = list(curve.items())[-2:]
    return float(np.log(last["within"] / first["within"]) / np.log(int(many) / int(few)))


def _between(found: Distances, classes: list[int]) -> list[float]:
    return [float(found.between[a, b]) for a, b in itertools.combinations(classes, 2)]


def _spread(values: list[float]) -> dict[str, Any]:
    return {"least": min(values), "mean": float(np.mean(values)), "most": max(values)}
