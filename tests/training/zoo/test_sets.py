"""The sets of generators: names, places, recipes, and the training of those that are missing."""

import fcntl
import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from training.data.faces import face_name
from training.data.manifest import Entry, Manifest
from training.data.subsets import SHIFTS, shifted
from training.zoo import checkpoint, sets
from training.zoo.catalog import CATALOG, RECIPES
from training.zoo.devices import device_of
from training.zoo.recipe import NetworkConfig
from training.zoo.sets import ARCHITECTURES, SEEDS, ZooModel, zoo_set
from training.zoo.sizes import SIDES, Content, SetName, Size
from training.zoo.train_set import deliver, pictures, train_missing
from worker.program import main

SIZES: tuple[Size, ...] = get_args(Size)
CONTENTS: tuple[Content, ...] = get_args(Content)
EVERY_SET = [
    (which, size, content) for which in get_args(SetName) for size in SIZES for content in CONTENTS
]


# What the sets are -------------------------------------------------------------------------------


@pytest.mark.parametrize(("which", "size", "content"), EVERY_SET)
def test_a_set_has_four_architectures_ten_seeds_or_eleven_subsets_each_with_an_end(
    which: SetName, size: Size, content: Content
) -> None:
    models = zoo_set(which, size, content)
    if which == "five":
        assert [model.architecture for model in models] == list(ARCHITECTURES)
        assert set(ARCHITECTURES) == set(RECIPES)
    elif which == "seeds":
        assert [model.seed for model in models] == list(SEEDS) == list(range(1, 11))
    else:
        assert [model.shift for model in models] == list(SHIFTS)
        assert [model.seed for model in models] == (
            [1] * 11 if which == "shifts" else list(range(1, 12))
        )
    assert all(model.iterations > 0 for model in models)
    assert {(model.size, model.content) for model in models} == {(size, content)}


def test_no_two_models_of_all_sets_share_a_name_or_a_folder() -> None:
    models = {model for one in EVERY_SET for model in zoo_set(*one)}
    assert len({model.name for model in models}) == len(models)
    assert len({model.folder for model in models}) == len(models)
    assert all(model.folder.name == model.name for model in models)


def test_a_name_says_what_differs_from_the_committed_ones() -> None:
    assert ZooModel("sngan", 0, "faces", "small", 1).name == "sngan"
    assert ZooModel("sngan", 3, "faces", "small", 1).name == "sngan_seed3"
    assert ZooModel("sngan", 1, "faces", "small", 1, shift=35).name == "sngan_seed1_shift35"
    assert ZooModel("progan", 0, "scenes", "small", 1).name == "progan_scenes"
    assert ZooModel("mmdgan", 2, "scenes", "paper", 1).name == "mmdgan_seed2_scenes_128"


def test_committed_weights_come_before_those_of_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))
    committed = zoo_set("five", "small", "faces")[1]
    assert committed.weights == CATALOG["sngan"].weights
    assert committed.weights.is_file()
    other = zoo_set("five", "paper", "faces")[1]
    assert other.weights == tmp_path / "zoo" / "sngan_128" / "generator.safetensors"
    assert other.grid == tmp_path / "zoo" / "sngan_128" / "grid.png"


@pytest.mark.parametrize(("size", "content"), [(s, c) for s in SIZES for c in CONTENTS])
def test_the_ten_seeds_differ_by_their_seed_alone(size: Size, content: Content) -> None:
    models = zoo_set("seeds", size, content)
    assert len({replace(model, seed=0) for model in models}) == 1
    first = models[0].recipe()
    for model in models:
        grow, other = model.recipe().grow, first.grow
        assert (grow is None) == (other is None)
        if grow is not None and other is not None:
            assert [grow(i, 128) for i in (0, 20_000, 99_999)] == [
                other(i, 128) for i in (0, 20_000, 99_999)
            ]
        assert replace(model.recipe(), grow=None) == replace(first, grow=None)


def test_the_seeds_are_the_paper_s_progan_where_a_gpu_can_train_it() -> None:
    assert {model.architecture for model in zoo_set("seeds", "paper", "faces")} == {"progan"}
    assert {model.architecture for model in zoo_set("seeds", "small", "faces")} == {"sngan"}


def test_the_small_size_is_the_recipe_of_the_catalogue() -> None:
    for model in (*zoo_set("five", "small", "faces"), *zoo_set("five", "small", "scenes")[:3]):
        assert model.recipe() is RECIPES[model.architecture]
        assert model.recipe().network.resolution == SIDES["small"] == 64


# learning rate, betas, critic steps, images seen by a whole training, in thousands
PAPER = {
    "progan": (1.5e-3, (0.0, 0.99), 1, 12_000),
    "sngan": (2e-4, (0.0, 0.9), 5, 4_800),
    "cramergan": (1e-4, (0.5, 0.9), 5, 4_800),
    "mmdgan": (1e-4, (0.5, 0.9), 5, 4_800),
}


