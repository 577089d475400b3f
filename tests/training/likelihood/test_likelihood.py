"""Generators trained without a critic: invertible where they must be, resumable, and listed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from training.commands.likelihood import deliver
from training.generators.catalogue import generators
from training.generators.roles import FAMILIES as ROLES
from training.generators.roles import role_of
from training.generators.trained import drawn, rebuilt
from training.likelihood import ddpm, learn
from training.likelihood.ddpm import Ddpm, signal
from training.likelihood.flow import Flow
from training.likelihood.learn import Learner
from training.likelihood.models import FAMILIES, LikelihoodModel, load, models
from training.likelihood.vq_decoder import LEVELS, VqDecoder, quantised
from training.zoo.checkpoint import facts_of, load_state
from training.zoo.train import export
from worker.errors import StopError

NARROW = (8, 8, 8, 8)


def images(count: int = 6) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Networks of 16 pixels a side and few channels; no weights, committed or in the cache."""
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))
    monkeypatch.setattr("training.likelihood.models.WEIGHTS", tmp_path / "committed")
    monkeypatch.setattr(learn, "BATCH", 4)
    monkeypatch.setattr(ddpm, "STEPS", 3)
    tiny = {
        "vq_decoder": lambda: VqDecoder(8),
        "ddpm": lambda: Ddpm(16, 8),
        "flow": lambda: Flow(16, NARROW),
    }
    monkeypatch.setattr("training.likelihood.models.FAMILIES", tiny)


def test_the_families_are_those_that_have_roles() -> None:
    assert tuple(FAMILIES) == ROLES["trained"]
    assert {model.family for model in models()} == set(FAMILIES)
    assert len({model.name for model in models()}) == len(models())


def test_latents_take_only_their_levels_and_pass_gradients() -> None:
    latents = torch.randn(4, len(LEVELS), 16, 16, requires_grad=True)
    codes = quantised(latents)
    for channel, levels in enumerate(LEVELS):
        seen = torch.unique((codes[:, channel] * 1000).round())
        assert 2 < len(seen) <= levels
    assert float(codes.detach().abs().max()) <= 1 + 1e-6
    codes.sum().backward()  # type: ignore[no-untyped-call]
    assert latents.grad is not None
    assert latents.grad.min() > 0


def test_a_decoder_rebuilds_pictures_of_any_size_that_four_divides() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (3, 24, 24), dtype=np.uint8)
    made = rebuilt(VqDecoder(8).eval(), picture)
    assert (made.shape, made.dtype) == ((3, 24, 24), np.dtype(np.uint8))


def test_a_flow_run_backwards_gives_the_picture_back() -> None:
    torch.manual_seed(1)
    flow = Flow(16, NARROW).eval()
    for parameter in flow.parameters():
        parameter.data += 0.03 * torch.randn_like(parameter)
    pictures = torch.randn(2, 3, 16, 16)
    noise, _ = flow.encode(pictures)
    assert sum(part[0].numel() for part in noise) == 3 * 16 * 16
    torch.testing.assert_close(flow.decode(noise), pictures, rtol=0, atol=1e-4)


def test_a_flow_states_its_change_of_volume() -> None:
    torch.manual_seed(2)
    flow = Flow(16, NARROW).double().eval()
    for parameter in flow.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    picture = torch.randn(1, 3, 16, 16, dtype=torch.float64)

    def flat(given: torch.Tensor) -> torch.Tensor:
        return torch.cat([part.flatten() for part in flow.encode(given.view(1, 3, 16, 16))[0]])

    jacobian = torch.autograd.functional.jacobian(flat, picture.flatten())  # type: ignore[no-untyped-call]
    expected = torch.linalg.slogdet(jacobian)[1]
    torch.testing.assert_close(flow.encode(picture)[1][0], expected)


