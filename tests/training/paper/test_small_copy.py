"""Small copies of a network: nearly its answers, in few whole numbers, or refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tests.training.paper.samples import SIDE, silent, stripes
from training.paper.accuracy import outputs_of
from training.paper.networks import small_copy as copying
from training.paper.networks.attribution_file import COPY_SEED, load_attribution
from training.paper.networks.attribution_network import AttributionNetwork
from training.paper.networks.learn import LearnRecipe, learn
from training.paper.networks.small_copy import (
    begun,
    packed,
    restored,
    small_copy,
    unpacked,
    whole_numbers,
)
from training.zoo.checkpoint import State, save_state
from training.zoo.equalised import EqualisedConv2d
from worker.errors import StopError

RECIPE = LearnRecipe(steps=30, batch_size=16, bfloat16=False)
SOURCES = ("real", "a", "b")


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> AttributionNetwork:
    """A network that tells stripes apart."""
    network = begun(SIDE, len(SOURCES), RECIPE.seed).requires_grad_(True)
    folder = tmp_path_factory.mktemp("exact")
    learn(network, stripes(), RECIPE, folder / "saved.safetensors", silent)
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def state(exact: AttributionNetwork) -> State:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("TRUNK_IMAGES", 60), ("DENSE_IMAGES", 100), ("_PLACES", 600)):
            patch.setattr(copying, name, value)
        return small_copy(exact, stripes(), RECIPE)


def test_a_copy_answers_unseen_images_nearly_as_its_network(
    exact: AttributionNetwork, state: State
) -> None:
    unseen = stripes(seed=9)
    theirs = outputs_of(exact, unseen.images)
    ours = outputs_of(restored(begun(SIDE, len(SOURCES), 0), state), unseen.images)
    first = outputs_of(begun(SIDE, len(SOURCES), 0), unseen.images)
    assert (ours.argmax(1) == theirs.argmax(1)).float().mean() > 0.95
    assert (first.argmax(1) == theirs.argmax(1)).float().mean() < 0.7, "training changed answers"
    assert (ours - theirs).square().mean() < 0.1 * theirs.var()


def test_a_copy_is_whole_numbers_of_the_ranks_and_a_step_for_each_row(
    exact: AttributionNetwork, state: State
) -> None:
    rows = {name: value for name, value in state.items() if not name.endswith(".step")}
    assert {value.dtype for value in rows.values()} == {torch.uint8}
    assert all(state[f"{name}.step"].shape == value.shape[:1] for name, value in rows.items())
    assert rows["dense.right"].shape == (len(SOURCES), 2731), "three to a byte"
    assert rows["trunk.convs.1.left"].shape == (copying.rank_of(256), 256)
    whole = sum(value.numel() for value in exact.parameters())
    assert sum(value.numel() for value in state.values()) < 0.01 * whole


def test_the_initial_weights_are_those_of_a_training_of_the_seed() -> None:
    torch.manual_seed(5)
    first = AttributionNetwork(SIDE, 3)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    found = begun(SIDE, 3, 5)
    assert torch.equal(found.dense.weight, first.dense.weight)
    assert torch.equal(torch.get_rng_state(), before), "nobody else's numbers are disturbed"


def test_a_file_of_a_copy_gives_back_the_network(state: State, tmp_path: Path) -> None:
    facts: dict[str, object] = {"side": SIDE, "sources": list(SOURCES), COPY_SEED: 0}
    save_state(tmp_path / "copy.safetensors", state, facts)
    network, found = load_attribution(tmp_path / "copy.safetensors")
    assert found == facts
    expected = restored(begun(SIDE, len(SOURCES), 0), state).state_dict()
    assert expected
    assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("without", "message"),
    [
        ("dense.right", "there is no 'dense.right'"),
        ("trunk.convs.0.change.step", "there is no 'trunk.convs.0.change.step'"),
        (None, "other.bias belong to no layer"),
    ],
)
def test_a_file_that_lacks_numbers_or_has_too_many_is_refused(
    state: State, tmp_path: Path, without: str | None, message: str
) -> None:
    broken = dict(state)
    if without is None:
        broken["other.bias"] = torch.zeros(1, 3, dtype=torch.int8)
    else:
        del broken[without]
    facts: dict[str, object] = {"side": SIDE, "sources": list(SOURCES), COPY_SEED: 0}
    save_state(tmp_path / "copy.safetensors", broken, facts)
    with pytest.raises(StopError, match=message):
        load_attribution(tmp_path / "copy.safetensors")


@pytest.mark.parametrize(("largest", "in_a_byte"), [(1, 5), (2, 3), (3, 2), (7, 2), (127, 1)])
def test_as_many_numbers_as_fit_stand_in_a_byte_and_come_back(largest: int, in_a_byte: int) -> None:
    torch.manual_seed(4)
    numbers = torch.randint(-largest, largest + 1, (3, 31), dtype=torch.int8)
    found = packed(numbers, largest)
    assert (found.dtype, found.shape) == (torch.uint8, (3, -(-31 // in_a_byte)))
    assert torch.equal(unpacked(found, largest, 31), numbers.float())
    with pytest.raises(ValueError, match="hold no rows of 61 numbers"):
        unpacked(found, largest, 61)


def test_extremes_are_cut_where_that_keeps_the_others_finer() -> None:
    torch.manual_seed(1)
    rows = torch.randn(2, 4096)
    rows[0, 0] = 12.0
    numbers, steps = whole_numbers(rows, 7)
    assert numbers.abs().max() == 7
    plain = (rows[0] / (12.0 / 7)).round() * (12.0 / 7)
    found = numbers.float() * steps[:, None]
    assert (found[0] - rows[0]).square().sum() < (plain - rows[0]).square().sum()
    assert torch.equal(whole_numbers(torch.zeros(1, 3), 7)[0], torch.zeros(1, 3, dtype=torch.int8))


def test_what_a_fit_reads_is_what_the_convolution_sees() -> None:
    torch.manual_seed(2)
    maps, layer = torch.randn(2, 3, 4, 4), begun(4, 3, 0).trunk.convs[0]
    assert isinstance(layer, EqualisedConv2d)
    places = copying._places(maps, 0)
    assert len(set(zip(*(axis.tolist() for axis in places), strict=True))) == 2 * 4 * 4
    seen = copying._patches(maps, places)
    weight, bias = layer.weight, layer.bias
    expected = layer(maps)[places[0], :, places[1], places[2]]
    found = functional.linear(seen * layer.scale, weight.flatten(1), bias)
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("count", [6, 60])
def test_the_regression_is_ridge_whether_images_or_inputs_are_fewer(count: int) -> None:
    torch.manual_seed(3)
    inputs, target = torch.randn(count, 20, dtype=torch.float64), torch.randn(count, 2).double()
    ridge = copying._RIDGE * float(inputs.square().sum()) / min(count, 20)
    expected = torch.linalg.solve(
        inputs.T @ inputs + ridge * torch.eye(20, dtype=torch.float64), inputs.T @ target
    ).T
    assert torch.allclose(copying._regression(inputs, target), expected)


def test_the_images_of_a_fit_are_those_of_the_training() -> None:
    attacked = replace(RECIPE, attack="blur", attack_share=1.0)
    plain = copying._floats(stripes(), RECIPE, 5, 0)
    assert plain.shape == (5, 3, SIDE, SIDE)
    assert torch.equal(plain, copying._floats(stripes(), RECIPE, 5, 0))
    assert not torch.equal(plain, copying._floats(stripes(), RECIPE, 5, 1))
    assert not torch.equal(plain, copying._floats(stripes(), attacked, 5, 0))
