"""Save and load a training run without pickle: tensors as safetensors, the rest as JSON.

Arbitrary code can hide in a pickle, so that no checkpoint of this project is one. A run's whole
state (both networks, the average, both optimisers, the random source) is one file, replaced in one
step, so that an interruption leaves the last good one. A file knows no device: it is written from
any and read onto the CPU, from where the `restore_` functions copy to where the module is.
"""

import json
import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

State = dict[str, Tensor]


def flatten_module(prefix: str, module: nn.Module) -> State:
    """Parameters and buffers under `prefix/`."""
    return {f"{prefix}/{key}": value for key, value in module.state_dict().items()}


def restore_module(prefix: str, module: nn.Module, state: State) -> None:
    """The reverse of `flatten_module`; missing or surplus tensors raise."""
    module.load_state_dict(_below(prefix, state))


def flatten_optimizer(prefix: str, optimizer: torch.optim.Optimizer) -> State:
    """Adam's moments and step counts, by the position of their parameter, under `prefix/`."""
    moments = optimizer.state_dict()["state"]
    return {
        f"{prefix}/{index}/{name}": torch.as_tensor(value)
        for index, entry in moments.items()
        for name, value in entry.items()
    }


def restore_optimizer(prefix: str, optimizer: torch.optim.Optimizer, state: State) -> None:
    """The reverse of `flatten_optimizer`; the settings (learning rate, betas) stay as built.

    Each moment gets its parameter's memory layout back: the fused Adam walks both in memory order.
    """
    moments: dict[int, State] = {}
    for key, value in _below(prefix, state).items():
        index, name = key.split("/")
        moments.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    for parameter, entry in optimizer.state.items():
        for name, value in entry.items():
            if value.shape == parameter.shape:
                entry[name] = torch.empty_like(parameter).copy_(value)


def save_state(path: Path, state: State, facts: dict[str, object]) -> None:
    """Write tensors and JSON facts to `path`, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    # A copy each: safetensors refuses tensors that share memory, and wants plain strides.
    plain = {
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in state.items()
    }
    save_file(plain, draft, metadata={"facts": json.dumps(facts)})
    os.replace(draft, path)


def load_state(path: Path) -> tuple[State, dict[str, object]]:
    """Tensors and facts as `save_state` was given them."""
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, facts_of(path)  # noqa: SIM118


def facts_of(path: Path) -> dict[str, object]:
    """The facts alone."""
    with safe_open(path, framework="pt") as file:
        facts: dict[str, object] = json.loads((file.metadata() or {}).get("facts", "{}"))
        return facts


def _below(prefix: str, state: State) -> State:
    return {
        key.removeprefix(f"{prefix}/"): value
        for key, value in state.items()
        if key.startswith(f"{prefix}/")
    }
