"""The training loop: exact resume, what a run leaves behind, and what stops it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.zoo import checkpoint
from training.zoo.catalog import RECIPES
from training.zoo.generate import generate, load_generator
from training.zoo.recipe import NetworkConfig, Recipe
from training.zoo.step import Training
from training.zoo.train import Run, Trained, train
from worker.errors import StopError

TINY = NetworkConfig(resolution=8, latent_size=8, width=4, max_width=8, critic_width=4)


def tiny(name: str) -> Recipe:
    """A recipe of the zoo at 8x8 pixels, grown up from the start."""
    recipe = replace(RECIPES[name], network=TINY, batch_size=4, penalty_every=2)
    return replace(recipe, grow=None, shrink=None) if name == "progan" else recipe


def photographs() -> NDArray[np.uint8]:
    """Six pictures of noise."""
    return np.random.default_rng(0).integers(0, 256, (6, 3, 8, 8), dtype=np.uint8)


DEVICES = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
"""A machine with a GPU runs these tests on both; nothing stands in for one on the others."""

on_each_device = pytest.mark.parametrize("device", DEVICES, ids=str)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_resumed_run_equals_an_uninterrupted_one(name: str, tmp_path: Path) -> None:
    whole = Training(tiny(name), photographs(), seed=3)
    for _ in range(5):
        expected = whole.step()
    first = Training(tiny(name), photographs(), seed=3)
    for _ in range(2):
        first.step()
    first.save(tmp_path / "checkpoint.safetensors")
    torch.manual_seed(9)  # whatever another training has drawn
    second = Training(tiny(name), photographs(), seed=3)
    second.step()
    second.load(tmp_path / "checkpoint.safetensors")
    for _ in range(3):
        seen = second.step()
    assert second.iteration == whole.iteration == 5
    assert seen == expected
    for module in ("generator", "critic", "average"):
        state, other = getattr(whole, module).state_dict(), getattr(second, module).state_dict()
        assert all(torch.equal(value, other[key]) for key, value in state.items()), module


@pytest.mark.parametrize("change", ["seed", "rate", "photographs"])
def test_a_checkpoint_of_another_recipe_is_refused(change: str, tmp_path: Path) -> None:
    saved = tmp_path / "checkpoint.safetensors"
    Training(tiny("sngan"), photographs(), seed=3).save(saved)
    recipe, pictures, seed = tiny("sngan"), photographs(), 3
    if change == "seed":
        seed = 4
    elif change == "rate":
        recipe = replace(recipe, learning_rate=1.0)
    else:
        pictures = pictures[:5]
    with pytest.raises(StopError, match="remove it to train anew"):
        Training(recipe, pictures, seed).load(saved)


@on_each_device
@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_run_starts_and_draws_alike_on_every_device(name: str, device: torch.device) -> None:
    here = Training(tiny(name), photographs(), seed=3, bfloat16=False, device=device)
    cpu = Training(tiny(name), photographs(), seed=3, bfloat16=False)
    for key, value in cpu.generator.state_dict().items():
        assert torch.equal(here.generator.state_dict()[key].cpu(), value), key
    for _ in range(2):
        seen, expected = here.step(), cpu.step()
    assert seen == pytest.approx(expected, rel=0.05, abs=0.05)  # rounding differs, no more
    assert torch.equal(here.random.get_state(), cpu.random.get_state())
    assert {value.device.type for value in here.average.state_dict().values()} == {device.type}


@on_each_device
def test_a_checkpoint_of_one_device_goes_on_on_another(
    device: torch.device, tmp_path: Path
) -> None:
    saved, back = tmp_path / "checkpoint.safetensors", tmp_path / "back.safetensors"
    first = Training(tiny("sngan"), photographs(), seed=3)
    first.step()
    first.save(saved)
    there = Training(tiny("sngan"), photographs(), seed=3, device=device)
    there.load(saved)
    there.save(back)
    here = Training(tiny("sngan"), photographs(), seed=3)
    here.load(back)
    assert here.step() == first.step()
    there.step()
    assert there.iteration == here.iteration == 2


@on_each_device
def test_a_run_leaves_the_same_files_on_every_device(device: torch.device, tmp_path: Path) -> None:
    run = train(tiny("progan"), Run(seed=5, iterations=2), photographs(), tmp_path, device)
    assert run.grid.read_bytes().startswith(b"\x89PNG")
    generator = load_generator(run.weights)
    on_cpu = generate(generator, 5, seed=1)
    generator.network.to(device)
    assert np.abs(generate(generator, 5, seed=1).astype(int) - on_cpu).max() <= 2


def test_two_runs_of_one_seed_are_equal_and_of_two_seeds_are_not() -> None:
    losses = {}
    for run, seed in enumerate((0, 0, 1)):
        training = Training(tiny("sngan"), photographs(), seed)
        training.step()
        losses[run] = training.step()
    assert losses[0] == losses[1] != losses[2]


def test_progressive_networks_are_told_how_far_they_have_grown() -> None:
    recipe = replace(RECIPES["progan"], network=TINY, batch_size=4)
    training = Training(recipe, photographs(), seed=0)
    training.step()
    assert training.generator(torch.randn(1, 8)).shape == (1, 3, 4, 4)
    training.iteration = 10_000
    training.step()
    assert training.generator(torch.randn(1, 8)).shape == (1, 3, 8, 8)


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    """Three iterations of a tiny SNGAN."""
    return train(tiny("sngan"), Run(seed=5, iterations=3), photographs(), tmp_path)


def test_a_run_leaves_weights_a_grid_a_log_and_a_checkpoint(trained: Trained) -> None:
    folder = trained.weights.parent
    assert trained.iterations == 3
    assert trained.grid.read_bytes().startswith(b"\x89PNG")
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert lines[0]["iteration"] == 1
    assert {"critic", "generator", "elapsed_s"} <= lines[0].keys()
    state, facts = checkpoint.load_state(folder / "checkpoint.safetensors")
    assert facts["iteration"] == 3
    assert all(torch.isfinite(value).all() for value in state.values() if value.is_floating_point())


def test_a_finished_run_goes_on_where_it_stopped(trained: Trained) -> None:
    folder = trained.weights.parent
    again = train(tiny("sngan"), Run(seed=5, iterations=4), photographs(), folder)
    whole = train(tiny("sngan"), Run(seed=5, iterations=4), photographs(), folder / "whole")
    assert again.iterations == 4
    seen, expected = (checkpoint.load_state(run.weights)[0] for run in (again, whole))
    assert all(torch.equal(value, expected[key]) for key, value in seen.items())


def test_a_spent_budget_ends_the_run(tmp_path: Path) -> None:
    run = Run(minutes=1e-9)
    assert train(tiny("sngan"), run, photographs(), tmp_path).iterations <= 1


def test_a_run_leaves_snapshots_by_its_minutes_and_none_by_its_iterations(tmp_path: Path) -> None:
    images = photographs()
    train(tiny("sngan"), Run(minutes=0.005), images, tmp_path / "minutes")
    train(tiny("sngan"), Run(minutes=float("inf"), iterations=9), images, tmp_path / "iterations")
    names = [path.name for path in (tmp_path / "minutes" / "snapshots").iterdir()]
    assert {name.partition("-")[0] for name in names} == {"average", "raw"}
    assert not (tmp_path / "iterations" / "snapshots").exists()


def test_a_diverged_run_stops_and_says_so(tmp_path: Path) -> None:
    recipe = replace(
        tiny("sngan"), generator_loss=lambda critic, real, fake: critic(fake).sum() * torch.nan
    )
    with pytest.raises(StopError, match="sngan diverged"):
        train(recipe, Run(), photographs(), tmp_path)


def test_exported_weights_are_in_half_precision_with_their_facts(trained: Trained) -> None:
    state, facts = checkpoint.load_state(trained.weights)
    floats = [value for value in state.values() if value.is_floating_point()]
    assert all(value.dtype == torch.float16 for value in floats)
    assert facts["architecture"] == "sngan"
    assert (facts["seed"], facts["iterations"], facts["photographs"]) == (5, 3, 6)


def test_a_generator_draws_the_same_images_for_the_same_seed(trained: Trained) -> None:
    generator = load_generator(trained.weights)
    images = generate(generator, 70, seed=1)
    assert images.shape == (70, 3, 8, 8)
    assert images.dtype == np.uint8
    assert np.array_equal(images, generate(load_generator(trained.weights), 70, seed=1))
    assert np.array_equal(images[:3], generate(generator, 3, seed=1))
    assert not np.array_equal(images[:3], generate(generator, 3, seed=2))


def test_a_name_that_is_no_generator_says_which_are(tmp_path: Path) -> None:
    with pytest.raises(StopError, match=r"name one of .*cramergan.* or a \.safetensors file"):
        load_generator(tmp_path / "none.safetensors")


def test_a_file_that_holds_no_generator_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    checkpoint.save_state(path, {"x": torch.zeros(1)}, {"architecture": "sngan", "network": {}})
    with pytest.raises(StopError, match="does not hold a generator of this version"):
        load_generator(path)
