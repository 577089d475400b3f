"""One GAN in training: its networks, averages, optimisers and random source, and one step of them.

Every random draw comes from one generator whose state is in the checkpoint, and whatever changes
with time depends on the iteration, not on the clock. So a resumed run equals an uninterrupted one,
bit for bit on the CPU.

The generator of random numbers is the CPU's on every device, and so are the initial weights; what
it draws is moved. So a seed means the same start, photographs and latents everywhere, and a
checkpoint of one device goes on on another; sums are rounded differently there.
"""

import copy
import datetime
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.zoo import checkpoint
from training.zoo.augment import augment
from training.zoo.recipe import Recipe
from worker.errors import StopError

EMA_SHARE = 0.005
"""Share of the newest weights in the running average; half-life 138 iterations."""

CPU = torch.device("cpu")


class Training:
    """The state of a run: two networks, the average, two optimisers, one random source."""

    def __init__(
        self,
        recipe: Recipe,
        images: NDArray[np.uint8],
        seed: int,
        bfloat16: bool = True,
        device: torch.device = CPU,
    ) -> None:
        """`images` are the real photographs, uint8 (N,3,R,R); they stay on the CPU.

        `bfloat16` computes convolutions in bfloat16, three to four times faster on processors
        that have it and slower on others; weights, losses and optimisers stay in float32.
        """
        torch.manual_seed(seed)  # for the initial weights only, which are drawn on the CPU
        self.recipe, self.seed, self.bfloat16, self.device = recipe, seed, bfloat16, device
        self.generator = self._placed(recipe.build_generator(recipe.network))
        self.critic = self._placed(recipe.build_critic(recipe.network))
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval()
        rate = recipe.learning_rate
        self.generator_adam = self._adam(self.generator, rate)
        self.critic_adam = self._adam(self.critic, recipe.critic_learning_rate or rate)
        self.random = torch.Generator().manual_seed(seed)
        self.real = torch.from_numpy(images)  # (N,3,R,R)
        self.iteration = 0
        self.elapsed_s = 0.0

    def _placed(self, module: nn.Module) -> nn.Module:
        placed: nn.Module = module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    def _adam(self, module: nn.Module, rate: float) -> torch.optim.Adam:
        return torch.optim.Adam(module.parameters(), rate, self.recipe.betas, fused=True)

    def step(self) -> dict[str, float]:
        """One generator step, and the critic steps before it; returns the losses."""
        stage = self._grow()
        losses: dict[str, float] = {}
        for _ in range(self.recipe.critic_steps):
            real = self._augmented_real(stage)
            with self._autocast():
                fake = self.generator(self._latents())  # kept: the last batch also trains G
            losses |= self._critic_step(real, augment(fake.detach().float(), self.random))
        self.critic.requires_grad_(False)
        with self._autocast():
            loss = self.recipe.generator_loss(
                self.critic, self._augmented_real(stage), augment(fake.float(), self.random)
            )
        self.generator_adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.generator_adam.step()
        self.critic.requires_grad_(True)
        self._update_average()
        self.iteration += 1
        return losses | {"generator": loss.item()}

    def _critic_step(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        recipe = self.recipe
        losses = {}
        with self._autocast():
            loss = recipe.critic_loss(self.critic, real, fake)
            losses["critic"] = loss.item()
            if recipe.penalty is not None and self.iteration % recipe.penalty_every == 0:
                penalty = recipe.penalty(self.critic, real, fake, self.random)
                losses["penalty"] = penalty.item()
                loss = loss + recipe.penalty_every * penalty
        self.critic_adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.critic_adam.step()
        return losses

    def _autocast(self) -> torch.autocast:
        """One for each step of an optimiser: autocast keeps converted weights until it ends."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)

    def _latents(self) -> Tensor:
        size = self.recipe.batch_size, self.recipe.network.latent_size
        return torch.randn(size, generator=self.random).to(self.device)  # (B,Z)

    def _augmented_real(self, stage: float) -> Tensor:
        """A batch of photographs, flipped at random and augmented: (B,3,R,R) in [-1,1]."""
        batch = self.recipe.batch_size
        picked = torch.randint(len(self.real), (batch,), generator=self.random)
        flipped = (torch.rand(batch, 1, 1, 1, generator=self.random) < 0.5).to(self.device)
        images = self.real[picked].to(self.device).float() / 127.5 - 1
        images = torch.where(flipped, images.flip(3), images)
        if self.recipe.shrink is not None:
            images = self.recipe.shrink(images, stage)
        return augment(images.contiguous(memory_format=torch.channels_last), self.random)

    def _grow(self) -> float:
        """Tell progressive networks how far they have grown; 0 for the others."""
        if self.recipe.grow is None:
            return 0.0
        stage = self.recipe.grow(self.iteration, self.recipe.network.resolution)
        for module in (self.generator, self.critic, self.average):
            module.get_buffer("stage").fill_(stage)
        return stage

    @torch.no_grad()
    def _update_average(self) -> None:
        """Move weights and batch statistics of the average towards the generator's."""
        fresh = self.generator.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(fresh[name], EMA_SHARE)
            else:
                value.copy_(fresh[name])

    def save(self, path: Path) -> None:
        """Everything a later `load` needs to go on as if nothing had happened."""
        state = {
            **checkpoint.flatten_module("generator", self.generator),
            **checkpoint.flatten_module("critic", self.critic),
            **checkpoint.flatten_module("average", self.average),
            **checkpoint.flatten_optimizer("generator_adam", self.generator_adam),
            **checkpoint.flatten_optimizer("critic_adam", self.critic_adam),
            "random": self.random.get_state(),
        }
        facts = {"iteration": self.iteration, "elapsed_s": self.elapsed_s, **self.facts()}
        checkpoint.save_state(path, state, facts)

    def load(self, path: Path) -> None:
        """Continue from `save`, of any device.

        Raises StopError where it was saved by another recipe, seed or number of photographs.
        """
        state, facts = checkpoint.load_state(path)
        expected = self.settings()
        seen = {key: facts.get(key) for key in expected}
        if seen != expected:
            raise StopError(
                f"{path} was trained by {seen}, expected {expected}; remove it to train anew"
            )
        checkpoint.restore_module("generator", self.generator, state)
        checkpoint.restore_module("critic", self.critic, state)
        checkpoint.restore_module("average", self.average, state)
        checkpoint.restore_optimizer("generator_adam", self.generator_adam, state)
        checkpoint.restore_optimizer("critic_adam", self.critic_adam, state)
        self.random.set_state(state["random"])
        self.iteration = int(str(facts["iteration"]))
        self.elapsed_s = float(str(facts["elapsed_s"]))

    def settings(self) -> dict[str, object]:
        """What fixes the training, as far as it is no code."""
        return {
            "architecture": self.recipe.name,
            "paper": self.recipe.paper,
            "network": asdict(self.recipe.network),
            "seed": self.seed,
            "batch_size": self.recipe.batch_size,
            "learning_rate": self.recipe.learning_rate,
            "critic_learning_rate": self.recipe.critic_learning_rate,
            "critic_steps": self.recipe.critic_steps,
            "penalty_every": self.recipe.penalty_every,
            "photographs": len(self.real),
        }

    def facts(self) -> dict[str, object]:
        """What a reader of the weights needs: architecture, sizes, settings, how far, date."""
        return self.settings() | {
            "iterations": self.iteration,
            "minutes": round(self.elapsed_s / 60, 1),
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        }
