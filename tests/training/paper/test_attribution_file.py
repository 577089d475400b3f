"""An attribution network as a file."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from training.paper.networks.attribution_file import (
    export_attribution,
    load_attribution,
)
from training.paper.networks.attribution_network import AttributionNetwork
from worker.errors import StopError

SIDE = 64
SOURCES = ("real", "checks", "rows")
FACTS: dict[str, object] = {"setup": "a test", "steps": 0, "betas": [0.0, 0.99]}


# The file of weights ----------------------------------------------------------------------------


def test_a_file_gives_back_network_and_facts(tmp_path: Path) -> None:
    torch.manual_seed(9)
    network = AttributionNetwork(4, len(SOURCES))
    export_attribution(tmp_path / "a.safetensors", network, SOURCES, FACTS)
    found, facts = load_attribution(tmp_path / "a.safetensors")
    assert facts == FACTS | {"side": 4, "sources": list(SOURCES)}
    assert (tmp_path / "a.safetensors").stat().st_size < 2.01 * 4_211_717, "half precision"
    assert not found.training
    for name, value in found.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, network.state_dict()[name].half().float()), name


def test_what_is_no_weights_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"

    def refused() -> str:
        with pytest.raises(StopError, match="expected the weights of an attribution") as caught:
            load_attribution(path)
        assert caught.value.exit_code == 2
        return str(caught.value)

    assert f"there is no file at {path}" in refused()
    path.write_bytes(b"no safetensors at all")
    assert f"{path} cannot be read" in refused()
    tensors = {"last.bias": torch.zeros(3)}
    for facts, expected in (
        ("{}", "there is no fact 'side'"),
        ("[]", "list indices"),
        ("{", "cannot be read"),
        (json.dumps({"side": 4}), "there is no fact 'sources'"),
        (json.dumps({"side": 65, "sources": SOURCES}), "side 65 is none of"),
        (json.dumps({"side": "4", "sources": SOURCES}), "side is '4'"),
        (json.dumps({"side": 4, "sources": ["checks", "real"]}), "with 'real' first"),
        (json.dumps({"side": 4, "sources": ["real", 7]}), "not different names"),
        (json.dumps({"side": 4, "sources": ["real", {}]}), "not different names"),
        (json.dumps({"side": 4, "sources": [*SOURCES, "rows"]}), "not different names"),
        (json.dumps({"side": 4, "sources": SOURCES}), "Missing key"),
    ):
        save_file(tensors, path, metadata={"facts": facts})
        assert expected in refused()
    network = AttributionNetwork(4, len(SOURCES))
    export_attribution(path, network, SOURCES, FACTS)
    broken = load_file(path) | {"last.bias": torch.tensor([0.0, np.nan, 0.0])}
    facts = json.dumps({"side": 4, "sources": SOURCES})
    save_file(broken, path, metadata={"facts": facts})
    assert "not finite" in refused()


def test_weights_beyond_half_precision_are_not_written(tmp_path: Path) -> None:
    network = AttributionNetwork(4, len(SOURCES)).requires_grad_(False)
    network.last.weight[0, 0] = 1e6
    with pytest.raises(StopError, match=r"weights last\.weight are not finite in half precision"):
        export_attribution(tmp_path / "a.safetensors", network, SOURCES, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sources", [SOURCES[:2], ("checks", "real", "rows"), ("real", "a", "a")])
def test_sources_that_are_not_those_of_the_logits_are_not_written(
    sources: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(StopError, match="the network has 3 logits"):
        export_attribution(tmp_path / "a.safetensors", AttributionNetwork(4, 3), sources, {})
    assert list(tmp_path.iterdir()) == []
