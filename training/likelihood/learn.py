"""Train a generator without a critic, within a budget; a run goes on where it stopped.

checkpoint.safetensors    the whole state, every two minutes of processor time
log.jsonl                 the loss, one line in fifty iterations
generator.safetensors     averaged weights in half precision, with every checkpoint
"""

import copy
import json
import math
import time
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.likelihood.models import LikelihoodModel, Trainable
from training.zoo import checkpoint
from training.zoo.step import CPU
from training.zoo.train import export
from worker.errors import StopError

BATCH = 16
RATE = 1e-3
EMA_SHARE = 0.002
CHECKPOINT_S = 120.0
LOG_EVERY = 50
_LARGEST_GRADIENT = 1.0


class Learner:
    """The state of a run: the network, its average, the optimiser, one random source."""

    def __init__(
        self,
        model: LikelihoodModel,
        images: NDArray[np.uint8],
        device: torch.device = CPU,
        bfloat16: bool = True,
    ) -> None:
        """`images` are uint8 (N,3,R,R); they and the random source stay on the CPU.

        `bfloat16` computes convolutions in bfloat16, about twice as fast on processors that have it
        and slower on others; weights, losses and the optimiser stay in float32.
        """
        self.model, self.device, self.bfloat16 = model, device, bfloat16
        self.network = cast(nn.Module, model.built().to(device, memory_format=torch.channels_last))  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.adam = torch.optim.Adam(self.network.parameters(), RATE, (0.9, 0.99), fused=True)
        self.random = torch.Generator().manual_seed(model.seed)
        self.images = torch.from_numpy(images)
        self.iteration, self.elapsed_s = 0, 0.0

    def step(self) -> float:
        """One step of the optimiser; returns the loss."""
        picked = torch.randint(len(self.images), (BATCH,), generator=self.random)
        flipped = torch.rand(BATCH, 1, 1, 1, generator=self.random) < 0.5
        pictures = self.images[picked].float() / 127.5 - 1
        pictures = torch.where(flipped, pictures.flip(3), pictures)
        pictures = pictures.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            loss = cast(Trainable, self.network).loss(pictures, self.random)
        self.adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self.adam.step()
        with torch.no_grad():
            fresh = self.network.state_dict()
            # Early on the plain mean of what there was, so that the start is forgotten soon.
            share = max(EMA_SHARE, 1 / (1 + self.iteration))
            for name, value in self.average.state_dict().items():
                value.lerp_(fresh[name], share)  # none has whole-number buffers
        self.iteration += 1
        return loss.item()

    def save(self, path: Path) -> None:
        """Everything a later `load` needs to go on as if nothing had happened."""
        state = {
            **checkpoint.flatten_module("network", self.network),
            **checkpoint.flatten_module("average", self.average),
            **checkpoint.flatten_optimizer("adam", self.adam),
            "random": self.random.get_state(),
        }
        checkpoint.save_state(path, state, self.facts())

    def load(self, path: Path) -> None:
        """Continue from `save`; StopError where other photographs or another model made it."""
        state, facts = checkpoint.load_state(path)
        expected = {"model": self.model.name, "photographs": len(self.images)}
        seen = {key: facts.get(key) for key in expected}
        if seen != expected:
            raise StopError(f"{path} is of {seen}, expected {expected}; remove it to train anew")
        checkpoint.restore_module("network", self.network, state)
        checkpoint.restore_module("average", self.average, state)
        checkpoint.restore_optimizer("adam", self.adam, state)
        self.random.set_state(state["random"])
        self.iteration = int(str(facts["iteration"]))
        self.elapsed_s = float(str(facts["elapsed_s"]))

    def facts(self) -> dict[str, object]:
        """What stands beside the weights."""
        return {
            "model": self.model.name,
            "photographs": len(self.images),
            "iteration": self.iteration,
            "elapsed_s": self.elapsed_s,
        }


def learn(
    model: LikelihoodModel,
    images: NDArray[np.uint8],
    folder: Path,
    minutes: float,
    device: torch.device = CPU,
    bfloat16: bool = True,
) -> Path:
    """Train for `minutes` of processor time in all; returns the path of the weights.

    Raises StopError when the loss is no longer finite; the last checkpoint is kept then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    saved, weights = folder / "checkpoint.safetensors", folder / "generator.safetensors"
    learner = Learner(model, images, device, bfloat16)
    if saved.exists():
        learner.load(saved)
    began, kept = _processor_s() - learner.elapsed_s, learner.elapsed_s
    with (folder / "log.jsonl").open("a") as log:
        while learner.elapsed_s < minutes * 60:
            loss = learner.step()
            learner.elapsed_s = _processor_s() - began
            if not math.isfinite(loss):
                raise StopError(f"{model.name} diverged at iteration {learner.iteration}: {loss}")
            if learner.iteration % LOG_EVERY == 1:
                line = {"iteration": learner.iteration, "loss": loss}
                log.write(json.dumps(line | {"elapsed_s": learner.elapsed_s}) + "\n")
                log.flush()
            if learner.elapsed_s > kept + CHECKPOINT_S:
                kept = learner.elapsed_s
                learner.save(saved)
                export(weights, learner.average, learner.facts())
    learner.save(saved)
    export(weights, learner.average, learner.facts())
    return weights


def _processor_s() -> float:
    return time.process_time() / torch.get_num_threads()
