"""What every study needs at hand: the photographs, the place of work, the results, the effort."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from training.data.fetch import cache_folder
from training.data.manifest import Manifest, Split
from training.paper.devices import ALONE, Place
from training.paper.images import LabelledImages, SetUp, load_images
from training.paper.networks.component_networks import Kind
from training.paper.networks.learn import Report
from training.paper.studies.measured import Measurement, Results, measure_missing
from training.zoo.sizes import Content, SetName, Size


@dataclass(frozen=True)
class Effort:
    """How much is trained: steps of 32 images, and how many seeds the headline tables average.

    The paper trains the attribution network for up to 3,125,000 steps, at a rate of 1e-3 with
    betas of 0 and 0.99, and the visualisation network for 781,250. Rate and beta1 of the small
    size were the best of four pairs after 300 steps, on validation images (training/LOG.md).
    `component_steps`, by kind and side, are of the networks that see a component of the images: a
    small one is cheap and learns slowly. `jitter` names the sets whose networks are trained with
    random light and colour, where real faces were known by heart.
    """

    attribution_steps: Mapping[SetName, int]
    immunise_steps: int
    combination_steps: int
    visualisation_steps: int
    component_steps: Mapping[Kind, Mapping[int, int]]
    learning_rate: float
    betas: tuple[float, float]
    jitter: frozenset[SetName] = frozenset()
    seeds: int = 3


EFFORT: dict[Size, Effort] = {
    "small": Effort(
        attribution_steps={"five": 2000, "seeds": 1500, "shifts": 1500, "shifts_by_seed": 1500},
        immunise_steps=300,
        combination_steps=800,
        visualisation_steps=350,
        component_steps={
            "low": {32: 1500, 16: 2000, 8: 4000, 4: 6000},
            "band": {64: 1000, 32: 1000, 16: 2000, 8: 4000, 4: 6000},
            "patch": {64: 500, 32: 1500, 16: 1500, 8: 1500},
        },
        learning_rate=3e-3,
        betas=(0.5, 0.99),
        jitter=frozenset({"five"}),
    ),
    "paper": Effort(
        attribution_steps=dict.fromkeys(get_args(SetName), 60_000),
        immunise_steps=30_000,
        combination_steps=60_000,
        visualisation_steps=60_000,
        component_steps={
            "low": dict.fromkeys((64, 32, 16, 8, 4), 60_000),
            "band": dict.fromkeys((128, 64, 32, 16, 8, 4), 60_000),
            "patch": dict.fromkeys((128, 64, 32, 16, 8), 60_000),
        },
        learning_rate=1e-3,
        betas=(0.0, 0.99),
    ),
}


@dataclass(frozen=True, eq=False)
class Lab:
    """`folder` gets the pages and results; `say` takes lines; `progress` a name, for a bar."""

    manifest: Manifest
    size: Size
    folder: Path
    say: Callable[[str], None]
    progress: Callable[[str], Report]
    place: Place = ALONE
    _images: dict[tuple[SetUp, Split], LabelledImages] = field(default_factory=dict)

    @property
    def effort(self) -> Effort:
        """Of this size."""
        return EFFORT[self.size]

    @property
    def results(self) -> Results:
        """The measurements, as JSON files."""
        return Results(self.folder / "results")

    @property
    def figures(self) -> Path:
        """Where pictures go."""
        return self.folder / "figures"

    def setup_named(self, name: str) -> SetUp:
        """The set-up of a name in `SETUPS` or `SHIFTED`, in this size."""
        which, content = (SETUPS | SHIFTED)[name]
        return SetUp(which, content, self.size)

    def images(self, setup: SetUp, split: Split) -> LabelledImages:
        """The images of a set-up, made once; only the last set-up is kept in memory."""
        key = setup, split
        if key not in self._images:
            for other in [kept for kept in self._images if kept[0] != setup]:
                del self._images[other]
            self._images[key] = load_images(setup, self.manifest, split)
        return self._images[key]

    def measure(self, measurements: list[Measurement]) -> None:
        """Compute what is missing."""
        locks = work_folder() / "locks"
        measure_missing(measurements, self.results, locks, self.say, self.place)


SETUPS: dict[str, tuple[SetName, Content]] = {
    "architectures": ("five", "faces"),
    "seeds": ("seeds", "faces"),
    "architectures, scenes": ("five", "scenes"),
}
"""The paper's set-ups that are rebuilt here, by its names: set of generators, and content."""

SHIFTED: dict[str, tuple[SetName, Content]] = {
    "shifted subsets": ("shifts", "faces"),
    "shifted subsets, own seeds": ("shifts_by_seed", "faces"),
}
"""Its set-up of shifted subsets, as it is read here, and with a seed for each generator."""


def work_folder() -> Path:
    """Checkpoints, drawn images and locks of the studies, below the cache folder."""
    return cache_folder() / "paper"
