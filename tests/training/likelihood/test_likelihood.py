"""Generators trained without a critic: invertible where they must be, resumable, and listed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

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
from training.zoo.train import export
from worker.errors import StopError


def images(count: int = 6) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Networks of 16 pixels a side and few channels, and an empty cache folder."""
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))
    monkeypatch.setattr(learn, "BATCH", 4)
    monkeypatch.setattr(ddpm, "STEPS", 3)
    tiny = {
        "vq_decoder": lambda: VqDecoder(8),
        "ddpm": lambda: Ddpm(16, 8),
        "flow": lambda: Flow(16, 8),
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
    flow = Flow(16, 8).eval()
    for parameter in flow.parameters():
        parameter.data += 0.03 * torch.randn_like(parameter)
    pictures = torch.randn(2, 3, 16, 16)
    noise, _ = flow.encode(pictures)
    assert sum(part[0].numel() for part in noise) == 3 * 16 * 16
    torch.testing.assert_close(flow.decode(noise), pictures, rtol=0, atol=1e-4)


def test_a_flow_states_its_change_of_volume() -> None:
    torch.manual_seed(2)
    flow = Flow(8, 4).double().eval()
    for parameter in flow.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    picture = torch.randn(1, 3, 8, 8, dtype=torch.float64)

    def flat(given: torch.Tensor) -> torch.Tensor:
        return torch.cat([part.flatten() for part in flow.encode(given.view(1, 3, 8, 8))[0]])

    jacobian = torch.autograd.functional.jacobian(flat, picture.flatten())  # type: ignore[no-untyped-call]
    expected = torch.linalg.slogdet(jacobian)[1]
    torch.testing.assert_close(flow.encode(picture)[1][0].double(), expected, rtol=1e-4, atol=1e-4)


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
        learner = Learner(LikelihoodModel(family, 0, "faces"), images(1))
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
