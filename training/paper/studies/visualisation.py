"""The visible fingerprint: a network whose fingerprints are pictures, in both variants.

Yu, Davis and Fritz 2019, section 3.2 and figures 5 to 7. Five sources, faces. The figure shows
one image of each generator; the row of the real photographs shows averages over the test set
instead, since the faces must not be reproduced.
"""

import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, get_args

from training.data.lock import locked_when_free
from training.paper.accuracy import accuracy_of
from training.paper.devices import wait_for_all
from training.paper.images import SetUp, images_config
from training.paper.networks.learn_visualisation import VisualisationRecipe, learn_visualisation
from training.paper.networks.visualisation_file import (
    export_visualisation,
    load_visualisation,
)
from training.paper.networks.visualisation_network import Variant, VisualisationNetwork
from training.paper.studies.attribution import accuracy_result
from training.paper.studies.lab import Lab, work_folder
from training.paper.studies.measured import Measurement, Result, digest_of
from training.paper.studies.response_figure import draw_grid

SETUP = "architectures"
VARIANTS: tuple[Variant, ...] = get_args(Variant)
SHOWN: Variant = "inner"
"""The variant of `latentprint train visualise`."""


def measurements(lab: Lab, setup: SetUp) -> list[Measurement]:
    """Both variants."""
    return [measurement_of(lab, setup, variant) for variant in VARIANTS]


def measurement_of(lab: Lab, setup: SetUp, variant: Variant) -> Measurement:
    """Accuracy on the test images; draws the figure."""
    name, config = f"visualisation/{setup.name}/{variant}", config_of(lab, setup, variant)
    return Measurement(name, config, partial(_measure, lab, setup, variant), shared=True)


def recipe_of(lab: Lab, variant: Variant) -> VisualisationRecipe:
    """Of this size."""
    return VisualisationRecipe(lab.effort.visualisation_steps, variant=variant)


def config_of(lab: Lab, setup: SetUp, variant: Variant) -> dict[str, Any]:
    """All that fixes the weights."""
    return {
        "images": images_config(setup),
        "recipe": asdict(recipe_of(lab, variant)),
    }


def kept_weights(lab: Lab, setup: SetUp, variant: Variant) -> Path:
    """Where the weights lie once they were trained on this machine."""
    digest = digest_of(config_of(lab, setup, variant))
    return work_folder() / "networks" / f"visualisation-{setup.name}-{variant}-{digest}.safetensors"


def trained(lab: Lab, setup: SetUp, variant: Variant) -> VisualisationNetwork:
    """The network of a variant, loaded where it is there and trained where it is not."""
    kept = kept_weights(lab, setup, variant)
    there = kept.is_file()
    if not there and lab.place.world > 1:
        _train(lab, setup, variant, kept)
        wait_for_all(lab.place)
    elif not there:
        with locked_when_free(kept.with_suffix(".lock")):
            if not kept.is_file():
                _train(lab, setup, variant, kept)
    return load_visualisation(kept)


def _train(lab: Lab, setup: SetUp, variant: Variant, kept: Path) -> None:
    images, began = lab.images(setup, "train"), time.monotonic()
    checkpoint, bar = kept.with_suffix(".checkpoint"), lab.progress(f"visualisation {variant}")
    network = learn_visualisation(images, recipe_of(lab, variant), checkpoint, bar, lab.place)
    if lab.place.first:
        facts: dict[str, object] = {
            "digest": digest_of(config_of(lab, setup, variant)),
            "config": config_of(lab, setup, variant),
            "names": list(setup.sources),
            "seconds": round(time.monotonic() - began),
        }
        export_visualisation(kept, network, facts)
        checkpoint.unlink(missing_ok=True)


def _measure(lab: Lab, setup: SetUp, variant: Variant) -> Result:
    network = trained(lab, setup, variant)
    test = lab.images(setup, "test")
    accuracy = accuracy_of(network, test, lab.place)
    if lab.place.first:
        figure = lab.figures / f"responses-{setup.name}-{variant}.png"
        figure.parent.mkdir(parents=True, exist_ok=True)
        draw_grid(network, test, figure)
    return accuracy_result(accuracy)
