"""Attribution: which source an image came from, by the network and by three baselines.

Yu, Davis and Fritz 2019, section 4.2 and table 2: accuracy in each set-up, beside the FD ratio of
the network's fingerprints and of reference features.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.manifest import Split
from training.paper.accuracy import Accuracy, measure, outputs_of
from training.paper.baselines import eigenface, knn, prnu
from training.paper.baselines.selections import with_flips
from training.paper.devices import Place
from training.paper.images import LabelledImages, SetUp, images_config
from training.paper.networks.component_networks import Attributor
from training.paper.studies.attribution_run import AttributionRun, base_run, trained
from training.paper.studies.frechet import HALVINGS, fd_ratio
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measurement, Result
from training.paper.studies.reference_features import FEATURES, reference_features
from training.zoo.generate import device_of_module

BASELINES = ("knn", "eigenface", "prnu")
"""With the published grids."""

WIDER = ("eigenface-wider", "prnu-wider")
"""Where a choice lay at the edge of its grid: the same with more to choose from."""


class Baseline(Protocol):
    """A fitted baseline: its chosen settings, and its answers."""

    @property
    def settings(self) -> dict[str, float]: ...

    def answers(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """uint8 (N,3,R,R) to places in the sources, (N,)."""
        ...


FITS: dict[str, Callable[[LabelledImages, LabelledImages], Baseline]] = {
    "knn": knn.fit_knn,
    "eigenface": eigenface.fit_eigenface,
    "prnu": prnu.fit_prnu,
    "eigenface-wider": partial(
        eigenface.fit_eigenface,
        variances=eigenface.WIDER_VARIANCES,
        costs=eigenface.WIDER_COSTS,
    ),
    "prnu-wider": partial(prnu.fit_prnu, sigmas=prnu.WIDER_SIGMAS),
}

GRIDS: dict[str, dict[str, Any]] = {
    "knn": {"neighbours": knn.NEIGHBOURS},
    "eigenface": {
        "variances": eigenface.VARIANCES,
        "costs": eigenface.COSTS,
        "components": eigenface.COMPONENTS,
        "searched": eigenface.SEARCHED,
    },
    "prnu": {"levels": prnu.LEVELS, "sigmas": prnu.SIGMAS, "searched": prnu.SEARCHED},
}
GRIDS["eigenface-wider"] = GRIDS["eigenface"] | {
    "variances": eigenface.WIDER_VARIANCES,
    "costs": eigenface.WIDER_COSTS,
}
GRIDS["prnu-wider"] = GRIDS["prnu"] | {"sigmas": prnu.WIDER_SIGMAS}
"""The settings that each baseline chooses from, and on how many images of a source."""


def measurements(lab: Lab, setup: SetUp) -> list[Measurement]:
    """The network's seeds first: other studies begin with its weights."""
    networks = [
        network_measurement(lab, base_run(lab, setup, seed)) for seed in range(lab.effort.seeds)
    ]
    baselines = [baseline_measurement(lab, setup, name) for name in (*BASELINES, *WIDER)]
    return [*networks, *baselines, reference_measurement(lab, setup)]


def network_measurement(lab: Lab, run: AttributionRun) -> Measurement:
    """Accuracy on the test images, and the FD ratio of their fingerprints."""
    name = f"attribution/{run.setup.name}/network-seed{run.recipe.seed}"
    config = run.config() | {"halvings": HALVINGS}
    return Measurement(name, config, partial(_measure_network, lab, run), shared=True)


def baseline_measurement(lab: Lab, setup: SetUp, baseline: str) -> Measurement:
    """Accuracy of a baseline, fitted on the same training images."""
    name = f"attribution/{setup.name}/{baseline}"
    config = {"images": images_config(setup), "grid": GRIDS[baseline]}
    return Measurement(name, config, partial(_measure_baseline, lab, setup, baseline))


def reference_measurement(lab: Lab, setup: SetUp) -> Measurement:
    """The FD ratio in features that know nothing of generators."""
    name = f"attribution/{setup.name}/reference"
    config = {"images": images_config(setup), "features": FEATURES, "halvings": HALVINGS}
    return Measurement(name, config, partial(_measure_reference, lab, setup))


def accuracy_result(accuracy: Accuracy) -> Result:
    """As it is kept."""
    return {
        "accuracy": accuracy.mean,
        "per_source": accuracy.per_source,
        "confusion": accuracy.confusion,
    }


def _measure_network(lab: Lab, run: AttributionRun) -> Result:
    network, test = trained(run, lab), lab.images(run.setup, "test")
    fingerprints, accuracy = judge(network, test, lab.place)
    return accuracy_result(accuracy) | {
        "fd_ratio": fd_ratio(fingerprints, test.labels),
        "train_images": lab.images(run.setup, "train").counts(),
        "test_images": test.counts(),
    }


def _measure_baseline(lab: Lab, setup: SetUp, baseline: str) -> Result:
    splits: tuple[Split, ...] = ("train", "validation", "test")
    return judge_baseline(baseline, *(lab.images(setup, split) for split in splits))


def judge_baseline(
    baseline: str, train: LabelledImages, validation: LabelledImages, test: LabelledImages
) -> Result:
    """Fit a baseline on `train` and its settings on `validation`; its answers to `test`."""
    fitted = FITS[baseline](with_flips(train, 0), validation)
    accuracy = measure(test, fitted.answers(test.images))
    return accuracy_result(accuracy) | {"settings": fitted.settings}


def _measure_reference(lab: Lab, setup: SetUp) -> Result:
    test = lab.images(setup, "test")
    return {"fd_ratio": fd_ratio(reference_features(test.images), test.labels)}


def judge(
    network: Attributor, images: LabelledImages, place: Place
) -> tuple[NDArray[np.float32], Accuracy]:
    """The image fingerprints (N,512), in one pass with the accuracy; float32 on any machine."""
    passed = outputs_of(network, images.images, place, network.image_fingerprints)
    fingerprints: NDArray[np.float32] = passed.numpy()
    return fingerprints, measure(images, answers_of(network, fingerprints))


@torch.inference_mode()
def answers_of(network: Attributor, fingerprints: NDArray[np.float32]) -> NDArray[np.int64]:
    """What a network says by image fingerprints (N,512): places in the sources (N,)."""
    logits = network.attribute(torch.from_numpy(fingerprints).to(device_of_module(network)))
    answers: NDArray[np.int64] = logits.argmax(1).cpu().numpy()
    return answers
