"""Do the published accuracies come back? `train reproduce --check`, within ten minutes.

Two kinds of figures. Baselines are fitted anew, with the choice of their settings, on images drawn
by the generators that come with the project: nothing is left out. The network of a set-up takes a
quarter of an hour and more to train, and its weights are too large to come with the project; of
the ten seeds' comes a small copy (`training.paper.networks.small_copy`), whose accuracy is held
against that of the network it was made from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.paper.accuracy import accuracy_of
from training.paper.networks.attribution_file import load_attribution
from training.paper.studies.attribution import (
    BASELINES,
    baseline_measurement,
    network_measurement,
)
from training.paper.studies.attribution_run import AttributionRun, base_run, write_copy
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measurement, Result
from worker.errors import StopError

SETUPS = ("architectures", "seeds")
"""Those on faces, for the baselines; scenes would make the check too long."""

COPIED = ("seeds",)
"""Whose network, of training seed 0, comes with the project as a small copy."""

ANEW, COPY = "fitted anew", "small copy"

TOLERANCE = {ANEW: 0.005, COPY: 0.015}
"""Half a percentage point, since another processor rounds otherwise and turns a few close answers;
for a copy one and a half, since it had lost 1.2 on validation images when it was made."""


@dataclass(frozen=True)
class Checked:
    """One headline: how it was recomputed; published and recomputed accuracy, 0 to 1."""

    name: str
    how: str
    published: float
    recomputed: float

    @property
    def agrees(self) -> bool:
        return abs(self.published - self.recomputed) <= TOLERANCE[self.how]


@dataclass(frozen=True)
class Headline:
    """A measurement that is published, and its accuracy recomputed in one of the two ways."""

    name: str
    how: str
    measurement: Measurement
    recompute: Callable[[], float]


def headlines(lab: Lab) -> list[Headline]:
    """The baselines with the published grids, and the networks of which there is a copy."""
    found = []
    for name in SETUPS:
        for baseline in BASELINES:
            measurement = baseline_measurement(lab, lab.setup_named(name), baseline)
            anew = partial(_anew, measurement)
            found.append(Headline(f"{baseline}, {name}", ANEW, measurement, anew))
    for name, run in copied_runs(lab).items():
        measurement, by_copy = network_measurement(lab, run), partial(_by_copy, lab, run)
        found.append(Headline(f"network, {name}", COPY, measurement, by_copy))
    return found


def copied_runs(lab: Lab) -> dict[str, AttributionRun]:
    """By set-up, the runs of which a small copy comes with the project."""
    return {name: base_run(lab, lab.setup_named(name), 0) for name in COPIED}


def keep_weights(lab: Lab) -> list[Path]:
    """Write the small copies beside the code, to be committed together with the pages.

    A network that was not trained on this machine is passed over.
    """
    return [write_copy(run, lab) for run in copied_runs(lab).values() if run.kept.is_file()]


def check(lab: Lab) -> list[Checked]:
    """Recompute every headline.

    Raises StopError where a copy or a published figure is missing, or was made by other settings
    or generators than these.
    """
    checked = []
    for headline in headlines(lab):
        published = lab.results.current(headline.measurement)
        if published is None:
            raise StopError(
                f"{lab.results.path(headline.measurement.name)} is not there or was made by other"
                " settings or generators, so that there is no published figure to check; run"
                " `latentprint train reproduce` first"
            )
        lab.say(f"{headline.name}: recomputing ({headline.how})")
        recomputed = headline.recompute()
        checked.append(
            Checked(headline.name, headline.how, _accuracy(published.result), recomputed)
        )
    return checked


def _anew(measurement: Measurement) -> float:
    return _accuracy(measurement.compute())


def _by_copy(lab: Lab, run: AttributionRun) -> float:
    network, facts = load_attribution(run.committed)
    digest = facts.get("digest")
    if digest != run.digest:
        raise StopError(
            f"{run.committed} has the digest {digest}, expected {run.digest}: it is a copy of a"
            " network of other settings or other generators; run `latentprint train reproduce"
            " --keep-weights` and commit weights and pages together"
        )
    return accuracy_of(network, lab.images(run.setup, "test"), lab.place).mean


def _accuracy(result: Result) -> float:
    return float(result["accuracy"])
