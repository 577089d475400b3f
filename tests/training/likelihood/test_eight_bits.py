"""Weights in 8 bits: half as large, near what they were, and refused where steps are missing."""

from pathlib import Path

import pytest
import torch

from training.likelihood.eight_bits import FEWEST, in_float32, keep_in_eight_bits
from training.zoo.checkpoint import State, load_state, save_state


def trained() -> State:
    torch.manual_seed(0)
    large = torch.randn(16, 8, 3, 3) * torch.logspace(-2, 1, 16).view(-1, 1, 1, 1)
    state = {"b": large, "a": torch.randn(1, 2, FEWEST), "bias": torch.randn(16)}
    return {name: value.half() for name, value in (state | {"few": torch.randn(4, 4)}).items()}


def kept(state: State, folder: Path) -> tuple[State, dict[str, object]]:
    save_state(folder / "half.safetensors", state, {"model": "one"})
    keep_in_eight_bits(folder / "half.safetensors", folder / "small.safetensors")
    return load_state(folder / "small.safetensors")


def test_each_output_comes_back_within_half_a_step_of_its_own(tmp_path: Path) -> None:
    state = trained()
    small, facts = kept(state, tmp_path)
    assert facts == {"model": "one"}
    assert {name for name, value in small.items() if value.dtype == torch.int8} == {"a", "b"}
    back = in_float32(small)
    assert back.keys() == state.keys()
    for name, value in state.items():
        assert back[name].dtype == torch.float32
        for one, was in zip(back[name], value.float(), strict=True):
            step = float(was.abs().max()) / 127 if name in ("a", "b") else 0.0
            # Half precision rounds the step by one part in 2048, which 127 steps add up.
            assert float((one - was).abs().max()) <= step * (0.5 + 127 / 2048) + 1e-9


def test_weights_in_half_precision_are_read_as_they_are() -> None:
    state = trained()
    back = in_float32(state)
    assert all(torch.equal(back[name], value.float()) for name, value in state.items())


def test_an_output_of_zeros_stays_zero(tmp_path: Path) -> None:
    small, _ = kept({"zeros": torch.zeros(4, FEWEST).half()}, tmp_path)
    assert torch.equal(in_float32(small)["zeros"], torch.zeros(4, FEWEST))


def test_numbers_without_steps_are_refused(tmp_path: Path) -> None:
    small, _ = kept(trained(), tmp_path)
    del small["steps"]
    with pytest.raises(ValueError, match="0 steps for 17 outputs in 8 bits"):
        in_float32(small)
