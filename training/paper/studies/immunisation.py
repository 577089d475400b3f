"""Attacks on the image, and immunisation by fine-tuning on attacked images.

Yu, Davis and Fritz 2019, section 4.4 and table 7: accuracy on test images of which every one is
attacked, before and after the network is fine-tuned (and the PRNU fingerprints are estimated anew)
on training images that are attacked with probability one half. Ten seeds of one architecture,
faces, network of seed 0; the combination, a headline, with every seed.

Noise is measured in both readings of its range; the network immunised against the stronger one
is judged on both.
"""

import functools
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from training.paper.accuracy import accuracy_of, measure
from training.paper.attacks import ATTACKS, Attack, attack_batch, strengths
from training.paper.baselines.prnu import Prnu, fingerprints_of
from training.paper.baselines.selections import with_flips
from training.paper.devices import ALONE
from training.paper.images import LabelledImages, SetUp, images_config
from training.paper.studies.attribution import GRIDS, accuracy_result, baseline_measurement
from training.paper.studies.attribution_run import AttributionRun, immunised_run, trained
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measurement, Result

SETUP = "seeds"
IMMUNISED_AGAINST: dict[Attack, Attack] = {attack: attack for attack in ATTACKS} | {
    "noise_variance": "noise"
}
"""The attack whose immunised network is judged on each attack."""

_TRAIN_SEED, _TEST_SEED = 40, 41


def measurements(lab: Lab, setup: SetUp) -> list[Measurement]:
    """The combination first, which is a headline; then each attack, network and PRNU."""
    order = sorted(ATTACKS, key=lambda attack: attack != "combination")
    headline = [
        network_measurement(lab, setup, "combination", seed) for seed in range(1, lab.effort.seeds)
    ]
    networks = [network_measurement(lab, setup, attack) for attack in order]
    return [*networks, *headline, *(prnu_measurement(lab, setup, attack) for attack in order)]


def network_measurement(lab: Lab, setup: SetUp, attack: Attack, seed: int = 0) -> Measurement:
    """Accuracy of the network before and after immunisation, and of the immunised on clean."""
    run = immunised_run(lab, setup, IMMUNISED_AGAINST[attack], seed)
    config = run.config() | {"judged_on": attack, "test_seed": _TEST_SEED}
    name = f"attacks/{setup.name}/{attack}-network" + (f"-seed{seed}" if seed else "")
    return Measurement(name, config, partial(_measure_network, lab, run, attack), shared=True)


def prnu_measurement(lab: Lab, setup: SetUp, attack: Attack) -> Measurement:
    """Accuracy of PRNU with fingerprints from clean, and from half attacked images."""
    config: dict[str, Any] = {
        "images": images_config(setup),
        "grid": GRIDS["prnu"],
        "attack": attack,
        "immunised_against": IMMUNISED_AGAINST[attack],
        "strengths": strengths(),
        "seeds": [_TRAIN_SEED, _TEST_SEED],
    }
    return Measurement(
        f"attacks/{setup.name}/{attack}-prnu", config, partial(_measure_prnu, lab, setup, attack)
    )


def attacked(images: LabelledImages, attack: Attack, seed: int, share: float) -> LabelledImages:
    """The same images, each attacked with probability `share`."""
    rng = np.random.default_rng([seed, ATTACKS.index(attack)])
    return replace(images, images=attack_batch(images.images, attack, rng, share))


def attacked_test(lab: Lab, setup: SetUp, attack: Attack) -> LabelledImages:
    """The test images, every one attacked, the same for network and PRNU."""
    return attacked(lab.images(setup, "test"), attack, _TEST_SEED, 1.0)


def _measure_network(lab: Lab, run: AttributionRun, attack: Attack) -> Result:
    assert run.start is not None, "an immunised run has a start"
    test = attacked_test(lab, run.setup, attack)
    immunised = trained(run, lab)
    before = accuracy_of(trained(run.start, lab), test, lab.place)
    after = accuracy_of(immunised, test, lab.place)
    clean = accuracy_of(immunised, lab.images(run.setup, "test"), lab.place)
    return {
        "before": accuracy_result(before),
        "after": accuracy_result(after),
        "clean_after": clean.mean,
    }


def _measure_prnu(lab: Lab, setup: SetUp, attack: Attack) -> Result:
    alone = replace(lab, place=ALONE)  # the other processes of torchrun are not here
    alone.measure([baseline_measurement(alone, setup, "prnu")])  # chooses level and sigma
    chosen = lab.results.find(f"attribution/{setup.name}/prnu")
    assert chosen is not None
    level, sigma = int(chosen.result["settings"]["level"]), chosen.result["settings"]["sigma"]
    train, test = with_flips(lab.images(setup, "train"), 0), attacked_test(lab, setup, attack)
    half = attacked(train, IMMUNISED_AGAINST[attack], _TRAIN_SEED, 0.5)
    before, after = (
        _clean_fingerprints(lab, setup, level, sigma),
        fingerprints_of(half, level, sigma),
    )
    return {
        moment: measure(test, fitted.answers(test.images)).mean
        for moment, fitted in (("before", before), ("after", after))
    }


@functools.lru_cache(maxsize=1)
def _clean_fingerprints(lab: Lab, setup: SetUp, level: int, sigma: float) -> Prnu:
    """The same for every attack."""
    return fingerprints_of(with_flips(lab.images(setup, "train"), 0), level, sigma)
