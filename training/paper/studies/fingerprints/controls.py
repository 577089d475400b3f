"""Controls: what is left of attribution where sources are alike in colour, and place means nothing?

Not in the paper, whose generators were trained for weeks. The images of a set-up are changed by
`training.paper.controls`; networks and baselines are those of `attribution`, fitted anew on them.
"""

from dataclasses import replace

from training.paper.controls import CONTROLS
from training.paper.images import SetUp
from training.paper.studies.attribution import (
    BASELINES,
    WIDER,
    baseline_measurement,
    network_measurement,
)
from training.paper.studies.attribution_run import base_run
from training.paper.studies.fingerprints import lengths
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measurement

SETUPS = ("architectures", "seeds")
"""Faces, where Eigenface comes up to the network; on scenes it does not."""


def measurements(lab: Lab, setup: SetUp) -> list[Measurement]:
    """For each control the baselines, which are cheap, then the network's training seeds.

    At last, for the seeds, the lengths of the generators' trainings (`lengths`).
    """
    under = [replace(setup, control=control) for control in CONTROLS]
    return [
        *(baseline_measurement(lab, one, name) for one in under for name in (*WIDER, *BASELINES)),
        *(
            network_measurement(lab, base_run(lab, one, seed))
            for seed in range(lab.effort.seeds)
            for one in under
        ),
        *(lengths.measurements(lab, setup) if setup.which == "seeds" else ()),
    ]
