"""Weights in 8 bits with a step for each output: what is committed, half of what was trained.

Tensors of two dimensions or more and `FEWEST` numbers become int8 under their name, and their
outputs' steps, in half precision, one tensor `steps`, in the order of the names. A table entry for
each tensor's steps would weigh more than the steps. What is smaller stays in half precision.
"""

from pathlib import Path

import torch

from training.zoo.checkpoint import State, load_state, save_state
from worker.extractor.bundle_arrays import from_int8, to_int8

FEWEST = 1024
"""Numbers of a tensor that is worth it."""

_STEPS = "steps"


def keep_in_eight_bits(source: Path, target: Path) -> None:
    """Write the file of weights `source`, in half precision, to `target`; the facts stay.

    Raises ValueError where a large tensor holds a number that is not finite.
    """
    state, facts = load_state(source)
    all_steps = []
    for name in sorted(state):
        value = state[name]
        if value.dim() >= 2 and value.numel() >= FEWEST:
            numbers, steps = to_int8(value.float().flatten(1).T.numpy())  # (K,outputs), (outputs,)
            state[name] = torch.from_numpy(numbers.T.copy()).view(value.shape)
            all_steps.append(torch.from_numpy(steps).half())
    save_state(target, state | ({_STEPS: torch.cat(all_steps)} if all_steps else {}), facts)


def in_float32(state: State) -> State:
    """The weights of a file in float32, whether it is in 8 bits or in half precision.

    Raises ValueError where there are not as many steps as outputs in 8 bits.
    """
    steps = state.get(_STEPS, torch.empty(0)).float()
    weights = {name: value for name, value in state.items() if name != _STEPS}
    small = [name for name in sorted(weights) if weights[name].dtype == torch.int8]
    outputs = [len(weights[name]) for name in small]
    if sum(outputs) != len(steps):
        raise ValueError(
            f"{len(steps)} steps for {sum(outputs)} outputs in 8 bits; expected one for each:"
            " write the file anew"
        )
    result = {name: value.float() for name, value in weights.items()}
    for name, own in zip(small, torch.split(steps, outputs), strict=True):
        numbers = weights[name].flatten(1).T.numpy()  # (K,outputs)
        columns = from_int8(numbers, own.numpy())
        result[name] = torch.from_numpy(columns.T.copy()).view(weights[name].shape)
    return result