@pytest.mark.parametrize("model", zoo_set("five", "paper", "faces"), ids=lambda m: m.name)
def test_the_paper_s_size_has_the_paper_s_settings(model: ZooModel) -> None:
    recipe = model.recipe()
    rate, betas, critic_steps, thousands = PAPER[model.architecture]
    assert (recipe.learning_rate, recipe.critic_learning_rate) == (rate, None)
    assert recipe.betas == betas
    assert recipe.batch_size == 32
    assert (recipe.critic_steps, recipe.penalty_every) == (critic_steps, 1)
    assert model.iterations * recipe.batch_size == 1000 * thousands


@pytest.mark.parametrize("model", zoo_set("five", "paper", "faces"), ids=lambda m: m.name)
def test_networks_of_the_paper_s_size_map_128_pixels(model: ZooModel) -> None:
    recipe = model.recipe()
    generator, critic = recipe.build_generator(recipe.network), recipe.build_critic(recipe.network)
    with torch.no_grad():
        images = generator(torch.randn(2, recipe.network.latent_size))
        assert images.shape == (2, 3, 128, 128)
        assert critic(images).shape[0] == 2
    for network in (generator, critic):  # the paper's widths, not those of size small
        assert sum(parameter.numel() for parameter in network.parameters()) > 1e7


def test_the_paper_s_progan_grows_by_600_thousand_images_a_fade() -> None:
    model = zoo_set("five", "paper", "faces")[0]
    recipe = model.recipe()
    assert recipe.grow is not None
    every = 600_000 // recipe.batch_size  # iterations
    assert recipe.grow(0, 128) == 0
    assert recipe.grow(every - 1, 128) == 0
    for level in range(1, 6):  # 8 to 128 pixels
        began = every * (2 * level - 1)
        assert level - 1 < recipe.grow(began, 128) < level - 0.99
        assert recipe.grow(began + every, 128) == level
        assert recipe.grow(began + 2 * every - 1, 128) == level
    assert recipe.grow(model.iterations, 128) == 5


# Training what is missing ------------------------------------------------------------------------

