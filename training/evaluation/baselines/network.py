"""Baseline: the paper's attribution network, and the nearest class mean of its features.

Of the paper's networks that of ten seeds is taken: it was trained on faces and SNGANs, a family
that is learned from, where the one of five architectures has seen families that are held out. It
is the exact one, which has to be trained on this machine once: the small copy that comes with the
project (`training.paper.networks.small_copy`) keeps the answers, not the features.

A class is added as in Mensink, Verbeek, Perronnin and Csurka 2013, "Distance-based image
classification: generalizing to new classes at near-zero cost", as a nearest class mean: with the
mean m of the features of its samples, its logit for features f is -|f - m|²/2.
"""

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.distance import cdist

from training.data.manifest import load_manifest
from training.evaluation.baselines.cell import Learned, Pictures
from training.evaluation.baselines.naming import Floats, Score
from training.paper.accuracy import outputs_of
from training.paper.networks.attribution_file import load_attribution
from training.paper.networks.component_networks import Attributor
from training.paper.studies.attribution_run import base_run
from training.paper.studies.lab import Lab
from worker.errors import StopError

SIDE = 64
SETUP = "seeds"


def network_file() -> Path:
    """Where the network of training seed 0 lies; StopError where it is not trained yet."""
    lab = Lab(load_manifest(), "small", Path(), lambda line: None, lambda name: _silent)
    path = base_run(lab, lab.setup_named(SETUP), 0).kept
    if not path.is_file():
        raise StopError(
            f"the paper's network of ten seeds is not at {path}, and without it there is no"
            " baseline `network`; `latentprint train reproduce --study attribution` trains it among"
            " its first"
        )
    return path


def learn_network(learned: Learned) -> Score:
    """Class means of the samples' features; photographs are not needed."""
    network, _ = load_attribution(network_file())
    features = _features(network, learned.samples)
    means = np.stack([features[learned.whose == one].mean(0) for one in range(learned.count)])

    def score(pictures: Pictures) -> Floats:
        found: Floats = -cdist(_features(network, pictures), means, "sqeuclidean") / 2
        return found

    return score


def _silent(step: int, steps: int, loss: float) -> None:
    """Nothing is trained here."""


def _features(network: Attributor, pictures: Pictures) -> Floats:
    """(N, 3, R, R) uint8 to the fingerprints of their middles, (N, 512) float32."""
    start = (pictures.shape[-1] - SIDE) // 2
    middles = pictures[..., start : start + SIDE, start : start + SIDE]
    torch.set_num_threads(1)  # several processes share the cores
    return outputs_of(network, middles, pass_through=network.image_fingerprints).numpy()
