"""A trained attribution network as one file: half-precision weights, and facts beside them.

A safetensors file as `training.zoo.checkpoint.save_state` writes it; nothing is unpickled. The
facts name the side of the images and the sources in the order of the logits, real first; of a
network that sees a component alone, its kind and side too. The small copies that come with the
project (`training.paper.networks.small_copy`) name the seed that they are a change of.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError

from training.paper.images import REAL
from training.paper.networks.attribution_network import check_side
from training.paper.networks.component_networks import (
    Attributor,
    Component,
    component_of,
    network_for,
)
from training.paper.networks.small_copy import begun, restored
from training.zoo import checkpoint
from worker.errors import StopError

COPY_SEED = "copy_seed"
"""The fact of a small copy: the seed of the training that made the network."""

_EXPECTED = (
    "expected the weights of an attribution network with the facts `side` and `sources`, as"
    " `export_attribution` writes them; train the network again or name another file"
)


def export_attribution(
    path: Path, network: Attributor, sources: tuple[str, ...], facts: dict[str, object]
) -> None:
    """Write the network in half precision to `path`, in one step.

    `sources` are the names of the K classes in the order of the logits, the first being "real";
    `facts` are kept as they are, with `side` and `sources` set here.
    """
    outputs = network.last.weight.shape[0]
    if not _are_sources(sources) or len(sources) != outputs:
        raise StopError(
            f"the network has {outputs} logits and the sources are {list(sources)}; expected as"
            f" many different names, the first {REAL!r}; nothing was written to {path}"
        )
    state = {key: value.detach().cpu().half() for key, value in network.state_dict().items()}
    largest = {key: float(value.abs().max()) for key, value in state.items()}
    beyond = [key for key, value in largest.items() if not value < float("inf")]
    if beyond:
        raise StopError(
            f"weights {', '.join(beyond)} are not finite in half precision; nothing was written to"
            f" {path}: train the network again with a lower learning rate"
        )
    seen = component_of(network)
    component = {"component": [seen.kind, seen.side]} if seen else {}
    known = {"side": network.side, "sources": list(sources), **component}
    checkpoint.save_state(path, state, {**facts, **known})


def load_attribution(path: Path) -> tuple[Attributor, dict[str, object]]:
    """The network, float32 in evaluation mode, and its facts; StopError for any other file."""
    if not path.is_file():
        raise StopError(f"there is no file at {path}; {_EXPECTED}", exit_code=2)
    try:
        state, facts = checkpoint.load_state(path)
    except (SafetensorError, ValueError, OSError) as error:
        raise StopError(f"{path} cannot be read ({error}); {_EXPECTED}", exit_code=2) from error
    try:
        side, sources = facts["side"], facts["sources"]
        if not isinstance(side, int) or not isinstance(sources, list):
            raise TypeError(f"side is {side!r} and sources are {sources!r}")
        if not _are_sources(tuple(sources)):
            raise ValueError(f"sources are {sources}, not different names with {REAL!r} first")
        check_side(side)
        seen = facts.get("component")
        component = Component(seen[0], seen[1]) if isinstance(seen, list) else None
        network: Attributor
        if isinstance(seed := facts.get(COPY_SEED), int):
            network = restored(begun(side, len(sources), seed), state)
        else:
            network = network_for(side, len(sources), component)
            network.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = f"there is no fact {error}" if isinstance(error, KeyError) else str(error)
        raise StopError(
            f"{path} holds no attribution network of this version ({reason}); {_EXPECTED}",
            exit_code=2,
        ) from error
    if not all(bool(torch.isfinite(value).all()) for value in network.state_dict().values()):
        raise StopError(f"{path} holds weights that are not finite; {_EXPECTED}", exit_code=2)
    return network.eval().requires_grad_(False), facts


def _are_sources(sources: tuple[object, ...]) -> bool:
    if not all(isinstance(name, str) and name for name in sources):
        return False
    return len(set(sources)) == len(sources) >= 2 and sources[0] == REAL
