"""The generators trained without a critic, by name: what is trained, where it lies, how it is read.

`latentprint train likelihood NAME` trains one. Weights are committed to training/likelihood/weights
in 8 bits once they are worth it; until then they lie in the cache folder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from training.data.fetch import cache_folder
from training.likelihood.ddpm import Ddpm
from training.likelihood.eight_bits import in_float32
from training.likelihood.flow import Flow
from training.likelihood.vq_decoder import VqDecoder
from training.zoo import checkpoint
from training.zoo.sizes import Content
from worker.errors import StopError

WEIGHTS = Path(__file__).parent / "weights"
SIDE = 64
SEEDS = (0, 1, 2)
"""Siblings of each family and content."""

FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "vq_decoder": VqDecoder,
    "ddpm": lambda: Ddpm(SIDE),
    "flow": lambda: Flow(SIDE),
}


class Trainable(Protocol):
    """What training needs of a network."""

    def loss(self, pictures: Tensor, random: torch.Generator) -> Tensor:
        """Of a batch (N,3,R,R) in [-1,1]; whatever is drawn comes from `random`."""
        ...


@dataclass(frozen=True, slots=True)
class LikelihoodModel:
    """One generator to train: its family, its seed and what it learns from."""

    family: str
    seed: int
    content: Content

    @property
    def name(self) -> str:
        """As in lists and file names: ddpm, ddpm_seed1, flow_scenes."""
        seed = f"_seed{self.seed}" if self.seed else ""
        return f"{self.family}{seed}{'_scenes' if self.content == 'scenes' else ''}"

    @property
    def folder(self) -> Path:
        """Where its training runs, below the cache folder."""
        return cache_folder() / "likelihood" / self.name

    @property
    def weights(self) -> Path:
        """The committed weights, or else those of its training."""
        committed = WEIGHTS / f"{self.name}.safetensors"
        return committed if committed.is_file() else self.folder / "generator.safetensors"

    def built(self) -> nn.Module:
        """The network with weights drawn from the seed."""
        torch.manual_seed(self.seed)
        return FAMILIES[self.family]()


def models() -> list[LikelihoodModel]:
    """All that are to be trained, whether they are or not."""
    return [
        LikelihoodModel(family, seed, content)
        for family in FAMILIES
        for content in ("faces", "scenes")
        for seed in SEEDS
    ]


def load(model: LikelihoodModel, weights: Path | None = None) -> nn.Module:
    """The trained network, in evaluation mode on the CPU, of its own weights or those of a file.

    StopError when they are not there or of another version.
    """
    path = weights or model.weights
    if not path.is_file():
        raise StopError(
            f"there are no weights of {model.name} at {path};"
            f" train it: `latentprint train likelihood {model.family}`"
        )
    state, _ = checkpoint.load_state(path)
    network = model.built()
    try:
        network.load_state_dict(in_float32(state))
    except (RuntimeError, ValueError) as error:
        raise StopError(
            f"{path} does not hold a {model.family} of this version; train it again"
        ) from error
    return network.requires_grad_(False).eval()
