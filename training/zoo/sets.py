"""The generators of the paper's set-ups: which are trained, on what, from which seed, how long.

Yu, Davis and Fritz 2019, arXiv 1811.08180, attribute images to five sources (real pictures and
four architectures) and to eleven (real pictures and ten seeds of one architecture). Both are
trained here in two sizes: `small` for two processor cores, `paper` for a GPU.

A third set-up asks what the training photographs alone change: eleven generators, each trained on
a subset of them that differs from the first one's in a growing number (`SHIFTS`). As read here
the paper fixes the random numbers of these trainings, so that nothing but the photographs differs
(`shifts`); `shifts_by_seed` is the same with a seed of its own for each.

The seeds are ProGAN's in the paper and in size `paper`. In size `small` they are SNGAN's: on two
cores ProGAN needs several times as long for faces. All ten see the same photographs for the same
number of iterations, so that nothing but the random numbers differs.

Size `paper` follows the settings that Yu et al. released with their paper:

    ProGAN              WGAN-GP; 12,000 thousand images (k), each layer faded in over 600 k and
                        held for 600 k; Adam 1.5e-3 (0, 0.99) for both networks; batches of 32;
                        512 latents; widths 512 to 128
    SNGAN               hinge; Adam 2e-4 (0, 0.9)
    CramerGAN, MMDGAN   Adam 1e-4 (0.5, 0.9); gradient penalty 10 and 1 in every step; output
                        dimension 256 and 16
    these three         150,000 iterations; 5 critic steps; batches of 32; 128 latents; widths 1024
                        to 64 in both networks

What differs from them, in size `paper`:

- the photographs are those of `training.data.manifest`, hundreds instead of 200,000, hence
  DiffAugment (`training.zoo.augment`) and flips for all four;
- images are drawn from averaged weights (`EMA_SHARE` in `training.zoo.step`) for all four; only
  ProGAN's paper does so, over more images;
- the last fake batch of the critic also trains the generator, instead of a new one;
- ProGAN: one batch size and one rate for all stages; released were batches of 512 at 4x4 down to 32
  at 64x64, and 1e-3 below 128x128;
- SNGAN: the plain critic of its paper (`training.zoo.sngan`) instead of the residual one, and a
  constant rate, where the released one falls to zero over the last 30,000 iterations;
- CramerGAN: DCGAN's generator, and the second fake batch is the first one shifted by one
  (`training.zoo.cramergan`);
- MMDGAN: the kernel without the dot product (`training.zoo.mmdgan`), and a constant rate instead of
  one that falls when a three-sample test sees no progress;
- convolutions in bfloat16.

Nobody has trained in size `paper` yet; only single steps of its networks have been run, on a CPU.
At equal rates and the widths of size `small`, ProGAN's generator collapsed (`training.zoo.progan`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import get_args

from training.data.fetch import cache_folder
from training.data.subsets import SHIFTS
from training.zoo import progan
from training.zoo.catalog import SAMPLES, WEIGHTS, recipe_named
from training.zoo.recipe import NetworkConfig, Recipe
from training.zoo.sizes import SIDES, Content, SetName, Size

ARCHITECTURES = ("progan", "sngan", "cramergan", "mmdgan")
SEEDS_OF: dict[Size, str] = {"small": "sngan", "paper": "progan"}
SEEDS = tuple(range(1, 11))

_SMALL_ITERATIONS = {
    "faces": {"progan": 5000, "sngan": 1880, "cramergan": 3660, "mmdgan": 1300},
    "scenes": {"progan": 3600, "sngan": 1600, "cramergan": 3000, "mmdgan": 1000},
}
_SMALL_SEED_ITERATIONS = 1000
_SMALL_SHIFT_ITERATIONS = 600
_PAPER_BATCH = 32
# 12,000 thousand images for ProGAN; 600 thousand at 4x4, and 1,200 thousand at each side after it.
_PAPER_ITERATIONS = {"progan": 375_000, "sngan": 150_000, "cramergan": 150_000, "mmdgan": 150_000}
_PAPER_PHASES = (18_750, 37_500, 37_500, 37_500, 37_500)
# ProGAN's own, and those that SNGAN's residual networks and DCGAN's networks have in common.
_PAPER_NETWORKS = {
    "progan": NetworkConfig(SIDES["paper"], 512, width=128, max_width=512, critic_width=128),
    "sngan": NetworkConfig(SIDES["paper"], 128, width=64, max_width=1024, critic_width=32),
    "cramergan": NetworkConfig(SIDES["paper"], 128, width=32, max_width=1024, critic_width=32),
    "mmdgan": NetworkConfig(SIDES["paper"], 128, width=64, max_width=1024, critic_width=32),
}
_PAPER_RATES = {"progan": 1.5e-3, "sngan": 2e-4, "cramergan": 1e-4, "mmdgan": 1e-4}

PAPER_CORE_S = {"progan": 88.0, "sngan": 18.0, "cramergan": 13.0, "mmdgan": 36.0}
"""Processor seconds of an iteration in size `paper` on one core of a server processor (one step
measured of each; ProGAN full-grown, twice a step of half the batch). Only to warn by."""


@dataclass(frozen=True)
class ZooModel:
    """One generator to train: what fixes it, and where its weights lie."""

    architecture: str
    seed: int
    content: Content
    size: Size
    iterations: int
    shift: int | None = None
    """Trained on the subset of the photographs with this shift; on all where it is None."""

    @property
    def name(self) -> str:
        """As in file names: sngan, sngan_seed3, sngan_seed1_shift35, progan_scenes, mmdgan_128."""
        seed = f"_seed{self.seed}" if self.seed else ""
        shift = f"_shift{self.shift}" if self.shift is not None else ""
        content = "_scenes" if self.content == "scenes" else ""
        size = "_128" if self.size == "paper" else ""
        return f"{self.architecture}{seed}{shift}{content}{size}"

    @property
    def folder(self) -> Path:
        """Where its training runs, below the cache folder."""
        return cache_folder() / "zoo" / self.name

    @property
    def committed(self) -> Path:
        """Where its weights lie if they come with the project."""
        return WEIGHTS / f"{self.name}.safetensors"

    @property
    def weights(self) -> Path:
        """The committed weights, or else those of its finished training."""
        return self.committed if self.committed.is_file() else self.folder / "generator.safetensors"

    @property
    def grid(self) -> Path:
        """Its sample grid, committed or of its finished training."""
        committed = SAMPLES / f"{self.name}.png"
        return committed if committed.is_file() else self.folder / "grid.png"

    def recipe(self) -> Recipe:
        """The architecture's recipe in this size."""
        recipe = recipe_named(self.architecture)
        if self.size == "paper":
            return _at_the_papers_size(recipe)
        if (self.architecture, self.content) == ("mmdgan", "scenes"):
            return replace(recipe, critic_steps=5)  # with two its critic fell flat at once
        return recipe


