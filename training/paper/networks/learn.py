"""Train an attribution network: cross-entropy over the sources of a set-up.

Yu, Davis and Fritz 2019, arXiv 1811.08180, and its released settings: Adam at 1e-3 with betas 0
and 0.99 and epsilon 1e-8, batches of 32, left-right flips, equalised learning rate. Deviations:
`LearnRecipe.steps` instead of up to 3,125,000; the rate falls to zero over the last part of them,
since a constant rate leaves so short a training noisy; convolutions in bfloat16. On two cores the
rate and beta1 are larger (`training.paper.studies.lab`).

What a step draws follows from the seed, the step and the process alone, so that a resumed
training equals an uninterrupted one.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from training.paper.attacks import Attack, attack_batch
from training.paper.devices import ALONE, Place, share_of_batch, wait_for_all
from training.paper.images import LabelledImages, draw_batch, to_float
from training.paper.networks.jitter import jitter_light
from training.zoo import checkpoint
from worker.errors import StopError

SAVE_EVERY_S = 120.0

Report = Callable[[int, int, float], None]
"""(step, steps, loss): called after every step by the first process."""


@dataclass(frozen=True)
class LearnRecipe:
    """How long and how a network is trained.

    `attack` names an attack of `training.paper.attacks` that each training image suffers with
    probability `attack_share` (immunisation). With `jitter`, light and colour of every training
    image are changed at random (`training.paper.networks.jitter`). The rate is constant for
    1 - `decay` of the steps and then falls linearly to zero.
    """

    steps: int
    seed: int = 0
    batch_size: int = 32
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.0, 0.99)
    epsilon: float = 1e-8
    decay: float = 0.4
    attack: Attack | None = None
    attack_share: float = 0.5
    bfloat16: bool = True
    jitter: bool = False


def learn(
    network: nn.Module,
    images: LabelledImages,
    recipe: LearnRecipe,
    saved: Path,
    report: Report,
    place: Place = ALONE,
) -> None:
    """Train `network` (images in [-1,1] to logits) in place; resume from `saved` where it is there.

    Raises StopError when the loss is no longer finite.
    """
    network.to(place.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    adam = torch.optim.Adam(
        network.parameters(), recipe.learning_rate, recipe.betas, recipe.epsilon, fused=True
    )
    step = _resume(network, adam, recipe, saved) if saved.exists() else 0
    wait_for_all(place)  # nobody removes the file before all have looked for it
    model = DistributedDataParallel(network) if place.world > 1 else network
    due = time.monotonic() + SAVE_EVERY_S
    while step < recipe.steps:
        loss = _step(model, adam, images, recipe, step, place)
        if not np.isfinite(loss):
            raise StopError(
                f"the loss is {loss} at step {step} of {recipe.steps}, expected a finite one;"
                f" train anew with a lower learning rate than {recipe.learning_rate}"
            )
        step += 1
        if place.first:
            report(step, recipe.steps, loss)
            if time.monotonic() > due or step == recipe.steps:
                _save(network, adam, recipe, step, saved)
                due = time.monotonic() + SAVE_EVERY_S
    network.eval()


def _step(
    model: nn.Module,
    adam: torch.optim.Adam,
    images: LabelledImages,
    recipe: LearnRecipe,
    step: int,
    place: Place,
) -> float:
    rng = np.random.default_rng([recipe.seed, step, place.rank])
    batch, labels = drawn(images, recipe, share_of_batch(recipe.batch_size, place), rng)
    x = to_float(torch.from_numpy(batch).to(place.device))
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.autocast(place.device.type, torch.bfloat16, enabled=recipe.bfloat16):
        loss = functional.cross_entropy(model(x).float(), labels.to(place.device))
    adam.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    for group in adam.param_groups:
        group["lr"] = recipe.learning_rate * falling(step, recipe.steps, recipe.decay)
    adam.step()
    return loss.item()


def drawn(
    images: LabelledImages, recipe: LearnRecipe, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Tensor]:
    """Images as a step sees them, uint8 (count,3,R,R), with their labels, int64 (count,)."""
    batch, labels = draw_batch(images, count, rng)
    if recipe.jitter:
        batch = jitter_light(batch, rng)
    if recipe.attack is not None:
        batch = attack_batch(batch, recipe.attack, rng, recipe.attack_share)
    return batch, labels


def falling(step: int, steps: int, decay: float) -> float:
    """The share of the rate at a step: 1, and falling to 0 over the last `decay` of the steps."""
    left = (steps - step) / steps
    return min(1.0, left / decay) if decay else 1.0


def _save(
    network: nn.Module, adam: torch.optim.Adam, recipe: LearnRecipe, step: int, saved: Path
) -> None:
    state = {
        **checkpoint.flatten_module("network", network),
        **checkpoint.flatten_optimizer("adam", adam),
    }
    checkpoint.save_state(saved, state, {"step": step, **asdict(recipe)})


def _resume(network: nn.Module, adam: torch.optim.Adam, recipe: LearnRecipe, saved: Path) -> int:
    state, facts = checkpoint.load_state(saved)
    expected = {**asdict(recipe), "betas": list(recipe.betas)}
    seen = {key: value for key, value in facts.items() if key != "step"}
    if seen != expected:
        raise StopError(
            f"{saved} was trained by {seen}, expected {expected}; remove it to train anew"
        )
    checkpoint.restore_module("network", network, state)
    checkpoint.restore_optimizer("adam", adam, state)
    return cast(int, facts["step"])
