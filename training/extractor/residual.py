"""Training the residual branch: crops to which source made them.

The branch learns by cross-entropy over all training sources (each simulated generator and each
zoo model a class, all real sources one class); only its embedding is kept, the classifier is
thrown away, since new generators are registered without retraining.
"""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from training.extractor.cohort import Cohort
from worker.extractor.networks import FingerprintNetwork, to_ycbcr


@dataclass(frozen=True, slots=True)
class ResidualRecipe:
    """How long and how the residual branch is trained; ends at whichever limit comes first."""

    steps: int = 4000
    minutes: float = 8.0
    views_per_step: int = 96
    crops_per_view: int = 2
    learning_rate: float = 2e-3
    real_share: float = 0.3
    seed: int = 0


def train_residual(
    network: FingerprintNetwork, cohort: Cohort, recipe: ResidualRecipe, log: Path
) -> int:
    """Train `network.residual` in place; returns the steps done and appends losses to `log`."""
    rng = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    classes = _classes(cohort)
    head = nn.Linear(network.sizes.residual_features, int(classes.max()) + 1)
    branch = network.residual.train()
    parameters = [*branch.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, recipe.learning_rate, weight_decay=1e-4)
    real, made = np.flatnonzero(cohort.real), np.flatnonzero(~cohort.real)
    reals = int(recipe.real_share * recipe.views_per_step)
    started, running = time.monotonic(), 0.0
    step = 0
    with log.open("a") as out:
        while step < recipe.steps and time.monotonic() - started < 60 * recipe.minutes:
            views = np.concatenate(
                [rng.choice(real, reals), rng.choice(made, recipe.views_per_step - reals)]
            )
            crops, owners = [], []
            for view in views:
                chosen = rng.integers(0, len(cohort.crops[view]), recipe.crops_per_view)
                crops.append(cohort.crops[view][chosen])
                owners.append(classes[view])
            batch = to_ycbcr(torch.from_numpy(np.concatenate(crops)))
            if rng.random() < 0.5:
                batch = batch.flip(-1)
            target = torch.from_numpy(np.array(owners))
            embedded = branch(batch, autocast_bf16=True)
            embedded = embedded.reshape(len(views), recipe.crops_per_view, -1).mean(1)
            loss = nn.functional.cross_entropy(head(embedded), target)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            done = max(step / recipe.steps, (time.monotonic() - started) / (60 * recipe.minutes))
            for group in optimiser.param_groups:  # cosine to zero at whichever limit comes first
                group["lr"] = recipe.learning_rate * (1 + math.cos(math.pi * min(1, done))) / 2
            optimiser.step()
            running = loss.item() if step == 0 else 0.98 * running + 0.02 * loss.item()
            step += 1
            if step % 100 == 0:
                seconds = round(time.monotonic() - started, 1)
                out.write(json.dumps({"step": step, "loss": running, "seconds": seconds}) + "\n")
                out.flush()
    branch.eval()
    return step


def _classes(cohort: Cohort) -> np.ndarray:
    """(N,) int64: 0 for everything real, then one number per made source."""
    made = [i for i in range(len(cohort.sources)) if not cohort.real[cohort.label == i].all()]
    number = {source: position for position, source in enumerate(made, start=1)}
    return np.array([number.get(int(label), 0) for label in cohort.label], np.int64)
