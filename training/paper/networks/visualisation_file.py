"""A visualisation network as a file: weights in half precision, and what it is built from.

Numbers and JSON only (`training.zoo.checkpoint`); this code builds the network.
"""

from pathlib import Path

from safetensors import SafetensorError

from training.paper.networks.visualisation_network import Variant, VisualisationNetwork
from training.zoo import checkpoint
from worker.errors import StopError

_BUILT = "visualisation_network"
_MOST_SOURCES = 1000


def export_visualisation(
    path: Path, network: VisualisationNetwork, facts: dict[str, object]
) -> None:
    """The weights in half precision, with `facts` and what `load_visualisation` builds it from."""
    state = {name: value.cpu().half() for name, value in network.state_dict().items()}
    built = {"side": network.side, "sources": network.sources, "variant": network.variant}
    checkpoint.save_state(path, state, {**facts, _BUILT: built})


def load_visualisation(path: Path) -> VisualisationNetwork:
    """The network of `export_visualisation`, in evaluation mode and float32.

    Raises StopError when there is no file or it holds no such network.
    """
    if not path.is_file():
        raise StopError(
            f"there is no visualisation network at {path}, expected a .safetensors file; train it"
            " or name another"
        )
    try:
        state, facts = checkpoint.load_state(path)
        network = _build(**facts[_BUILT])  # type: ignore[arg-type]
        network.load_state_dict(state)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StopError(
            f"{path} does not hold a visualisation network of this version ({error}), expected"
            " what a training exports; train it again"
        ) from error
    return network.requires_grad_(False).eval()


def names_of(path: Path) -> tuple[str, ...]:
    """The names of the sources of such a file, in the order of the logits."""
    names = checkpoint.facts_of(path).get("names")
    if not isinstance(names, list):
        raise StopError(f"{path} names no sources, expected `names`; train the network again")
    return tuple(str(name) for name in names)


def _build(side: int, sources: int, variant: Variant) -> VisualisationNetwork:
    """As the file says, unless it says nonsense: it would only be noticed after much memory."""
    if not isinstance(sources, int) or not 2 <= sources <= _MOST_SOURCES:
        raise ValueError(f"sources is {sources!r}, not a number from 2 to {_MOST_SOURCES}")
    return VisualisationNetwork(side, sources, variant)