def zoo_set(which: SetName, size: Size, content: Content) -> tuple[ZooModel, ...]:
    """The four architectures of `five`, the ten seeds of `seeds`, or the eleven shifted subsets."""
    if which == "five":
        return tuple(_five(size, content))
    architecture = SEEDS_OF[size]
    if which == "seeds":
        iterations = _SMALL_SEED_ITERATIONS if size == "small" else _PAPER_ITERATIONS[architecture]
        return tuple(ZooModel(architecture, seed, content, size, iterations) for seed in SEEDS)
    iterations = _SMALL_SHIFT_ITERATIONS if size == "small" else _PAPER_ITERATIONS[architecture]
    seeds = range(1, len(SHIFTS) + 1) if which == "shifts_by_seed" else [1] * len(SHIFTS)
    return tuple(
        ZooModel(architecture, seed, content, size, iterations, shift)
        for seed, shift in zip(seeds, SHIFTS, strict=True)
    )


def models_by_name() -> dict[str, ZooModel]:
    """Every generator of every set, trained or not."""
    sets = product(get_args(SetName), SIDES, get_args(Content))
    return {model.name: model for which in sets for model in zoo_set(*which)}


def paper_core_days(architecture: str) -> float:
    """About how long a whole training in size `paper` keeps one processor core busy, at most."""
    return _PAPER_ITERATIONS[architecture] * PAPER_CORE_S[architecture] / 86_400


def _five(size: Size, content: Content) -> Iterator[ZooModel]:
    iterations = _SMALL_ITERATIONS[content] if size == "small" else _PAPER_ITERATIONS
    for architecture in ARCHITECTURES:
        yield ZooModel(architecture, 0, content, size, iterations[architecture])


def _at_the_papers_size(recipe: Recipe) -> Recipe:
    """The settings at the top of this module; losses, regularisers and betas are the recipe's."""
    progressive = recipe.name == "progan"
    return replace(
        recipe,
        network=_PAPER_NETWORKS[recipe.name],
        learning_rate=_PAPER_RATES[recipe.name],
        critic_learning_rate=None,
        batch_size=_PAPER_BATCH,
        critic_steps=1 if progressive else 5,
        penalty_every=1,
        grow=partial(progan.grow, phases=_PAPER_PHASES) if progressive else recipe.grow,
    )
