"""Further test images of the generators, of latents used nowhere else, and their fingerprints.

The test images of a set-up (`training.paper.images.DRAWN`) are too few to take a tenth of them, or
to ask what their number does to the FD ratio. These stand beside them; the real class has its test
photographs alone, since there are no others.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from training.data.lock import locked_when_free
from training.paper.accuracy import outputs_of
from training.paper.images import LabelledImages, SetUp, drawn_once, images_config, labelled
from training.paper.networks.component_networks import Attributor
from training.paper.studies.lab import Lab, work_folder
from training.paper.studies.measured import digest_of

FRESH = 1000
"""Images of each generator."""

_SEED = 6_000_000

FIXED = [FRESH, _SEED]
"""What fixes the images, beside the generators."""


def fresh_test(lab: Lab, setup: SetUp) -> LabelledImages:
    """The real test photographs, and `FRESH` images of each generator."""
    groups = [lab.images(setup, "test").of(0)]
    groups += [
        drawn_once(model.weights, f"{model.name}-fresh", FRESH, _SEED) for model in setup.models
    ]
    return labelled(groups, setup.sources)


def fresh_fingerprints(
    lab: Lab, setup: SetUp, network: Attributor, images: LabelledImages
) -> NDArray[np.float32]:
    """The image fingerprints, float32 (N,512), of `fresh_test`.

    Convolutions in bfloat16, which takes half the time: these are compared with each other.
    """

    def compute() -> NDArray[np.float32]:
        with torch.autocast(lab.place.device.type, torch.bfloat16):
            passed = outputs_of(network, images.images, lab.place, network.image_fingerprints)
        fingerprints: NDArray[np.float32] = passed.numpy()
        return fingerprints

    return computed_once(setup, "fingerprints", _sha256(network), compute)


def computed_once(
    setup: SetUp, name: str, by: object, compute: Callable[[], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Numbers of the fresh images of a set-up, kept below the cache folder: several studies ask.

    `by` is what fixes them beside the images, as it stands in JSON.
    """
    config: dict[str, Any] = {"images": images_config(setup), "fresh": FIXED, "by": by}
    kept = work_folder() / "fresh" / f"{setup.name}-{name}-{digest_of(config)}.safetensors"
    with locked_when_free(kept.with_suffix(".lock")):
        if not kept.is_file():
            draft = kept.with_suffix(".part")
            save_file({name: compute()}, draft)
            draft.replace(kept)
    numbers: NDArray[np.float32] = load_file(kept)[name]
    return numbers


def _sha256(network: Attributor) -> str:
    """Of the weights."""
    found = hashlib.sha256()
    for value in network.state_dict().values():
        found.update(value.cpu().numpy().tobytes())
    return found.hexdigest()
