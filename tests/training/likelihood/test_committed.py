"""The committed weights of what was trained without a critic: small, whole, and what they draw."""

from functools import cache
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image

from training.commands.likelihood import SAMPLES
from training.demo.files import photo_paths
from training.generators.catalogue import generators
from training.generators.roles import FAMILIES
from training.likelihood.eight_bits import in_float32
from training.likelihood.flow import Flow
from training.likelihood.models import SIDE, WEIGHTS, load, models
from training.likelihood.vq_decoder import LEVELS, VqDecoder, quantised
from training.zoo.checkpoint import load_state
from worker.enrol.recompress import Picture, from_pil

COMMITTED = {
    model.name: model
    for model in models()
    if model.weights == WEIGHTS / f"{model.name}.safetensors"
}
MOST_BYTES = 2_000_000
MOST_GRID_BYTES = 25_000


@cache
def photographs() -> list[Picture]:
    """The demo's."""
    return [from_pil(Image.open(path).convert("RGB")) for path in photo_paths()]


def of_family(family: str) -> list[str]:
    """Names of committed models."""
    return [name for name, model in COMMITTED.items() if model.family == family]


@pytest.mark.parametrize("family", FAMILIES["trained"])
def test_each_family_has_a_member_that_is_committed(family: str) -> None:
    assert of_family(family)


def test_every_committed_file_is_a_model_of_the_list() -> None:
    assert {path.stem for path in WEIGHTS.iterdir()} == set(COMMITTED)
    grids = {path.stem for path in (WEIGHTS.parent / "samples").iterdir()}
    assert grids == set(COMMITTED)


@pytest.mark.parametrize("name", sorted(COMMITTED))
def test_committed_weights_are_finite_and_in_8_bits(name: str) -> None:
    state, facts = load_state(COMMITTED[name].weights)
    assert {value.dtype for value in state.values()} == {torch.float16, torch.int8}
    assert all(bool(value.isfinite().all()) for value in in_float32(state).values())
    assert facts["model"] == name


def test_committed_weights_and_grids_are_small() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) <= MOST_BYTES
    grids = [path.stat().st_size for path in (WEIGHTS.parent / "samples").iterdir()]
    assert max(grids) <= MOST_GRID_BYTES


@pytest.mark.parametrize("name", sorted(COMMITTED))
def test_a_committed_model_draws_what_its_grid_shows(name: str) -> None:
    """JPEG leaves means of 8x8 pixels nearly alone; what is drawn elsewhere may differ a little."""
    listed = {one.name: one for role in ("learn", "held_out") for one in generators(role)}
    made = np.stack(listed[name].make(SAMPLES, SIDE, 0, photographs())).astype(int)
    with Image.open(WEIGHTS.parent / "samples" / f"{name}.jpg") as grid:
        pixels = np.asarray(grid.convert("RGB"))
    expected = pixels.reshape(SAMPLES // 8, SIDE, 8, SIDE, 3).transpose(0, 2, 4, 1, 3)
    difference = (made - expected.reshape(made.shape)).reshape(SAMPLES, 3, 8, 8, 8, 8)
    assert np.abs(difference.mean((3, 5))).mean() < 2
    assert made.std() > 30


@pytest.mark.parametrize("name", of_family("flow"))
@torch.no_grad()
def test_a_trained_flow_run_backwards_gives_the_picture_back(name: str) -> None:
    flow = cast(Flow, load(COMMITTED[name]))
    squares = np.stack([one[:, :SIDE, :SIDE] for one in photographs()[:4]])
    pictures = torch.from_numpy(squares).float() / 127.5 - 1
    noise, volume = flow.encode(pictures)
    assert bool(volume.isfinite().all())
    torch.testing.assert_close(flow.decode(noise), pictures, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", of_family("vq_decoder"))
@torch.no_grad()
def test_a_trained_decoder_uses_its_codes_and_keeps_the_picture(name: str) -> None:
    decoder = cast(VqDecoder, load(COMMITTED[name]))
    squares = np.stack([one[:, :256, :256] for one in photographs() if min(one.shape[1:]) >= 256])
    pictures = torch.from_numpy(squares).float() / 127.5 - 1
    codes = quantised(decoder.encoder(pictures))  # (N,8,64,64)
    for channel, levels in enumerate(LEVELS):
        assert len(torch.unique((codes[:, channel] * 1000).round())) == levels
    for group in codes.transpose(0, 1).reshape(2, 4, -1):
        used = torch.unique((group * 1000).round(), dim=1).shape[1]
        assert used > 200, f"of {8 * 5**3} codes"
    error = (decoder.rebuild(pictures) - pictures).abs().mean() * 127.5
    assert float(error) < 12  # grey levels
