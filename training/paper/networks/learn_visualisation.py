"""Train a visualisation network: classify, reconstruct, and look real, all at once.

Yu, Davis and Fritz 2019, arXiv 1811.08180, with the released weights of the losses:

    L(EG) = 1 cross-entropy + 20 mean|rec - x| - 0.1 mean D(rec)
    L(D)  = mean D(rec) - mean D(x) + 10 mean (||grad D|| - 1)^2 + 0.001 mean D(x)^2

EG being the network, D the discriminator, and the gradient taken between x and rec (WGAN-GP, arXiv
1704.00028). Adam at 1e-3 with betas 0 and 0.99 and epsilon 1e-8, batches of 32, left-right flips;
the result is the running average of EG. D and EG take turns.

Deviations, for two CPU cores: `VisualisationRecipe.steps` instead of 781,250, and hence a rate that
falls to zero in the end and an average that begins short; both turns of a step see one batch, so
that one reconstruction serves both (D learns first, EG is unchanged until then); the penalty in
every n-th step only, n times as strong; convolutions in bfloat16.
"""

import copy
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from training.paper.devices import ALONE, Place, share_of_batch, wait_for_all
from training.paper.images import LabelledImages, draw_batch, to_float
from training.paper.networks.learn import SAVE_EVERY_S, Report, falling
from training.paper.networks.visualisation_network import (
    Discriminator,
    Variant,
    VisualisationNetwork,
)
from training.zoo import checkpoint
from training.zoo.progan import STDDEV_GROUP
from training.zoo.recipe import interpolate, slope_penalty
from worker.errors import StopError


@dataclass(frozen=True)
class VisualisationRecipe:
    """How long and how a network is trained.

    The share of the average that stays in a step is `average`, but (1 + step) / (10 + step) while
    that is smaller, so that the first, random weights are forgotten. The rate is constant for
    1 - `decay` of the steps and then falls linearly to zero.

    Model fingerprints begin with a deviation of `first_spread` and move at `fingerprint_rate`.
    In the released code both are as for any other weight, 1 and the learning rate; in a training
    a thousand times shorter a fingerprint would then be the noise that it began with.
    """

    steps: int
    seed: int = 0
    batch_size: int = 32
    variant: Variant = "correlation"
    class_weight: float = 1.0
    reconstruction_weight: float = 20.0
    adversarial_weight: float = 0.1
    penalty_weight: float = 10.0
    penalty_every: int = 8
    drift_weight: float = 0.001
    learning_rate: float = 1e-3
    fingerprint_rate: float = 1e-2
    first_spread: float = 0.01
    betas: tuple[float, float] = (0.0, 0.99)
    epsilon: float = 1e-8
    decay: float = 0.4
    average: float = 0.999
    bfloat16: bool = True


def learn_visualisation(
    images: LabelledImages,
    recipe: VisualisationRecipe,
    saved: Path,
    report: Report,
    place: Place = ALONE,
) -> VisualisationNetwork:
    """Train a network to tell the sources of `images` apart and return its running average.

    Resumes from `saved` where it is there; `report` is given the cross-entropy. Raises StopError
    when a loss is no longer finite, or when `saved` is of another recipe or other sources.
    """
    training = _Training.begin(images, recipe, place)
    if saved.exists():
        training.load(saved)
    wait_for_all(place)  # nobody removes the file before all have looked for it
    due = time.monotonic() + SAVE_EVERY_S
    while training.step < recipe.steps:
        loss = training.advance()
        if place.first:
            report(training.step, recipe.steps, loss)
            if time.monotonic() > due or training.step == recipe.steps:
                training.save(saved)
                due = time.monotonic() + SAVE_EVERY_S
    return training.average


