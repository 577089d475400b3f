"""The visualisation network: its sizes, its logits against slow loops, its training, its figure."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from training.paper.devices import Place
from training.paper.images import LabelledImages, to_float
from training.paper.networks import learn_visualisation as learning
from training.paper.networks.learn_visualisation import VisualisationRecipe, learn_visualisation
from training.paper.networks.visualisation_file import export_visualisation, load_visualisation
from training.paper.networks.visualisation_network import (
    FIRST_SCALE,
    Discriminator,
    SmallConv2d,
    Variant,
    VisualisationNetwork,
    response_picture,
)
from training.paper.studies.response_figure import draw_grid, draw_responses
from training.zoo import checkpoint
from worker.errors import StopError

SIDE = 8
SHORT = VisualisationRecipe(steps=3, batch_size=4, penalty_every=2)


def size_of(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def two_sources() -> LabelledImages:
    """Forty pictures of faint noise, half of them with a checkerboard."""
    noise = np.random.default_rng(0).integers(96, 160, (40, 3, SIDE, SIDE))
    board = np.indices((SIDE, SIDE)).sum(0) % 2 * 40 - 20
    noise[20:] += board
    labels = np.repeat(np.arange(2), 20)
    return LabelledImages(noise.astype(np.uint8), labels, ("real", "checkerboard"))


def silent(step: int, steps: int, loss: float) -> None:
    """A report to nobody."""


@pytest.fixture(params=["inner", "correlation"])
def network(request: pytest.FixtureRequest) -> VisualisationNetwork:
    """A small network of three sources with random weights."""
    torch.manual_seed(1)
    return VisualisationNetwork(SIDE, 3, request.param).requires_grad_(False).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2)) * 2 - 1


@pytest.mark.parametrize("variant", ["inner", "correlation"])
def test_at_128_pixels_the_networks_are_as_large_as_the_papers(variant: Variant) -> None:
    network = VisualisationNetwork(128, 5, variant)
    assert size_of(network.autoencoder) == 14_154_259
    assert network.weight.numel() == 245_760
    learned_factor = variant == "correlation"
    assert size_of(network) == 14_154_259 + 245_760 + learned_factor
    assert network.weight_scale == 1 / math.sqrt(49_152)
    assert size_of(Discriminator(128)) == 8_916_353


@pytest.mark.parametrize("side", [64, 128])
def test_shapes_dtypes_and_ranges(side: int) -> None:
    network = VisualisationNetwork(side, 5, "correlation").requires_grad_(False)
    images = torch.rand(2, 3, side, side) * 2 - 1
    with torch.autocast("cpu", torch.bfloat16):
        reconstructions = network.reconstruct(images)
        logits, scores = network(images), Discriminator(side)(images)
    assert reconstructions.shape == images.shape
    assert reconstructions.abs().max() < 1
    assert network.model_fingerprints.shape == (5, 3, side, side)
    assert logits.shape == (2, 5)
    assert logits.abs().max() <= FIRST_SCALE
    assert scores.shape == (2,)
    assert {x.dtype for x in (reconstructions, logits, scores)} == {torch.float32}


def test_other_sides_and_variants_are_refused() -> None:
    with pytest.raises(ValueError, match="side 4 is none of 8, 16"):
        VisualisationNetwork(4, 5, "inner")
    with pytest.raises(ValueError, match="variant 'outer' is neither 'inner' nor 'correlation'"):
        VisualisationNetwork(8, 5, "outer")  # type: ignore[arg-type]


def test_the_convolution_of_small_maps_equals_an_ordinary_one() -> None:
    layer = SmallConv2d(5, 7)
    nn.init.normal_(layer.bias)  # type: ignore[arg-type]
    x = torch.randn(2, 5, 4, 4, requires_grad=True)
    padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
    expected = functional.conv2d(padded, layer.weight * math.sqrt(2 / 45), layer.bias)
    assert torch.allclose(layer(x), expected, atol=1e-5)
    slopes = [
        torch.autograd.grad(y.square().sum(), (x, layer.weight)) for y in (layer(x), expected)
    ]
    for ours, theirs in zip(*slopes, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-3)


def test_an_image_fingerprint_is_what_was_not_reconstructed(
    network: VisualisationNetwork, images: Tensor
) -> None:
    fingerprints = network.image_fingerprints(images)
    assert torch.allclose(fingerprints + network.reconstruct(images), images, atol=1e-6)


def slow_logit(ours: list[float], theirs: list[float], variant: Variant) -> float:
    """Inner product, or Pearson's correlation times the first factor."""
    if variant == "inner":
        return sum(a * b for a, b in zip(ours, theirs, strict=True))
    mean_a, mean_b = sum(ours) / len(ours), sum(theirs) / len(theirs)
    a, b = [x - mean_a for x in ours], [x - mean_b for x in theirs]
    norms = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return FIRST_SCALE * sum(x * y for x, y in zip(a, b, strict=True)) / norms


def test_logits_equal_slow_loops(network: VisualisationNetwork, images: Tensor) -> None:
    logits = network(images)
    fingerprints = network.image_fingerprints(images)
    models = network.weight / math.sqrt(3 * SIDE * SIDE)
    for i in range(2):
        for k in range(3):
            ours, theirs = fingerprints[i].flatten().tolist(), models[k].flatten().tolist()
            expected = slow_logit(ours, theirs, network.variant)
            assert logits[i, k].item() == pytest.approx(expected, abs=1e-4)


def test_a_response_sums_to_the_logit(network: VisualisationNetwork, images: Tensor) -> None:
    fingerprints, models = network.image_fingerprints(images), network.model_fingerprints
    response = network.response(fingerprints, models)
    assert response.shape == (2, 3, 3, SIDE, SIDE)
    factor = 1.0 if network.variant == "inner" else FIRST_SCALE
    assert torch.allclose(response.sum((2, 3, 4)) * factor, network(images), atol=1e-4)
    if network.variant == "inner":
        assert torch.equal(response[1, 2], fingerprints[1] * models[2])


