"""Runs a small convolutional network that is stored in TensorFlow.js' layers format.

Only what residual dense networks use is read: convolutions, ReLU, concatenation, addition and
nearest up-sampling; anything else is refused. The file gives numbers and names, never code.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from worker.errors import StopError

Layer = Callable[[list[Tensor]], Tensor]


def load_graph(path: Path) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The network of a model.json and the weights beside it: (3,h,w) -> (3,f*h,f*w), float32."""
    document = json.loads(path.read_text())
    weights = _weights(path.parent, document["weightsManifest"])
    topology = document["modelTopology"]
    config = topology.get("model_config", topology)["config"]
    steps: list[tuple[str, list[str], Layer]] = []
    for layer in config["layers"]:
        if layer["class_name"] != "InputLayer":
            sources = [source[0] for source in layer["inbound_nodes"][0]]
            steps.append((layer["name"], sources, _layer(path, layer, weights)))
    entrance, last = config["input_layers"][0][0], config["output_layers"][0][0]

    @torch.no_grad()
    def run(given: NDArray[np.float32]) -> NDArray[np.float32]:
        known = {entrance: torch.tensor(given[None])}
        for name, sources, layer in steps:
            known[name] = layer([known[source] for source in sources])
        return np.asarray(known[last][0].numpy(), np.float32)

    return run


def _layer(path: Path, layer: dict[str, Any], weights: dict[str, Tensor]) -> Layer:
    kind, config = layer["class_name"], layer["config"]
    if kind == "Conv2D":
        return _convolution(weights[f"{layer['name']}/kernel"], weights[f"{layer['name']}/bias"])
    if kind == "Activation" and config["activation"] == "relu":
        return lambda given: functional.relu(given[0])
    if kind == "Concatenate":
        return lambda given: torch.cat(given, 1)
    if kind == "Add":
        return lambda given: torch.stack(given).sum(0)
    if kind == "UpSampling2D" and config["interpolation"] == "nearest":
        factor = float(config["size"][0])
        return lambda given: functional.interpolate(given[0], scale_factor=factor)
    raise StopError(f"{path} has a layer {kind} ({layer['name']}), which is not known here")


def _convolution(kernel: Tensor, bias: Tensor) -> Layer:
    """Stride one, output of the input's size; `kernel` is (k,k,in,out)."""
    weight = kernel.permute(3, 2, 0, 1).contiguous()
    return lambda given: functional.conv2d(given[0], weight, bias, padding=kernel.shape[0] // 2)


def _weights(folder: Path, manifest: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Every array by its name; those kept in 8 bits are spread out again."""
    found = {}
    for group in manifest:
        data = b"".join((folder / name).read_bytes() for name in group["paths"])
        start = 0
        for weight in group["weights"]:
            count, stored = math.prod(weight["shape"]), weight.get("quantization")
            kind = np.dtype(stored["dtype"] if stored else weight["dtype"]).newbyteorder("<")
            values = np.frombuffer(data, kind, count, start).astype(np.float32)
            if stored:
                values = values * np.float32(stored["scale"]) + np.float32(stored["min"])
            found[weight["name"]] = torch.from_numpy(values.reshape(weight["shape"]))
            start += count * kind.itemsize
    return found
