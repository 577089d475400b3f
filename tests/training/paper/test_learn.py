"""Training an attribution network: it learns, resumes exactly, and runs on several processes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.paper.samples import SIDE, silent, stripes
from training.paper.accuracy import accuracy_of, measure
from training.paper.images import draw_batch
from training.paper.networks import learn as learning
from training.paper.networks.attribution_network import AttributionNetwork
from training.paper.networks.learn import LearnRecipe, learn
from worker.errors import StopError

SHORT = LearnRecipe(steps=4, batch_size=4, bfloat16=False)


def network(seed: int = 1) -> AttributionNetwork:
    torch.manual_seed(seed)
    return AttributionNetwork(SIDE, 3)


def test_a_short_training_tells_three_striped_sources_apart(tmp_path: Path) -> None:
    trained = network()
    recipe = replace(SHORT, steps=60, batch_size=16)
    learn(trained, stripes(seed=0), recipe, tmp_path / "saved.safetensors", silent)
    accuracy = accuracy_of(trained, stripes(seed=9))
    assert accuracy.mean > 0.95
    assert accuracy.per_source.keys() == {"real", "a", "b"}


def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "SAVE_EVERY_S", 0.0)
    whole, halted = network(), network()
    learn(whole, stripes(), SHORT, tmp_path / "whole.safetensors", silent)

    def stop(step: int, steps: int, loss: float) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(halted, stripes(), SHORT, tmp_path / "halted.safetensors", stop)
    resumed = network(seed=2)  # its weights are replaced by the saved ones
    learn(resumed, stripes(), SHORT, tmp_path / "halted.safetensors", silent)
    ended = resumed.state_dict()
    assert ended
    assert {n for n, v in whole.state_dict().items() if not torch.equal(v, ended[n])} == set()


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    saved = tmp_path / "saved.safetensors"
    learn(network(), stripes(), SHORT, saved, silent)
    with pytest.raises(StopError, match="remove it to train anew"):
        learn(network(), stripes(), replace(SHORT, steps=5), saved, silent)


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path: Path) -> None:
    broken = network()
    with torch.no_grad():
        broken.last.weight.fill_(float("nan"))
    with pytest.raises(StopError, match="expected a finite one"):
        learn(broken, stripes(), SHORT, tmp_path / "saved.safetensors", silent)


def test_the_rate_falls_to_zero_over_the_last_part(tmp_path: Path) -> None:
    moved = []
    for steps in (1, 2):  # the second of two steps has half of the rate, the first all of it
        trained = network()
        before = trained.last.weight.detach().clone()
        recipe = replace(SHORT, steps=steps, decay=1.0)
        learn(trained, stripes(), recipe, tmp_path / f"{steps}.safetensors", silent)
        moved.append((trained.last.weight.detach() - before).abs().max().item())
    # Adam's first step moves by the rate; with betas of 0 and 0.99 each by at most 10 rates.
    assert moved[0] == pytest.approx(1e-3, rel=1e-2)
    assert moved[1] > 1e-3


def test_immunisation_attacks_about_half_of_the_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = []

    def remember(images: np.ndarray, attack: str, rng: object, share: float) -> np.ndarray:
        shares.append((attack, share))
        return images

    monkeypatch.setattr(learning, "attack_batch", remember)
    recipe = replace(SHORT, attack="jpeg")
    learn(network(), stripes(), recipe, tmp_path / "saved.safetensors", silent)
    assert shares == [("jpeg", 0.5)] * SHORT.steps


def test_batches_draw_classes_alike_and_flip_half() -> None:
    images = stripes(count=10)
    images.images[:, :, :, 0] = 255  # a bright left border
    batch, labels = draw_batch(images, 3000, np.random.default_rng(0))
    counts = np.bincount(labels.numpy())
    flipped = (batch[:, :, :, -1] == 255).all((1, 2))
    assert counts.min() > 900
    assert 0.45 < flipped.mean() < 0.55


def test_accuracy_is_the_mean_of_the_sources_own() -> None:
    test = stripes(count=4)
    keep = np.array([0, 4, 5, 6, 7, 8, 9, 10, 11])  # one real image, four of each other
    few = replace(test, images=test.images[keep], labels=test.labels[keep])
    accuracy = measure(few, np.array([0, 1, 1, 0, 0, 2, 2, 2, 2]))
    assert accuracy.per_source == {"real": 1.0, "a": 0.5, "b": 1.0}
    assert accuracy.mean == pytest.approx(2.5 / 3)
    assert accuracy.confusion == [[1, 0, 0], [2, 2, 0], [0, 0, 4]]


def test_two_processes_of_torchrun_train_one_network(tmp_path: Path) -> None:
    """Both end with the same weights, and neither saw the other's images."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    script = ["--nproc-per-node", "2", "-m", "tests.training.paper.torchrun_learn", str(tmp_path)]
    run = subprocess.run([*torchrun, *script], capture_output=True, text=True, timeout=200)
    assert run.returncode == 0, run.stderr
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["weights"] == second["weights"]
    assert (first["world"], second["world"]) == (2, 2)
    assert (first["reports"], second["reports"]) == (SHORT.steps, 0)
    assert (tmp_path / "saved.safetensors").is_file()