def test_pixels_with_a_negative_channel_are_grey_in_a_response_picture() -> None:
    response = torch.tensor([[[2.5, 9.0, -1.0]], [[0.0, 9.0, 5.0]], [[5.0, 9.0, 5.0]]])  # (3,1,3)
    picture = response_picture(response)
    assert picture.shape == (1, 3, 3)
    assert picture[0].tolist() == [[191, 128, 255], [255, 255, 255], [128, 128, 128]]
    assert np.array_equal(response_picture(response * 2, unit=2.0), picture)


class Interrupted(Exception):
    """What ends a training early here."""


def test_a_resumed_training_equals_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = learn_visualisation(two_sources(), SHORT, tmp_path / "whole.safetensors", silent)

    def interrupt(step: int, steps: int, loss: float) -> None:
        if step == 2:
            raise Interrupted

    saved = tmp_path / "saved.safetensors"
    monkeypatch.setattr(learning, "SAVE_EVERY_S", -1.0)  # after every step
    with pytest.raises(Interrupted):
        learn_visualisation(two_sources(), SHORT, saved, interrupt)
    monkeypatch.undo()
    steps: list[int] = []
    resumed = learn_visualisation(
        two_sources(), SHORT, saved, lambda step, _, loss: steps.append(step)
    )
    assert steps == [2, 3]
    expected = whole.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in resumed.state_dict().items())
    with pytest.raises(StopError, match=r"'steps': 3.* expected .*'steps': 4.*remove it to train"):
        learn_visualisation(two_sources(), replace(SHORT, steps=4), saved, silent)


@pytest.mark.parametrize("variant", ["inner", "correlation"])
def test_the_cross_entropy_falls_within_a_few_steps(variant: Variant, tmp_path: Path) -> None:
    recipe = VisualisationRecipe(
        steps=10,
        batch_size=8,
        variant=variant,
        reconstruction_weight=0,
        adversarial_weight=0,
        bfloat16=False,  # ten times as slow where the processor has no instruction for it
    )
    losses: list[float] = []
    saved = tmp_path / "saved.safetensors"
    learn_visualisation(two_sources(), recipe, saved, lambda *told: losses.append(told[2]))
    assert len(losses) == 10
    assert np.mean(losses[-3:]) < 0.95 * np.mean(losses[:2])


def test_processes_too_many_for_the_groups_of_the_discriminator_are_refused(
    tmp_path: Path,
) -> None:
    place = Place(0, 16, torch.device("cpu"))
    with pytest.raises(StopError, match=r"16 processes get 2 images .* at most 8 processes"):
        learn_visualisation(
            two_sources(), VisualisationRecipe(3), tmp_path / "saved", silent, place
        )


def test_losses_that_are_not_finite_stop_the_training(tmp_path: Path) -> None:
    recipe = replace(SHORT, reconstruction_weight=math.inf)
    with pytest.raises(StopError, match="at step 0 of 3, expected finite ones"):
        learn_visualisation(two_sources(), recipe, tmp_path / "saved.safetensors", silent)


def test_an_exported_network_answers_as_before(
    network: VisualisationNetwork, images: Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "network.safetensors"
    export_visualisation(path, network, {"sources": ["real", "a", "b"]})
    loaded = load_visualisation(path)
    assert (loaded.variant, loaded.side, loaded.sources) == (network.variant, SIDE, 3)
    assert torch.allclose(loaded(images), network(images), atol=0.05)  # half precision
    state, facts = checkpoint.load_state(path)
    assert facts["sources"] == ["real", "a", "b"]
    assert {value.dtype for value in state.values()} == {torch.float16}


def test_files_that_hold_no_visualisation_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    with pytest.raises(StopError, match=r"there is no visualisation network at .*; train it"):
        load_visualisation(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(StopError, match="does not hold a visualisation network"):
        load_visualisation(path)
    built = {"side": SIDE, "sources": 10**9, "variant": "inner"}
    checkpoint.save_state(path, {"x": torch.zeros(1)}, {"visualisation_network": built})
    with pytest.raises(StopError, match=r"sources is 1000000000, .* train it again"):
        load_visualisation(path)


def test_the_grid_is_drawn_as_svg_and_png(network: VisualisationNetwork, tmp_path: Path) -> None:
    pictures = two_sources()
    three = LabelledImages(pictures.images[:3], np.arange(3), ("real", "a", "b"))
    draw_grid(network, three, tmp_path / "grid.svg")
    text = (tmp_path / "grid.svg").read_text()
    assert text.count("<image") == 3 + 3 * (2 + 3)
    draw_grid(network, three, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == text
    draw_grid(network, three, tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.width > 1000


def test_drawn_pictures_come_with_their_likeliest_source(
    network: VisualisationNetwork, tmp_path: Path
) -> None:
    pictures = two_sources().images[:2]
    answers = draw_responses(
        network, pictures, ["x.png", "y.png"], ["real", "a", "b"], tmp_path / "figure.png"
    )
    logits = network(to_float(torch.from_numpy(pictures)))
    assert [answer.name for answer in answers] == ["x.png", "y.png"]
    for answer, row in zip(answers, logits, strict=True):
        assert answer.source == max(answer.logits, key=lambda name: answer.logits[name])
        assert list(answer.logits.values()) == pytest.approx(row.tolist(), abs=1e-5)
        total = sum(math.exp(value) for value in answer.logits.values())
        assert answer.share == pytest.approx(math.exp(answer.logits[answer.source]) / total)
    assert (tmp_path / "figure.png").is_file()
