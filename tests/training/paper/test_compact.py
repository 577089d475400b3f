"""Committed weights as whole numbers: small, close, and refused when half of them is missing."""

from pathlib import Path

import pytest
import torch

from training.paper.networks.attribution_file import export_attribution, load_attribution
from training.paper.networks.attribution_network import AttributionNetwork
from training.paper.networks.compact import LARGEST, compact_copy, expanded
from training.zoo.checkpoint import load_state, save_state
from worker.errors import StopError

SOURCES = ("real", "a", "b")


def test_a_compacted_network_is_found_again_within_a_step(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = AttributionNetwork(16, len(SOURCES))
    exact, compact = tmp_path / "exact.safetensors", tmp_path / "compact.safetensors"
    export_attribution(exact, network, SOURCES, {"digest": "d"})
    compact_copy(exact, compact)
    assert compact.stat().st_size < 0.55 * exact.stat().st_size
    state, facts = load_state(compact)
    assert facts == load_state(exact)[1]
    loaded, _ = load_attribution(compact)
    for name, value in load_attribution(exact)[0].state_dict().items():
        found = loaded.state_dict()[name]
        if state[name].dtype == torch.int8:
            assert state[name].abs().max() <= LARGEST
            assert (found - value).square().mean() < 0.02 * value.square().mean()
        else:
            assert torch.equal(found, value)


def test_extremes_are_cut_where_that_keeps_the_others_finer(tmp_path: Path) -> None:
    path, target = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    torch.manual_seed(1)
    value = torch.randn(2, 4096)
    value[0, 0] = 12.0
    save_state(path, {"weight": value, "bias": torch.ones(2)}, {})
    compact_copy(path, target)
    found = expanded(load_state(target)[0])
    plain = (value[0] / (12.0 / LARGEST)).round() * (12.0 / LARGEST)
    assert (found["weight"][0] - value[0]).square().sum() < (plain - value[0]).square().sum()
    assert torch.equal(found["bias"], torch.ones(2))


def test_an_output_of_zeros_stays_zero(tmp_path: Path) -> None:
    path, target = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    save_state(path, {"weight": torch.zeros(2, 64, 64)}, {})
    compact_copy(path, target)
    assert torch.equal(expanded(load_state(target)[0])["weight"], torch.zeros(2, 64, 64))


@pytest.mark.parametrize("missing", ["first.weight.step", "first.weight"])
def test_whole_numbers_without_their_steps_are_refused(tmp_path: Path, missing: str) -> None:
    state = {
        "first.weight": torch.ones(4, 3, dtype=torch.int8),
        "first.weight.step": torch.ones(4),
    }
    del state[missing]
    with pytest.raises(ValueError, match=r"first\.weight"):
        expanded(state)
    path = tmp_path / "network.safetensors"
    save_state(path, state, {"side": 16, "sources": list(SOURCES)})
    with pytest.raises(StopError, match="steps are there for"):
        load_attribution(path)
