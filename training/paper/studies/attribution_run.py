"""One training of the attribution network: what fixes it, where its weights lie, and the training.

Weights lie below the cache folder. With the project, in `training/paper/networks/weights`, come
small copies of some (`training.paper.networks.small_copy`). All carry the digest of their run, so
that weights of other settings are never taken for them.
"""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from training.data.lock import locked_when_free
from training.paper.attacks import Attack, strengths
from training.paper.devices import wait_for_all
from training.paper.images import SetUp, images_config
from training.paper.networks.attribution_file import (
    COPY_SEED,
    export_attribution,
    load_attribution,
)
from training.paper.networks.attribution_network import AttributionNetwork
from training.paper.networks.component_networks import Attributor, Component, network_for
from training.paper.networks.jitter import ranges
from training.paper.networks.learn import LearnRecipe, learn
from training.paper.networks.small_copy import small_copy
from training.paper.studies.lab import Lab, work_folder
from training.paper.studies.measured import digest_of
from training.zoo.checkpoint import save_state

WEIGHTS = Path(__file__).parents[1] / "networks" / "weights"


@dataclass(frozen=True)
class AttributionRun:
    """A set-up, a recipe, for fine-tuning the run whose weights it begins with, and what is seen.

    `component` None is the whole image.
    """

    setup: SetUp
    recipe: LearnRecipe
    start: "AttributionRun | None" = None
    component: Component | None = None

    @property
    def name(self) -> str:
        """As in file names: five-faces-64-seed0, seeds-faces-64-jpeg-seed0, -low32-seed0."""
        attack = f"-{self.recipe.attack}" if self.recipe.attack else ""
        component = f"-{self.component.name}" if self.component else ""
        return f"{self.setup.name}{attack}{component}-seed{self.recipe.seed}"

    def config(self) -> dict[str, Any]:
        """All that fixes the weights; of jitter or a component nothing, where there is none."""
        recipe = asdict(self.recipe)
        jitter = {"jitter": ranges()} if recipe.pop("jitter") else {}
        component = {"component": asdict(self.component)} if self.component else {}
        return component | {
            "images": images_config(self.setup),
            "recipe": recipe | jitter,
            "start": self.start.digest if self.start else None,
            "strengths": strengths() if self.recipe.attack else None,
        }

    @property
    def digest(self) -> str:
        """Of `config`."""
        return digest_of(self.config())

    @property
    def committed(self) -> Path:
        """Where the small copy lies if it comes with the project."""
        return WEIGHTS / f"{self.name}.safetensors"

    @property
    def kept(self) -> Path:
        """Where the weights lie once they were trained on this machine."""
        return work_folder() / "networks" / f"{self.name}-{self.digest}.safetensors"


def base_run(lab: Lab, setup: SetUp, seed: int) -> AttributionRun:
    """The attribution network of a set-up, trained on clean images."""
    effort = lab.effort
    steps = effort.attribution_steps[setup.which]
    recipe = LearnRecipe(
        steps,
        seed,
        learning_rate=effort.learning_rate,
        betas=effort.betas,
        jitter=setup.which in effort.jitter,
    )
    return AttributionRun(setup, recipe)


def immunised_run(lab: Lab, setup: SetUp, attack: Attack, seed: int = 0) -> AttributionRun:
    """That of a seed, fine-tuned on images that are attacked with probability one half."""
    start = base_run(lab, setup, seed)
    effort = lab.effort
    steps = effort.combination_steps if attack == "combination" else effort.immunise_steps
    recipe = replace(start.recipe, steps=steps, attack=attack)
    return AttributionRun(setup, recipe, start)


def component_run(lab: Lab, setup: SetUp, component: Component, seed: int) -> AttributionRun:
    """That of a seed, but of a component of the images and with steps of its own."""
    run = base_run(lab, setup, seed)
    steps = lab.effort.component_steps[component.kind][component.side]
    return replace(run, recipe=replace(run.recipe, steps=steps), component=component)


def trained(run: AttributionRun, lab: Lab) -> Attributor:
    """The network of a run, as the half-precision file holds it; trained where there is none."""
    there = run.kept.is_file()
    if not there and lab.place.world > 1:
        _train(run, lab)
        wait_for_all(lab.place)
    elif not there:
        with locked_when_free(run.kept.with_suffix(".lock")):
            if not run.kept.is_file():
                _train(run, lab)
    network, _ = load_attribution(run.kept)
    return network


def write_copy(run: AttributionRun, lab: Lab) -> Path:
    """Write the small copy of a network that was trained on this machine, to be committed."""
    network, facts = load_attribution(run.kept)
    assert isinstance(network, AttributionNetwork), "of a component nothing is committed"
    state = small_copy(network, lab.images(run.setup, "train"), run.recipe)
    save_state(run.committed, state, facts | {COPY_SEED: run.recipe.seed})
    return run.committed


def _train(run: AttributionRun, lab: Lab) -> None:
    if run.start is not None:
        network = trained(run.start, lab).requires_grad_(True)
    else:
        torch.manual_seed(run.recipe.seed)  # for the initial weights
        network = network_for(run.setup.side, len(run.setup.sources), run.component)
    images = lab.images(run.setup, "train")
    began = time.monotonic()
    checkpoint = run.kept.with_suffix(".checkpoint")
    learn(network, images, run.recipe, checkpoint, lab.progress(run.name), lab.place)
    if lab.place.first:
        facts: dict[str, object] = {
            "digest": run.digest,
            "config": run.config(),
            "images": images.counts(),
            "seconds": round(time.monotonic() - began),
        }
        export_attribution(run.kept, network, run.setup.sources, facts)
        checkpoint.unlink(missing_ok=True)
