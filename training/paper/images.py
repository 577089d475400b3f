"""The labelled images of a set-up: real photographs and what its generators draw, per split.

Every class comes as square RGB images of the same side, kept as uncompressed pixels. The real ones
were JPEG or WebP once and were made smaller by a box filter, as the generators saw them; the made
ones never were. The real ones are split by photograph, the made ones by the seed of their latents,
and a generator was trained on the training photographs only.
"""

import functools
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor

from training.data.faces import CROP_BOX
from training.data.fetch import FACES, PHOTOS, cache_folder
from training.data.lock import locked_when_free
from training.data.manifest import HELD_OUT_PHOTOS, Manifest, Split
from training.data.scenes import LEAST_DEVIATION, REDUCTION, TILES_PER_PHOTO
from training.paper.controls import Control, control_config, controlled
from training.zoo.generate import generate, load_generator
from training.zoo.sets import ZooModel, zoo_set
from training.zoo.sizes import SIDES, Content, SetName, Size
from training.zoo.train_set import pictures

REAL = "real"

DRAWN: dict[Split, int] = {"train": 2000, "validation": 200, "test": 500}
"""Images drawn from each generator; the paper has 100,000 for training and 10,000 for test."""

_LAYOUT = "planes"
"""Of the stored pixels, as part of the file's name: rows of each colour in turn."""

_SEEDS: dict[Split, int] = {"train": 1_000_000, "validation": 2_000_000, "test": 3_000_000}


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """`images` uint8 (N,3,R,R) RGB; `labels` int64 (N,), places in `sources`, real being first."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    sources: tuple[str, ...]

    def of(self, label: int) -> NDArray[np.uint8]:
        """The images of one source: uint8 (n,3,R,R)."""
        own: NDArray[np.uint8] = self.images[self.labels == label]
        return own

    def counts(self) -> dict[str, int]:
        """Images per source."""
        return {name: int((self.labels == i).sum()) for i, name in enumerate(self.sources)}


@dataclass(frozen=True)
class SetUp:
    """Sources to tell apart: real pictures and the generators of one set of the zoo.

    With `control`, their images lack coarse cues (`training.paper.controls`).
    """

    which: SetName
    content: Content
    size: Size
    control: Control | None = None

    @property
    def name(self) -> str:
        """As in file names: five-faces-64, seeds-faces-64, seeds-faces-64-colours."""
        control = f"-{self.control}" if self.control else ""
        return f"{self.which}-{self.content}-{self.side}{control}"

    @property
    def side(self) -> int:
        """Pixels a side."""
        return SIDES[self.size]

    @property
    def models(self) -> tuple[ZooModel, ...]:
        """The generators, sorted by name; the place of a source is its label."""
        models = zoo_set(self.which, self.size, self.content)
        return tuple(sorted(models, key=lambda model: (model.seed, model.shift or 0, model.name)))

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the classes, real first."""
        return (REAL, *(model.name for model in self.models))


def images_config(setup: SetUp) -> dict[str, Any]:
    """All that fixes the images of a set-up; of a control nothing, where there is none."""
    control = control_config(setup.control) if setup.control else {}
    return control | {
        "setup": setup.name,
        "real": _REAL[setup.content] | {"side": setup.side},
        "drawn": {split: [DRAWN[split], _SEEDS[split]] for split in DRAWN},
        "generators": generators_of(setup),
    }


_REAL: dict[Content, dict[str, Any]] = {
    "faces": {"package": FACES.sha256, "crop": list(CROP_BOX)},
    "scenes": {
        "packages": [package.sha256 for package in PHOTOS],
        "held_out": HELD_OUT_PHOTOS,
        "reduction": {str(side): times for side, times in REDUCTION.items()},
        "tiles_per_photo": TILES_PER_PHOTO,
        "least_deviation": LEAST_DEVIATION,
    },
}


def generators_of(setup: SetUp) -> dict[str, str]:
    """The generators of a set-up, each with what fixes it.

    Where its weights come with the project, 16 digits of their SHA-256. Where every machine trains
    it anew, its recipe: what was measured of it stays published where it was never trained, though
    another kind of processor rounds to another generator.
    """
    return {
        model.name: _sha256(model.committed) if model.committed.is_file() else recipe_of(model)
        for model in setup.models
    }


def recipe_of(model: ZooModel) -> str:
    """All of a generator's training that is no code, as 16 digits of a SHA-256 behind a word."""
    recipe = asdict(model.recipe())
    numbers = {key: value for key, value in recipe.items() if not callable(value)}
    text = json.dumps(asdict(model) | numbers, sort_keys=True)
    return f"recipe {hashlib.sha256(text.encode()).hexdigest()[:16]}"


@functools.cache
def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def to_float(images: Tensor) -> Tensor:
    """uint8 (B,3,R,R) to float32 in [-1, 1], as the networks take them."""
    return images.float() / 127.5 - 1


def load_images(setup: SetUp, manifest: Manifest, split: Split) -> LabelledImages:
    """Real pictures of the split, and `DRAWN` images of each generator.

    Raises StopError where a generator has not been trained yet.
    """
    groups = _groups(setup, manifest, split)
    if setup.control:
        training = groups if split == "train" else _groups(setup, manifest, "train")
        groups = controlled(setup.control, groups, training, _SEEDS[split])
    return labelled(groups, setup.sources)


def labelled(groups: list[NDArray[np.uint8]], sources: tuple[str, ...]) -> LabelledImages:
    """The images of every source, uint8 (N,3,R,R) each, behind one another."""
    labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return LabelledImages(np.concatenate(groups), labels, sources)


def _groups(setup: SetUp, manifest: Manifest, split: Split) -> list[NDArray[np.uint8]]:
    """The images of every source: uint8 (N,3,R,R) each."""
    return [
        pictures(manifest, setup.content, setup.side, split),
        *(drawn(model.name, model.weights, split) for model in setup.models),
    ]


def drawn(name: str, weights: Path, split: Split) -> NDArray[np.uint8]:
    """Images of a generator of a split."""
    return drawn_once(weights, f"{name}-{split}", DRAWN[split], _SEEDS[split])


def drawn_once(weights: Path, name: str, count: int, seed: int) -> NDArray[np.uint8]:
    """`count` images of a generator, drawn once and kept below the cache folder under a name."""
    generator = load_generator(weights)  # StopError where there are no weights
    kept = _kept(weights, f"{name}-{count}-{seed}-{_LAYOUT}")
    with locked_when_free(kept.with_suffix(".lock")):  # another process may be drawing them
        if not kept.is_file():
            draft = kept.with_suffix(".part")
            save_file({"images": generate(generator, count, seed)}, draft)
            draft.replace(kept)
    images: NDArray[np.uint8] = load_file(kept)["images"]
    return images


def _kept(weights: Path, name: str) -> Path:
    return cache_folder() / "paper" / "images" / f"{name}-{_sha256(weights)}.safetensors"


def draw_batch(
    images: LabelledImages, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Tensor]:
    """A batch with classes drawn uniformly, since there are fewer real images than made ones.

    Each is flipped left to right with probability one half. Returns uint8 (count,3,R,R) and the
    labels, int64 (count,).
    """
    labels = rng.integers(len(images.sources), size=count)
    starts = np.searchsorted(images.labels, np.arange(len(images.sources) + 1))  # labels ascend
    places = rng.integers(starts[labels], starts[labels + 1])
    batch = images.images[places]
    flipped = rng.random(count) < 0.5
    batch[flipped] = batch[flipped][..., ::-1]
    return batch, torch.from_numpy(labels)
