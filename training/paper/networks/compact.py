"""Weights as whole numbers with a step per output: what is committed, small once it is packed.

Only copies that come with the project are kept so. What is measured, and what a fine-tuning begins
with, is the half-precision file (`find_exact`); `train reproduce --check` shows how far the copy's
accuracy lies from it. A tensor `x` becomes int8 numbers under its name and float32 steps under
`x.step`, such that x is about number * step.
"""

from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from training.zoo.checkpoint import State, facts_of, load_state, save_state

LARGEST = 7
"""Numbers go from -7 to 7, which are packed in about 3.5 bits each; LOG.md has what that costs."""

_STEP = ".step"
_FEWEST = 4096
"""Smaller tensors, biases above all, are kept as they are."""


def compact_copy(source: Path, target: Path, largest: int = LARGEST) -> None:
    """Write the file of weights `source` to `target`, its large tensors as whole numbers."""
    state, facts = load_state(source)
    compacted: State = {}
    for key, value in state.items():
        if value.is_floating_point() and value.numel() >= _FEWEST:
            compacted[key], compacted[key + _STEP] = _whole_numbers(value.float(), largest)
        else:
            compacted[key] = value
    save_state(target, compacted, facts)


def expanded(state: State) -> State:
    """The tensors of a file in float32, whether it was compacted or not.

    Raises ValueError for whole numbers without a step, and for a step without whole numbers.
    """
    steps = {key.removesuffix(_STEP): step for key, step in state.items() if key.endswith(_STEP)}
    values = {key: value for key, value in state.items() if not key.endswith(_STEP)}
    whole = {key for key, value in values.items() if value.dtype == torch.int8}
    if whole != set(steps):
        raise ValueError(f"steps are there for {sorted(steps)}, whole numbers for {sorted(whole)}")
    return {
        key: value.float() * _column(steps[key], value) if key in steps else value.float()
        for key, value in values.items()
    }


def find_exact(kept: Path, committed: Path, digest: str) -> Path | None:
    """Weights of the settings with this digest, as they are measured: never a compacted copy.

    `kept` was trained on this machine under these settings; `committed` came with the project.
    """
    if kept.is_file():
        return kept
    if committed.is_file() and not is_compacted(committed):
        return committed if facts_of(committed).get("digest") == digest else None
    return None


def is_compacted(path: Path) -> bool:
    """Whether a file of weights holds whole numbers."""
    with safe_open(path, framework="pt") as file:
        return any(file.get_slice(key).get_dtype() == "I8" for key in file.keys())  # noqa: SIM118


def _whole_numbers(value: Tensor, largest: int) -> tuple[Tensor, Tensor]:
    """(outputs, ...) to int8 of the same shape and (outputs,) steps, the largest being `largest`.

    The step of an output is the one of eight candidates with the smallest squared error: cutting
    off rare extremes is better than coarse steps for all others.
    """
    rows = value.flatten(1)
    furthest = rows.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
    best_error = torch.full_like(furthest, float("inf"))
    best_step = furthest / largest
    for share in torch.linspace(0.3, 1.0, 8).tolist():
        step = furthest * share / largest
        numbers = (rows / step[:, None]).round().clamp(-largest, largest)
        error = (numbers * step[:, None] - rows).square().sum(dim=1)
        better = error < best_error
        best_error = torch.where(better, error, best_error)
        best_step = torch.where(better, step, best_step)
    column = _column(best_step, value)
    return (value / column).round().clamp(-largest, largest).to(torch.int8), best_step


def _column(steps: Tensor, value: Tensor) -> Tensor:
    """(outputs,) as (outputs, 1, ...), to meet `value`'s axes."""
    return steps.view(-1, *[1] * (value.dim() - 1))
