"""Persistence: can sources be told by one band of frequencies, or by patches, alone?

Yu, Davis and Fritz 2019, section 4.3 and tables 3 and 4: the attribution network of every side
over low frequencies, over one band, and over patches (`component_networks`). What a network of the
whole image reaches is in `attribution`; the largest low-pass side and the largest patch are it.
"""

from functools import partial

from training.paper.images import SetUp
from training.paper.networks.component_networks import Component
from training.paper.studies.attribution import accuracy_result, judge
from training.paper.studies.attribution_run import AttributionRun, component_run, trained
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measurement, Result


def components(lab: Lab) -> list[Component]:
    """What is measured in this size, kind by kind, from the largest side to the smallest."""
    steps = lab.effort.component_steps
    return [Component(kind, side) for kind in steps for side in steps[kind]]


def measurements(lab: Lab, setup: SetUp) -> list[Measurement]:
    """Every component with the first training seed, then with the next."""
    seeds = range(lab.effort.seeds)
    return [measurement(lab, setup, one, seed) for seed in seeds for one in components(lab)]


def measurement(lab: Lab, setup: SetUp, component: Component, seed: int) -> Measurement:
    """Accuracy on the test images by a component alone."""
    run = component_run(lab, setup, component, seed)
    name = f"persistence/{setup.name}/{component.name}-seed{seed}"
    return Measurement(name, run.config(), partial(_measure, lab, run), shared=True)


def _measure(lab: Lab, run: AttributionRun) -> Result:
    test = lab.images(run.setup, "test")
    _, accuracy = judge(trained(run, lab), test, lab.place)
    return accuracy_result(accuracy)
