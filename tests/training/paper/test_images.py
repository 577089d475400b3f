"""The images of a set-up, and the runs that learn from them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.paper.samples import silent
from training.data.manifest import Manifest, Split
from training.paper import images
from training.paper.images import SetUp, load_images
from training.paper.networks.attribution_file import export_attribution
from training.paper.networks.attribution_network import AttributionNetwork
from training.paper.studies import attribution_run
from training.paper.studies.attribution_run import (
    AttributionRun,
    base_run,
    immunised_run,
    trained,
)
from training.paper.studies.lab import Lab

SETUP = SetUp("five", "faces", "small")


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """No photographs but three grey ones in every split, and three images of each generator."""
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))

    def grey(manifest: Manifest, content: str, side: int, split: Split) -> NDArray[np.uint8]:
        return np.full((3, 3, side, side), 128, np.uint8)

    monkeypatch.setattr(images, "pictures", grey)
    monkeypatch.setattr(images, "DRAWN", {"train": 3, "validation": 3, "test": 3})
    return Manifest(tmp_path, ())


@pytest.fixture
def lab(manifest: Manifest) -> Lab:
    return Lab(manifest, "small", manifest.root, lambda line: None, lambda name: silent)


def test_labels_are_places_in_the_sources_and_real_is_first(manifest: Manifest) -> None:
    loaded = load_images(SETUP, manifest, "test")
    assert loaded.sources == ("real", "cramergan", "mmdgan", "progan", "sngan")
    assert loaded.counts() == dict.fromkeys(loaded.sources, 3)
    assert (loaded.of(0) == 128).all()
    assert loaded.images.shape == (15, 3, 64, 64)
    assert (np.diff(loaded.labels) >= 0).all()


def test_no_split_shares_an_image_of_a_generator_with_another(manifest: Manifest) -> None:
    splits: tuple[Split, ...] = ("train", "validation", "test")
    drawn = [load_images(SETUP, manifest, split) for split in splits]
    made = [image.tobytes() for one in drawn for image in one.images[one.labels > 0]]
    assert len(set(made)) == len(made) == 3 * 4 * 3


def test_images_are_drawn_once_and_found_again(manifest: Manifest) -> None:
    first = load_images(SETUP, manifest, "test")
    kept = sorted((manifest.root / "paper" / "images").glob("*.safetensors"))
    assert len(kept) == 4
    times = [path.stat().st_mtime_ns for path in kept]
    again = load_images(SETUP, manifest, "test")
    assert (again.images == first.images).all()
    assert [path.stat().st_mtime_ns for path in kept] == times


def test_the_ten_seeds_are_committed_and_named_by_their_seed() -> None:
    setup = SetUp("seeds", "faces", "small")
    assert setup.sources == ("real", *(f"sngan_seed{seed}" for seed in range(1, 11)))
    assert all(model.weights.parent.name == "weights" for model in setup.models)


def test_a_run_is_fixed_by_its_recipe_its_start_and_its_generators(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = base_run(lab, SETUP, 0)
    others = [
        base_run(lab, SETUP, 1),
        replace(run, recipe=replace(run.recipe, steps=run.recipe.steps + 1)),
        immunised_run(lab, SETUP, "jpeg"),
        immunised_run(lab, SETUP, "combination"),
    ]
    digests = {one.digest for one in (run, *others)}
    assert len(digests) == 5
    monkeypatch.setattr(images, "generators_of", lambda setup: {"sngan": "new"})
    assert run.digest not in digests


def test_an_immunised_run_begins_with_the_network_of_seed_0(lab: Lab) -> None:
    run = immunised_run(lab, SETUP, "jpeg")
    assert run.start == base_run(lab, SETUP, 0)
    assert (run.recipe.attack, run.recipe.attack_share) == ("jpeg", 0.5)
    assert run.name == "five-faces-64-jpeg-seed0"


def test_a_trained_network_is_found_for_exactly_its_own_run_and_a_copy_never(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribution_run, "WEIGHTS", lab.folder / "committed")
    trainings: list[str] = []

    def train(run: AttributionRun, lab: Lab) -> None:
        trainings.append(run.digest)
        export_attribution(run.kept, AttributionNetwork(8, 2), ("real", "a"), {})

    monkeypatch.setattr(attribution_run, "_train", train)
    run, other = base_run(lab, SETUP, 0), base_run(lab, SETUP, 1)
    export_attribution(run.committed, AttributionNetwork(8, 2), ("real", "a"), {})
    for one in (run, run, other):
        assert trained(one, lab).side == 8
    assert trainings == [run.digest, other.digest]