TINY = NetworkConfig(resolution=64, latent_size=4, width=2, max_width=4, critic_width=2)


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """A cache with two faces and one scene, and recipes small enough for a test."""
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path / "cache"))
    for name, recipe in RECIPES.items():
        grown = replace(recipe, network=TINY, batch_size=2, grow=None, shrink=None)
        monkeypatch.setitem(RECIPES, name, grown)
    random, entries = np.random.default_rng(0), []
    for name, kind, size in (
        (f"faces/{face_name(1)}", "face", (218, 178, 3)),
        (f"faces/{face_name(2)}", "face", (218, 178, 3)),
        ("photos/a/scene.png", "photo", (256, 512, 3)),
    ):
        path = tmp_path / "cache" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        blocks = random.integers(0, 256, (size[0] // 16 + 1, size[1] // 16 + 1, 3), np.uint8)
        Image.fromarray(blocks.repeat(16, 0).repeat(16, 1)[: size[0], : size[1]]).save(path)
        entries.append({"file": name, "sha256": "0", "kind": kind, "package": "a"})
    known = {"split": "train", "source": "a", "role": "learn"}
    listed = [entry | known for entry in entries]
    text = json.dumps({"missing": [], "files": listed})
    (tmp_path / "cache" / "manifest.json").write_text(text)
    return Manifest(tmp_path / "cache", tuple(Entry(**entry) for entry in listed))  # type: ignore[arg-type]


def three() -> tuple[ZooModel, ...]:
    """Three seeds of two iterations each."""
    return tuple(ZooModel("sngan", seed, "faces", "small", 2) for seed in (11, 12, 13))


def test_only_missing_models_are_trained_and_each_to_its_end(manifest: Manifest) -> None:
    models = three()
    models[1].folder.mkdir(parents=True)
    models[1].weights.write_bytes(b"finished")
    reports: list[str] = []
    assert train_missing(models, manifest, reports.append) == [models[0], models[2]]
    assert [line.split(":")[0] for line in reports] == ["sngan_seed11", "sngan_seed13"]
    assert "up to iteration 2, on cpu" in reports[0]
    assert models[1].weights.read_bytes() == b"finished"
    _, facts = checkpoint.load_state(models[0].weights)
    assert (facts["seed"], facts["iterations"], facts["photographs"]) == (11, 2, 2)
    assert train_missing(models, manifest, reports.append) == []


def test_a_model_that_another_process_trains_is_passed_over(manifest: Manifest) -> None:
    models, reports = three(), list[str]()
    models[0].folder.mkdir(parents=True)
    with (models[0].folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert train_missing(models, manifest, reports.append) == list(models[1:])
    assert reports[0] == "sngan_seed11: another process is training it"
    assert not models[0].weights.exists()
    assert train_missing(models, manifest, reports.append) == [models[0]]  # the lock is free now


def test_a_delivered_model_is_its_weights_and_its_grid(manifest: Manifest, tmp_path: Path) -> None:
    model = three()[0]
    train_missing((model,), manifest, lambda line: None)
    for _ in range(2):  # again over what is there
        deliver(model, tmp_path / "out")
    copied = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert [path.relative_to(tmp_path / "out").as_posix() for path in copied] == [
        "samples/sngan_seed11.png",
        "weights/sngan_seed11.safetensors",
    ]
    assert copied[0].read_bytes() == model.grid.read_bytes()
    assert copied[1].read_bytes() == model.weights.read_bytes()


@pytest.mark.parametrize(("content", "count"), [("faces", 2), ("scenes", 2)])
@pytest.mark.parametrize("side", [64, 128])
def test_pictures_are_of_the_content_and_the_side(
    manifest: Manifest, content: Content, count: int, side: int
) -> None:
    assert pictures(manifest, content, side, "train").shape == (count, 3, side, side)


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_subset_differs_from_the_first_in_so_many_photographs_and_keeps_the_others_places(
    shift: int,
) -> None:
    photographs = np.arange(699, dtype=np.uint16)[:, None, None, None].view(np.uint8)
    base, subset = (shifted(photographs, one).view(np.uint16).ravel() for one in (0, shift))
    assert len(subset) == len(base) == len(set(subset)) == 349
    assert (subset != base).sum() == len(set(subset) - set(base)) == shift
    assert shifted(photographs[:2], shift).shape[0] == 1  # few photographs, of a test, do as well


def test_a_model_of_a_shifted_subset_is_trained_on_that_subset(manifest: Manifest) -> None:
    models = [ZooModel("sngan", 11, "faces", "small", 2, shift) for shift in (0, 349)]
    train_missing(tuple(models), manifest, lambda line: None)
    found = [checkpoint.load_state(model.weights) for model in models]
    assert [facts["photographs"] for _, facts in found] == [1, 1]
    assert any((found[0][0][key] != found[1][0][key]).any() for key in found[0][0])


# Devices -----------------------------------------------------------------------------------------


def test_each_process_takes_its_gpu_and_the_first_again_where_there_are_too_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    chosen = [device_of({"LOCAL_RANK": str(rank)}).index for rank in range(4)]
    assert chosen == [0, 1, 0, 1]
    assert device_of({}) == torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of({"LOCAL_RANK": "1"}) == torch.device("cpu")


# The command -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        ["--set", "six"],
        ["--set", "five", "--size", "huge"],
        ["--set", "five", "--content", "cats"],
        ["stylegan"],
    ],
)
def test_wrong_values_are_told_and_end_in_2(
    wrong: list[str], manifest: Manifest, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "zoo", *wrong]) == 2
    assert wrong[-1] in capsys.readouterr().err


def test_the_listing_names_the_committed_generators(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "zoo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CATALOG)
    assert main(["train", "zoo", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(entry["name"], entry["trained"]) for entry in listed] == [(n, True) for n in CATALOG]


def test_a_set_is_trained_listed_and_delivered(
    manifest: Manifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sets, "SEEDS", (11, 12))
    monkeypatch.setattr(sets, "_SMALL_SEED_ITERATIONS", 1)
    command = ["train", "zoo", "--set", "seeds", "--output", str(tmp_path / "out"), "--json"]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert [model["seed"] for model in json.loads(captured.out)] == [11, 12]
    assert "sngan_seed12: up to iteration 1" in captured.err
    assert "warning" not in captured.err
    assert len(list((tmp_path / "out" / "weights").iterdir())) == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="the warning is for machines without a GPU")
def test_the_paper_s_size_without_a_gpu_warns_and_goes_on(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    thin = replace(TINY, resolution=128)
    monkeypatch.setattr(sets, "_PAPER_NETWORKS", dict.fromkeys(ARCHITECTURES, thin))
    monkeypatch.setattr(sets, "_PAPER_BATCH", 2)
    assert main(["train", "zoo", "sngan", "--size", "paper", "--minutes", "0.01"]) == 0
    captured = capsys.readouterr()
    assert "torch finds no GPU" in captured.err
    assert "of 1 models take up to 31 days (sngan 18 s an iteration" in captured.err
    assert "sngan_128: " in captured.out


def test_a_single_training_is_refused_while_another_process_is_at_it(
    manifest: Manifest, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ZooModel("sngan", 11, "faces", "small", 0)
    model.folder.mkdir(parents=True)
    with (model.folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert main(["train", "zoo", "sngan", "--seed", "11"]) == 1
    assert "another process is training sngan_seed11" in capsys.readouterr().err
