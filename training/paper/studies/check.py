"""Do the committed weights still give the published accuracies? `train reproduce --check`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from training.paper.accuracy import accuracy_of
from training.paper.images import LabelledImages
from training.paper.networks.attribution_file import load_attribution
from training.paper.networks.compact import compact_copy
from training.paper.networks.visualisation_file import load_visualisation
from training.paper.studies.attribution import network_measurement
from training.paper.studies.attribution_run import AttributionRun, base_run, immunised_run
from training.paper.studies.immunisation import SETUP as ATTACKED
from training.paper.studies.immunisation import attacked_test
from training.paper.studies.immunisation import network_measurement as attacked_measurement
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measurement, digest_of
from training.paper.studies.visualisation import (
    COMMITTED,
    committed_weights,
    config_of,
    kept_weights,
    measurement_of,
)
from training.paper.studies.visualisation import SETUP as VISUALISED
from training.zoo.checkpoint import facts_of
from worker.errors import StopError

TOLERANCE = 0.005
"""Half a percentage point: another processor rounds otherwise, and turns a few close answers."""


@dataclass(frozen=True)
class Checked:
    """One headline: published and recomputed accuracy, 0 to 1."""

    name: str
    published: float
    recomputed: float

    @property
    def agrees(self) -> bool:
        return abs(self.published - self.recomputed) <= TOLERANCE


@dataclass(frozen=True)
class Headline:
    """A committed network, the images it is judged on, and the measurement that is published."""

    name: str
    kept: Path
    committed: Path
    digest: str
    load: Callable[[Path], nn.Module]
    images: Callable[[], LabelledImages]
    measurement: Measurement
    read: Callable[[dict[str, Any]], float]


def headlines(lab: Lab) -> list[Headline]:
    """Five sources, ten seeds, the immunised combination, seed 0 of each; the visible one."""
    found = []
    for name in ("architectures", "seeds"):
        setup = lab.setup_named(name)
        run = base_run(lab, setup, 0)
        found.append(
            _of_run(
                f"attribution, {name}",
                run,
                partial(lab.images, setup, "test"),
                network_measurement(lab, run),
                lambda result: float(result["accuracy"]),
            )
        )
    setup = lab.setup_named(ATTACKED)
    found.append(
        _of_run(
            "combination attack, immunised",
            immunised_run(lab, setup, "combination"),
            partial(attacked_test, lab, setup, "combination"),
            attacked_measurement(lab, setup, "combination"),
            lambda result: float(result["after"]["accuracy"]),
        )
    )
    setup = lab.setup_named(VISUALISED)
    found.append(
        Headline(
            "visible fingerprint",
            kept_weights(lab, setup, COMMITTED),
            committed_weights(setup, COMMITTED),
            digest_of(config_of(lab, setup, COMMITTED)),
            load_visualisation,
            partial(lab.images, setup, "test"),
            measurement_of(lab, setup, COMMITTED),
            lambda result: float(result["accuracy"]),
        )
    )
    return found


def _of_run(
    name: str,
    run: AttributionRun,
    images: Callable[[], LabelledImages],
    measurement: Measurement,
    read: Callable[[dict[str, Any]], float],
) -> Headline:
    def load(path: Path) -> nn.Module:
        return load_attribution(path)[0]

    return Headline(name, run.kept, run.committed, run.digest, load, images, measurement, read)


def keep_weights(lab: Lab) -> list[Path]:
    """Copy what was trained for the headlines, and for `train visualise`, beside the code.

    As whole numbers, to be committed together with the pages. What is not trained on this
    machine is passed over.
    """
    copied = []
    for headline in headlines(lab):
        if headline.kept.is_file():
            compact_copy(headline.kept, headline.committed)
            copied.append(headline.committed)
    return copied


def check(lab: Lab) -> list[Checked]:
    """Recompute every headline; only the test images are drawn.

    Raises StopError where weights or a published figure are missing, or were made by other
    settings or generators than these.
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
        path = headline.committed
        network = headline.load(path)
        digest = facts_of(path).get("digest")
        if digest != headline.digest:
            raise StopError(
                f"{path} has the digest {digest}, expected {headline.digest}: it was trained by"
                " other settings or on other generators; run `latentprint train reproduce"
                " --keep-weights` and commit weights and pages together"
            )
        lab.say(f"{headline.name}: recomputing")
        accuracy = accuracy_of(network, headline.images(), lab.place).mean
        checked.append(Checked(headline.name, headline.read(published.result), accuracy))
    return checked
