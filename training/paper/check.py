"""Do the committed weights still give the published accuracies? `train reproduce --check`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.paper.accuracy import accuracy_of
from training.paper.attribution_file import load_attribution
from training.paper.attribution_run import AttributionRun, base_run, immunised_run
from training.paper.compact import compact_copy
from training.paper.images import LabelledImages
from training.paper.lab import Lab
from training.paper.measured import Measurement
from training.paper.study_attacks import SETUP as ATTACKED
from training.paper.study_attacks import attacked_test
from training.paper.study_attacks import network_measurement as attacked_measurement
from training.paper.study_attribution import network_measurement
from training.paper.study_visualisation import COMMITTED, committed_weights, kept_weights
from training.paper.study_visualisation import SETUP as VISUALISED
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
    run: AttributionRun
    images: Callable[[], LabelledImages]
    measurement: Measurement
    read: Callable[[dict[str, Any]], float]


def headlines(lab: Lab) -> list[Headline]:
    """Five sources, ten seeds and the immunised combination, seed 0 of each."""
    found = []
    for name in ("architectures", "seeds"):
        setup = lab.setup_named(name)
        found.append(
            Headline(
                f"attribution, {name}",
                base_run(lab, setup, 0),
                lambda setup=setup: lab.images(setup, "test"),  # type: ignore[misc]
                network_measurement(lab, base_run(lab, setup, 0)),
                lambda result: float(result["accuracy"]),
            )
        )
    setup = lab.setup_named(ATTACKED)
    found.append(
        Headline(
            "combination attack, immunised",
            immunised_run(lab, setup, "combination"),
            lambda: attacked_test(lab, setup, "combination"),
            attacked_measurement(lab, setup, "combination"),
            lambda result: float(result["after"]["accuracy"]),
        )
    )
    return found


def keep_weights(lab: Lab) -> list[Path]:
    """Copy what was trained for the headlines, and for `train visualise`, beside the code.

    As whole numbers, to be committed together with the pages. What is not trained on this
    machine is passed over.
    """
    setup = lab.setup_named(VISUALISED)
    pairs = [(one.run.kept, one.run.committed) for one in headlines(lab)]
    pairs.append((kept_weights(lab, setup, COMMITTED), committed_weights(setup, COMMITTED)))
    copied = []
    for kept, committed in pairs:
        if kept.is_file():
            compact_copy(kept, committed)
            copied.append(committed)
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
        path = headline.run.committed
        network, facts = load_attribution(path)
        if facts.get("digest") != headline.run.digest:
            raise StopError(
                f"{path} has the digest {facts.get('digest')}, expected {headline.run.digest}: it"
                " was trained by other settings or on other generators; run `latentprint train"
                " reproduce --keep-weights` and commit weights and pages together"
            )
        lab.say(f"{headline.name}: recomputing")
        accuracy = accuracy_of(network, headline.images(), lab.place).mean
        checked.append(Checked(headline.name, headline.read(published.result), accuracy))
    return checked
