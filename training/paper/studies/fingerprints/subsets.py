"""Shifted subsets: do the training photographs alone change a fingerprint?

Yu, Davis and Fritz 2019, section 4.2: eleven generators of one architecture, on subsets of the
photographs that differ from the first in a growing number (`training.data.subsets`). Attribution
among them is that of any other set-up (`attribution`). Beside it stands how far each generator
draws from the first one for the same latents: with the same random numbers, that is the work of
the exchanged photographs alone.
"""

from functools import partial
from pathlib import Path

import numpy as np

from training.paper.images import SetUp, images_config
from training.paper.studies import attribution
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measurement, Result
from training.paper.studies.zoo import draw_sheet
from training.zoo.generate import generate, load_generator

COMPARED = 300
"""Latents for which the generators' images are compared."""

_SEED = 5_000_000
_SHOWN = 8


def measurements(lab: Lab, setup: SetUp) -> list[Measurement]:
    """What the generators draw for the same latents, then attribution."""
    return [differences_measurement(lab, setup), *attribution.measurements(lab, setup)]


def differences_measurement(lab: Lab, setup: SetUp) -> Measurement:
    """Mean absolute difference of each generator's images from the first one's, same latents."""
    config = {"images": images_config(setup), "compared": [COMPARED, _SEED]}
    return Measurement(f"subsets/{setup.name}", config, partial(_differences, lab, setup))


def sheet_of(lab: Lab, setup: SetUp) -> Path:
    """The picture with a row for each generator and the same latents in each."""
    return lab.figures / f"subsets-{setup.name}.webp"


def _differences(lab: Lab, setup: SetUp) -> Result:
    """Grey levels of 0 to 255; and their mean over pairs of different latents of one generator."""
    drawn = [generate(load_generator(model.weights), COMPARED, _SEED) for model in setup.models]
    first = drawn[0].astype(np.float32)
    draw_sheet(np.stack([images[:_SHOWN] for images in drawn]), sheet_of(lab, setup))
    return {
        "differences": {
            model.name: float(np.abs(images - first).mean())
            for model, images in zip(setup.models, drawn, strict=True)
        },
        "other_latents": float(np.abs(first - np.roll(first, 1, axis=0)).mean()),
    }
