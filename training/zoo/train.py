"""Train one GAN of the zoo within a budget: checkpoints, sample grids, snapshots and a log.

A run lives in one folder and goes on where it stopped:

    checkpoint.safetensors     the whole state, every three minutes
    log.jsonl                  losses, one line in fifty iterations
    grid-NNNNNN.png            an 8x8 grid from the averaged weights, every five minutes
    snapshots/                 averaged and raw weights after each quarter of `minutes`
    grid.png                   the grid from the averaged weights in the end
    generator.safetensors      those weights; written last, so that with them everything is there

The periods are of processor time, as `Run.minutes` are.
"""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from training.zoo import checkpoint
from training.zoo.generate import device_of_module, to_uint8
from training.zoo.recipe import Recipe
from training.zoo.step import CPU, Training
from worker.errors import StopError

CHECKPOINT_S = 180.0
GRID_S = 300.0
LOG_EVERY = 50
GRID_SIDE = 8
_JPEG_QUALITY = 80
SNAPSHOTS = 4
"""Weights are kept after each quarter of `Run.minutes`: they serve as generators of their own."""


@dataclass(frozen=True)
class Run:
    """How long to train. The run ends at whichever limit is reached first.

    `minutes` are of processor time, divided by the threads: on an idle machine as long as minutes
    by the clock, and on a busy or suspended one still worth as many iterations. On a GPU they are
    of the process that feeds it, which computes or waits busily: about minutes by the clock, but
    nothing that measures the GPU's own work, so that a run on one is better limited by iterations.

    Snapshots follow the minutes alone: a run with `minutes` infinite, which ends by its iterations,
    leaves none.
    """

    seed: int = 0
    minutes: float = 26.0
    iterations: int = 1_000_000_000
    bfloat16: bool = True


@dataclass(frozen=True)
class Trained:
    """What a run leaves: the averaged generator, its sample grid, and how far it came."""

    weights: Path
    grid: Path
    iterations: int


def train(
    recipe: Recipe, run: Run, images: NDArray[np.uint8], folder: Path, device: torch.device = CPU
) -> Trained:
    """Train on `images`, uint8 (N,3,R,R), until a limit is reached; resume what `folder` holds.

    Raises StopError when the losses are no longer finite; the last checkpoint is kept then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    saved, draws = folder / "checkpoint.safetensors", recipe.network.latent_size
    training = Training(recipe, images, run.seed, run.bfloat16, device)
    if saved.exists():
        training.load(saved)
    began = _processor_s() - training.elapsed_s
    budget_s = run.minutes * 60
    save, grid = _Every(CHECKPOINT_S, began), _Every(GRID_S, began)
    quarter = _Every(budget_s / SNAPSHOTS, began)
    with (folder / "log.jsonl").open("a") as log:
        while training.elapsed_s < budget_s and training.iteration < run.iterations:
            losses = training.step()
            training.elapsed_s = _processor_s() - began
            number = f"{training.iteration:06d}"
            if training.iteration % LOG_EVERY == 1:
                _stop_unless_finite(losses, training, saved)
                line = {"iteration": training.iteration, "elapsed_s": training.elapsed_s, **losses}
                log.write(json.dumps(line) + "\n")
                log.flush()
            if save.due():
                training.save(saved)
            if grid.due():
                draw_grid(folder / f"grid-{number}.png", training.average, draws)
            if quarter.due():
                facts, snapshots = training.facts(), folder / "snapshots"
                export(snapshots / f"average-{number}.safetensors", training.average, facts)
                export(snapshots / f"raw-{number}.safetensors", training.generator, facts)
    training.save(saved)
    result = Trained(folder / "generator.safetensors", folder / "grid.png", training.iteration)
    draw_grid(result.grid, training.average, draws)
    export(result.weights, training.average, training.facts())
    return result


class _Every:
    """Due once in each period of processor time since `began`."""

    def __init__(self, period_s: float, began: float) -> None:
        self._period_s, self._began = period_s, began
        self._passed = self._periods()

    def due(self) -> bool:
        passed, self._passed = self._passed, self._periods()
        return self._passed > passed

    def _periods(self) -> int:
        return int((_processor_s() - self._began) / self._period_s)


def export(path: Path, module: nn.Module, facts: dict[str, object]) -> None:
    """A generator's weights in half precision, with the facts `load_generator` builds it from."""
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in module.state_dict().items()
    }
    checkpoint.save_state(path, state, facts)


@torch.no_grad()
def draw_grid(path: Path, module: nn.Module, latent_size: int) -> None:
    """An 8x8 grid of images from always the same latents, as PNG."""
    random = torch.Generator().manual_seed(0)
    latents = torch.randn(GRID_SIDE**2, latent_size, generator=random)  # (64,Z)
    pixels = to_uint8(module(latents.to(device_of_module(module)))).cpu()  # (64,3,R,R)
    save_grid(path, pixels.numpy())


def save_grid(path: Path, pixels: NDArray[np.uint8]) -> None:
    """uint8 (8k,3,R,R), eight a row, as PNG or JPEG by the name of the file."""
    count, _, side, _ = pixels.shape
    rows = pixels.reshape(count // GRID_SIDE, GRID_SIDE, 3, side, side).transpose(0, 3, 1, 4, 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rows.reshape(-1, GRID_SIDE * side, 3)).save(path, quality=_JPEG_QUALITY)


def _stop_unless_finite(losses: dict[str, float], training: Training, saved: Path) -> None:
    if not all(math.isfinite(value) for value in losses.values()):
        raise StopError(
            f"{training.recipe.name} diverged: losses {losses} at iteration {training.iteration},"
            f" expected finite ones; resume from {saved} with a lower learning rate"
        )


def _processor_s() -> float:
    return time.process_time() / torch.get_num_threads()