@dataclass(eq=False)
class _Training:
    """A training's whole state, alike in all of its processes but for the images they draw."""

    images: LabelledImages
    recipe: VisualisationRecipe
    place: Place
    network: VisualisationNetwork
    discriminator: Discriminator
    average: VisualisationNetwork = field(init=False)
    step: int = 0

    @classmethod
    def begin(
        cls, images: LabelledImages, recipe: VisualisationRecipe, place: Place
    ) -> "_Training":
        share = share_of_batch(recipe.batch_size, place)
        if share % STDDEV_GROUP:
            raise StopError(
                f"{place.world} processes get {share} images of a batch each; the discriminator"
                f" compares groups of {STDDEV_GROUP}, so that at most"
                f" {recipe.batch_size // STDDEV_GROUP} processes may take part",
                exit_code=2,
            )
        torch.manual_seed(recipe.seed)  # for the initial weights only
        side = images.images.shape[-1]
        network = VisualisationNetwork(side, len(images.sources), recipe.variant)
        with torch.no_grad():
            network.weight.mul_(recipe.first_spread)
        return cls(images, recipe, place, network, Discriminator(side))

    def __post_init__(self) -> None:
        for module in (self.network, self.discriminator):
            module.to(self.place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self._adam = self._optimiser(self.network)
        self._discriminator_adam = self._optimiser(self.discriminator)

    def _optimiser(self, module: nn.Module) -> torch.optim.Adam:
        recipe = self.recipe
        free = [value for name, value in module.named_parameters() if name == "weight"]
        others = [value for name, value in module.named_parameters() if name != "weight"]
        groups: list[dict[str, Any]] = [{"params": others, "rate": recipe.learning_rate}]
        if free:  # the model fingerprints; the discriminator has no parameter of this name
            groups.append({"params": free, "rate": recipe.fingerprint_rate})
        return torch.optim.Adam(
            groups, recipe.learning_rate, recipe.betas, recipe.epsilon, fused=True
        )

    def advance(self) -> float:
        """One step of the discriminator, then one of the network; returns the cross-entropy."""
        recipe, place = self.recipe, self.place
        rng = np.random.default_rng([recipe.seed, self.step, place.rank])
        batch, labels = draw_batch(self.images, share_of_batch(recipe.batch_size, place), rng)
        x = to_float(torch.from_numpy(batch).to(place.device))
        x = x.contiguous(memory_format=torch.channels_last)
        with self._autocast():
            rec = self.network.reconstruct(x)
        scored = self._discriminator_loss(x, rec.detach(), rng)
        self._update(self.discriminator, self._discriminator_adam, scored)

        self.discriminator.requires_grad_(False)  # the gradient goes through it, not to it
        with self._autocast():
            fooled = self.discriminator(rec).mean()
        self.discriminator.requires_grad_(True)
        classified = functional.cross_entropy(self.network.attribute(x - rec), labels.to(x.device))
        loss = (
            recipe.class_weight * classified
            + recipe.reconstruction_weight * functional.l1_loss(rec, x)
            - recipe.adversarial_weight * fooled
        )
        self._update(self.network, self._adam, loss)
        self._update_average()
        self._stop_unless_finite(scored.item(), loss.item())
        self.step += 1
        return classified.item()

    def _discriminator_loss(self, x: Tensor, rec: Tensor, rng: np.random.Generator) -> Tensor:
        recipe = self.recipe
        with self._autocast():
            of_x, of_rec = self.discriminator(torch.cat([x, rec])).chunk(2)
            drift = recipe.drift_weight * of_x.square().mean()
            loss: Tensor = of_rec.mean() - of_x.mean() + drift
            if self.step % recipe.penalty_every == 0:
                random = torch.Generator().manual_seed(int(rng.integers(2**63)))
                between = interpolate(x, rec, random)
                weight = recipe.penalty_weight * recipe.penalty_every
                loss = loss + slope_penalty(self.discriminator(between), between, weight)
        return loss

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.place.device.type, torch.bfloat16, enabled=self.recipe.bfloat16)

    def _update(self, module: nn.Module, adam: torch.optim.Adam, loss: Tensor) -> None:
        """One step of Adam down the gradient of `loss`, averaged over the processes.

        Without DistributedDataParallel, which cannot be used with gradients of gradients.
        """
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.place.world > 1:
            for parameter in module.parameters():
                assert parameter.grad is not None
                distributed.all_reduce(parameter.grad)
                parameter.grad /= self.place.world
        share = falling(self.step, self.recipe.steps, self.recipe.decay)
        for group in adam.param_groups:
            group["lr"] = group["rate"] * share
        adam.step()

    @torch.no_grad()
    def _update_average(self) -> None:
        stays = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        fresh = self.network.parameters()
        for value, newest in zip(self.average.parameters(), fresh, strict=True):
            value.lerp_(newest, 1 - stays)

    def _stop_unless_finite(self, *losses: float) -> None:
        if not np.isfinite(losses).all():
            raise StopError(
                f"the losses are {losses} at step {self.step} of {self.recipe.steps}, expected"
                " finite ones; train anew with a lower learning rate than"
                f" {self.recipe.learning_rate}"
            )

    def save(self, saved: Path) -> None:
        """Everything `load` needs to go on as if nothing had happened."""
        state = {
            **checkpoint.flatten_module("network", self.network),
            **checkpoint.flatten_module("discriminator", self.discriminator),
            **checkpoint.flatten_module("average", self.average),
            **checkpoint.flatten_optimizer("adam", self._adam),
            **checkpoint.flatten_optimizer("discriminator_adam", self._discriminator_adam),
        }
        checkpoint.save_state(saved, state, {"step": self.step, **self._facts()})

    def load(self, saved: Path) -> None:
        """Go on from `save`; StopError where another recipe or other images were used."""
        state, facts = checkpoint.load_state(saved)
        seen = {key: value for key, value in facts.items() if key != "step"}
        if seen != self._facts():
            raise StopError(
                f"{saved} was trained by {seen}, expected {self._facts()}; remove it to train anew"
            )
        checkpoint.restore_module("network", self.network, state)
        checkpoint.restore_module("discriminator", self.discriminator, state)
        checkpoint.restore_module("average", self.average, state)
        checkpoint.restore_optimizer("adam", self._adam, state)
        checkpoint.restore_optimizer("discriminator_adam", self._discriminator_adam, state)
        self.step = cast(int, facts["step"])

    def _facts(self) -> dict[str, object]:
        recipe = {**asdict(self.recipe), "betas": list(self.recipe.betas)}
        return {**recipe, "side": self.network.side, "sources": list(self.images.sources)}
