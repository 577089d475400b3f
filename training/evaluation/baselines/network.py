"""Baseline: the paper's attribution network, and the nearest class mean of its features.

Of the committed networks that of ten seeds is taken: it was trained on faces and SNGANs, a family
that is learned from, where the one of five architectures has seen families that are held out.

A class is added as in Mensink, Verbeek, Perronnin and Csurka 2013, "Distance-based image
classification: generalizing to new classes at near-zero cost", as a nearest class mean: with the
mean m of the features of its samples, its logit for features f is -|f - m|²/2.
"""

import numpy as np
import torch
from scipy.spatial.distance import cdist

from training.evaluation.baselines.cell import Learned, Pictures
from training.evaluation.baselines.naming import Floats, Score
from training.paper.accuracy import outputs_of
from training.paper.networks.attribution_file import load_attribution
from training.paper.networks.component_networks import Attributor
from training.paper.studies.attribution_run import WEIGHTS

SIDE = 64
NETWORK = WEIGHTS / "seeds-faces-64-seed0.safetensors"


def learn_network(learned: Learned) -> Score:
    """Class means of the samples' features; photographs are not needed."""
    network, _ = load_attribution(NETWORK)
    features = _features(network, learned.samples)
    means = np.stack([features[learned.whose == one].mean(0) for one in range(learned.count)])

    def score(pictures: Pictures) -> Floats:
        found: Floats = -cdist(_features(network, pictures), means, "sqeuclidean") / 2
        return found

    return score


def _features(network: Attributor, pictures: Pictures) -> Floats:
    """(N, 3, R, R) uint8 to the fingerprints of their middles, (N, 512) float32."""
    start = (pictures.shape[-1] - SIDE) // 2
    middles = pictures[..., start : start + SIDE, start : start + SIDE]
    torch.set_num_threads(1)  # several processes share the cores
    return outputs_of(network, middles, pass_through=network.image_fingerprints).numpy()