def test_a_flow_mixes_in_float32_whatever_its_networks_compute_in() -> None:
    flow = Flow(16, NARROW).eval()
    pictures = torch.randn(2, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        noise, volume = flow.encode(pictures)
    assert {part.dtype for part in [*noise, volume]} == {torch.float32}
    plain = flow.encode(pictures)[0]  # the networks give nothing at first
    assert all(torch.equal(one, other) for one, other in zip(noise, plain, strict=True))


class Knowing(Ddpm):
    """Knows the one picture that there is."""

    def __init__(self, picture: torch.Tensor) -> None:
        super().__init__(16, 8)
        self.picture = picture

    def forward(self, noisy: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        return self.picture.expand(len(noisy), -1, -1, -1)


def test_a_diffusion_model_that_knows_the_picture_draws_it() -> None:
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    knowing = Knowing(picture)
    assert float(knowing.loss(picture.expand(4, -1, -1, -1), torch.Generator())) == 0
    made = knowing.draw(2, torch.Generator().manual_seed(1))
    torch.testing.assert_close(made, picture.expand(2, -1, -1, -1), rtol=0, atol=4 / 255)


def test_the_same_seed_draws_the_same_pictures_and_more_of_them(small: None) -> None:
    for network in (Ddpm(16, 8).eval(), Flow(16, NARROW).eval()):
        one, again, longer, other = (
            np.stack(drawn(network, count, seed))
            for count, seed in ((3, 1), (3, 1), (17, 1), (3, 2))
        )
        np.testing.assert_array_equal(one, again)
        np.testing.assert_array_equal(one, longer[:3])
        assert (one != other).mean() > 0.5


def test_the_picture_fades_from_whole_to_nothing() -> None:
    shares = signal(torch.linspace(0, 1, 50))
    assert float(shares[0]) == pytest.approx(1.0, abs=1e-3)
    assert float(shares[-1]) < 1e-3
    assert (shares[1:] < shares[:-1]).all()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_resumed_run_equals_an_uninterrupted_one(
    family: str, small: None, tmp_path: Path
) -> None:
    model = LikelihoodModel(family, 1, "faces")
    whole, first, second = (Learner(model, images()) for _ in range(3))
    expected = [whole.step() for _ in range(4)][-1]
    first.step()
    first.step()
    first.save(tmp_path / "checkpoint.safetensors")
    second.load(tmp_path / "checkpoint.safetensors")
    second.step()
    assert second.step() == expected
    assert second.iteration == 4
    for one, other in zip(
        whole.average.state_dict().values(), second.average.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_a_checkpoint_of_other_photographs_is_refused(small: None, tmp_path: Path) -> None:
    model = LikelihoodModel("flow", 0, "faces")
    Learner(model, images()).save(tmp_path / "a.safetensors")
    with pytest.raises(StopError, match="remove it to train anew"):
        Learner(model, images(5)).load(tmp_path / "a.safetensors")
    with pytest.raises(StopError, match="remove it to train anew"):
        Learner(replace(model, seed=1), images()).load(tmp_path / "a.safetensors")


def test_the_loss_falls(small: None) -> None:
    for family in FAMILIES:
        learner = Learner(LikelihoodModel(family, 0, "faces"), images(1), bfloat16=False)
        losses = [learner.step() for _ in range(40)]
        assert np.mean(losses[-8:]) < np.mean(losses[:8]), family


def test_what_was_trained_is_listed_with_its_family(small: None) -> None:
    assert not [one for one in generators("held_out") if one.kind == "trained"]
    for model in (LikelihoodModel("ddpm", 0, "faces"), LikelihoodModel("flow", 1, "scenes")):
        learn.learn(model, images(), model.folder, 0.0)
        assert len(drawn(load(model), 3, seed=1)) == 3  # type: ignore[arg-type]
    held_out = [one for one in generators("held_out") if one.kind == "trained"]
    assert [(one.name, one.draws_from_noise) for one in held_out] == [("ddpm", True)]
    assert role_of("flow") == "learn"
    assert "flow_seed1_scenes" in {one.name for one in generators("learn")}


def test_weights_of_another_version_are_refused(small: None) -> None:
    model = LikelihoodModel("flow", 0, "faces")
    with pytest.raises(StopError, match="train it: `latentprint train likelihood flow`"):
        load(model)
    export(model.weights, torch.nn.Linear(2, 2), {})
    with pytest.raises(StopError, match="does not hold a flow"):
        load(model)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_delivered_model_is_its_weights_in_8_bits_and_a_grid(
    family: str, small: None, tmp_path: Path
) -> None:
    model = LikelihoodModel(family, 5, "faces")  # a seed that is not listed can be trained as well
    weights = learn.learn(model, images(), model.folder, 0.0)
    deliver(model, weights, tmp_path / "out")
    copied = tmp_path / "out" / "weights" / f"{family}_seed5.safetensors"
    state, facts = load_state(copied)
    assert torch.int8 in {value.dtype for value in state.values()}
    assert facts == facts_of(weights)
    trained = load(model, weights).state_dict()
    for name, value in load(model, copied).state_dict().items():
        largest = float(trained[name].abs().max())
        torch.testing.assert_close(value, trained[name], rtol=0, atol=largest / 127)
    with Image.open(tmp_path / "out" / "samples" / f"{family}_seed5.jpg") as grid:
        side = 64 if family == "vq_decoder" else 16
        assert grid.size == (8 * side, 2 * side)
