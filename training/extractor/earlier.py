"""The network of a bundle that is there already, of whatever format, to calibrate it anew."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file as load_tensors

from worker.errors import StopError
from worker.extractor import bundle as layout
from worker.extractor.networks import FingerprintNetwork, NetworkSizes

_OF_ITS_EXPORT = ("commit", "date")  # not of the training


def network_of(folder: Path) -> tuple[FingerprintNetwork, dict[str, str | int | float]]:
    """The network of the bundle in `folder`, and the facts of its training.

    Only weights and sizes are read, so that a bundle that this version of the worker refuses, of an
    earlier format or with crops by another rule, can be exported anew. StopError where it holds no
    network of this architecture.
    """
    try:
        stated = json.loads((folder / layout.DOCUMENT).read_bytes())
        sizes = NetworkSizes(**{name: stated[name] for name in NetworkSizes._fields})
        network = FingerprintNetwork(sizes)
        network.load_state_dict(load_tensors(folder / layout.WEIGHTS))
        facts = {key: stated["provenance"][key] for key in stated["provenance"]}
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise StopError(
            f"{folder} holds no bundle with a network of architecture"
            f" {FingerprintNetwork.architecture!r}: {error}; name the folder of one",
            exit_code=2,
        ) from error
    for name in _OF_ITS_EXPORT:
        facts.pop(name, None)
    return network.eval().requires_grad_(False), facts


def covariances_of(folder: Path) -> dict[str, NDArray[np.float32]]:
    """`within`, `total_mean` and `total` of the bundle in `folder`; see `Background`."""
    arrays = load_arrays(folder / layout.BACKGROUND)
    return {name: arrays[name].astype(np.float32) for name in ("within", "total_mean", "total")}
