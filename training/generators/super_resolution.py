"""Networks over photographs: a photograph made smaller, and made large again by a trained network.

Weights come from `training.data.networks`. A family is an architecture: 23 residual dense blocks
(`rrdb`), a plain stack of convolutions and a pixel shuffle (`srvgg`), a U-Net with deconvolutions
(`cunet`), seven convolutions and a deconvolution (`upconv_7`), and so on; the noise levels and
trainings of one architecture are siblings.

Input is RGB / 255, channels first, run by ncnn on one thread, or by `keras_graph` on torch's.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import ncnn
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.networks import networks_folder
from training.generators.generator import Generator, from_pictures
from training.generators.keras_graph import load_graph
from training.generators.network_list import NETWORKS, Network
from worker.enrol.recompress import Picture, from_pil, to_pil
from worker.errors import StopError

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (C,h,w) -> (3,~f*h,~f*w)

SIDES = (64, 128, 256, 512, 1024)
CORE, MARGIN = 288, 16
"""Input pixels a tile gives to the output, and what it sees beyond them on each side.

Networks that average over the whole picture (Real-CUGAN) show a slight seam between tiles, so that
a tile is large enough for pictures of 512 pixels in one."""
_ALIGNED = 4  # U-Nets halve twice


def network_generators() -> Iterator[Generator]:
    """Those whose weights have been fetched (`latentprint train data`)."""
    for network in NETWORKS:
        if _weights_are_there(network):
            yield _of_network(network)


def _of_network(network: Network) -> Generator:
    def enlarge_again(square: Picture, _: int) -> Picture:
        side = square.shape[1] // network.factor
        small = to_pil(square).resize((side, side), Image.Resampling.BICUBIC)
        return render(network, from_pil(small))

    return from_pictures(network.name, network.family, SIDES, enlarge_again)


def render(network: Network, picture: Picture) -> Picture:
    """uint8 (3,h,w) of 20 pixels and more enlarged by the network: uint8 (3,f*h,f*w)."""
    return render_by(_loaded(network), network, picture)


def render_by(run: Run, network: Network, picture: Picture) -> Picture:
    """The same by a given `run`, tile by tile, so that the memory has a bound."""
    _, height, width = picture.shape
    below, beside = -height % _ALIGNED, -width % _ALIGNED
    whole = np.pad(picture, ((0, 0), (0, below), (0, beside)), mode="edge")
    factor = network.factor
    out = np.empty((3, factor * whole.shape[1], factor * whole.shape[2]), np.uint8)
    for top, bottom, upper, lower in _spans(whole.shape[1]):
        for left, right, first, last in _spans(whole.shape[2]):
            made = _enlarge(run, network, whole[:, upper:lower, first:last])
            y, x = factor * (top - upper), factor * (left - first)
            kept = made[:, y : y + factor * (bottom - top), x : x + factor * (right - left)]
            out[:, factor * top : factor * bottom, factor * left : factor * right] = kept
    return np.ascontiguousarray(out[:, : factor * height, : factor * width])


def _spans(size: int) -> Iterator[tuple[int, int, int, int]]:
    """Start and end of each tile's part of the output, then of what the network is shown."""
    for start in range(0, size, CORE):
        end = min(size, start + CORE)
        yield start, end, max(0, start - MARGIN), min(size, end + MARGIN)


def _enlarge(run: Run, network: Network, tile: Picture) -> Picture:
    """One tile (3,h,w) -> (3,f*h,f*w), padded and with constant maps as the network wants it."""
    given = tile.astype(np.float32) / 255
    given = given * network.gain + network.offset
    pad = network.pad
    if pad:
        margins = ((0, 0), (pad, pad), (pad, pad))
        given = np.pad(given, margins, mode="reflect" if network.reflect else "edge")
    if network.maps:
        constant = np.asarray(network.maps, np.float32)[:, None, None]
        maps = np.broadcast_to(constant, (len(network.maps), *given.shape[1:]))
        given = np.concatenate([given, maps])
    made = run(np.ascontiguousarray(given, np.float32))
    height, width = (network.factor * side for side in tile.shape[1:])
    y, x = (made.shape[1] - height) // 2, (made.shape[2] - width) // 2
    if y < 0 or x < 0:
        raise ValueError(f"{network.name} made {made.shape[1:]} of {tile.shape[1:]}, too little")
    made = (made[:, y : y + height, x : x + width] - network.offset) / network.gain
    return (made.clip(0, 1) * 255).round().astype(np.uint8)


def _weights_are_there(network: Network) -> bool:
    return (networks_folder() / network.package / network.main_file).is_file()


@lru_cache(maxsize=8)
def _loaded(network: Network) -> Run:
    path = networks_folder() / network.package / network.main_file
    if not path.is_file():
        raise StopError(
            f"there are no weights of {network.name} at {path}; run `latentprint train data`"
        )
    if path.suffix == ".json":
        return load_graph(path)
    return load_ncnn(str(path), str(path.with_suffix(".bin")))


def load_ncnn(layers: str, weights: str) -> Run:
    """A network of ncnn from its two files, on one thread of the processor."""
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.num_threads = 1
    if net.load_param(layers) != 0 or net.load_model(weights) != 0:
        raise StopError(f"{layers} and {weights} are no network that ncnn reads; fetch them again")
    entrance, exit_ = net.input_names()[0], net.output_names()[0]

    def run(given: NDArray[np.float32]) -> NDArray[np.float32]:
        shown = ncnn.Mat(given)  # reads the memory of `given`, which must live until the end
        with net.create_extractor() as extractor:
            extractor.input(entrance, shown)
            _, made = extractor.extract(exit_)
            return np.array(made, np.float32)

    return run
