"""Draw images from a trained generator: the same images for the same seed, always in float32.

The latents are drawn on the CPU and moved to where the network is. The same seed gives the same
latents everywhere; the pixels of a GPU may differ from the CPU's by rounding.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.zoo import checkpoint
from training.zoo.catalog import CATALOG, recipe_named
from training.zoo.recipe import NetworkConfig
from worker.errors import StopError

BATCH = 64
"""Latents are always drawn for whole batches, so that a longer series begins with a shorter one."""


@dataclass(frozen=True, eq=False)
class Generator:
    """A trained generator: its network in evaluation mode, and the facts saved beside it."""

    name: str
    network: nn.Module
    config: NetworkConfig
    facts: dict[str, object]


def load_generator(name_or_path: str | Path) -> Generator:
    """A generator of the catalogue by name, or any other by the path of its .safetensors file.

    The network is built by this code from the facts in the file; the file gives numbers only.
    It is on the CPU; `generator.network.to(device)` moves it. Raises StopError when there is no
    such generator or the file is not one.
    """
    entry = CATALOG.get(str(name_or_path))
    path = entry.weights if entry else Path(name_or_path)
    if not path.is_file():
        raise StopError(
            f"there are no weights at {path} for generator {str(name_or_path)!r}; name one of"
            f" {', '.join(CATALOG)} or a .safetensors file, or train it: `latentprint train zoo`"
        )
    state, facts = checkpoint.load_state(path)
    try:
        recipe = recipe_named(str(facts["architecture"]))
        config = NetworkConfig(**facts["network"])  # type: ignore[arg-type]
        network = recipe.build_generator(config)
        network.load_state_dict({key: _single(value) for key, value in state.items()})
    except (KeyError, TypeError, RuntimeError) as error:
        raise StopError(
            f"{path} does not hold a generator of this version ({error}); train it again"
        ) from error
    network.requires_grad_(False).eval()
    return Generator(entry.name if entry else path.stem, network, config, facts)


@torch.no_grad()
def generate(generator: Generator, count: int, seed: int) -> NDArray[np.uint8]:
    """`count` >= 1 images: uint8 (count,3,R,R), rounded and clipped from the network's [-1,1].

    A snapshot of a ProGAN that had not grown up draws smaller images than its `config` says.
    """
    random, device = torch.Generator().manual_seed(seed), device_of_module(generator.network)
    drawn = []
    for start in range(0, count, BATCH):
        latents = torch.randn(BATCH, generator.config.latent_size, generator=random)  # (64,Z)
        images = generator.network(latents[: count - start].to(device))  # (B,3,R,R)
        drawn.append(to_uint8(images).cpu().numpy())
    # Rows in C order: the network's maps are channels-last, and safetensors writes plain memory.
    return np.ascontiguousarray(np.concatenate(drawn))


def to_uint8(images: torch.Tensor) -> torch.Tensor:
    """[-1,1] -> 0..255, to the nearest; values beyond are clipped (ProGAN has no squashing)."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def device_of_module(module: nn.Module) -> torch.device:
    """Where a module's weights are."""
    return next(module.parameters()).device


def _single(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value
