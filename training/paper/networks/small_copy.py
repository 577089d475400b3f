"""A copy of an attribution network in eighty kilobytes of small whole numbers, to be committed.

The initial weights follow from the training's seed, so that only a change of them is kept, and of
the change as little as the later layers need. From the first layer to the last but one: the change
D of a low rank with which (W0 + D)x, x being what the copy's own layers before make of training
images, comes nearest to what the network's layer gives for the same images (reduced-rank
regression, Izenman 1975, with a little ridge). Each layer so makes good some of what those before
it left out, rounding too. The last layer and the first, which are small, get a change of full rank.

So a copy is not the network: its weights are others, and its answers nearly the same ones. It
serves to show that a published figure comes back (`train reproduce --check`), and for nothing else;
docs/decisions/0033-small-copies.md has what it costs.

For a layer `x` with weights (outputs, d), d being inputs * side * side, the file has `x.left`
(r, outputs) and `x.right` (r, d), or `x.change` (outputs, d); and `x.bias` (1, outputs). Each
matrix is whole numbers, several in a byte (`packed`), with float32 steps (rows,) under `name.step`.
"""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.paper.images import LabelledImages, to_float
from training.paper.networks.attribution_network import SLOPE, AttributionNetwork
from training.paper.networks.learn import LearnRecipe, drawn
from training.zoo.checkpoint import State
from training.zoo.equalised import EqualisedConv2d

TRUNK_IMAGES, DENSE_IMAGES = 400, 6_000
"""The dense layer reads 8,192 values, so that it needs many images; a convolution has many places
in each, of which `_PLACES` are read. The log has what fewer and other ranks give."""

LARGEST = {"left": 7, "change": 7, "right": 3, "dense.right": 2, "bias": 127}
"""The largest whole number of each kind: the more there are of it, the smaller."""

_PLACES = 8_000
_RIDGE = 1e-3
"""Of the mean variance of an input."""

_BATCH = 50
_STEP = ".step"
_SEED = 1_000


def rank_of(inputs: int) -> int | None:
    """The rank of a convolution's change by its number of inputs; None for any rank."""
    return None if inputs <= 3 else max(1, min(8, 1024 // inputs))


def small_copy(network: AttributionNetwork, images: LabelledImages, recipe: LearnRecipe) -> State:
    """The file's tensors for a network that `recipe` trained on `images`, from its first step on.

    Needs some minutes, and memory for the maps of `TRUNK_IMAGES` images.
    """
    exact = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    own = begun(network.side, len(images.sources), recipe.seed)
    state: State = {}
    with torch.inference_mode():
        few = _floats(images, recipe, TRUNK_IMAGES, 0)
        ours, theirs = few, few
        names = [f"trunk.convs.{place}" for place in range(len(own.trunk.convs))]
        for place, name in enumerate(names):
            layer, wanted = own.trunk.convs[place], exact.trunk.convs[place]
            assert isinstance(layer, EqualisedConv2d)
            assert isinstance(wanted, EqualisedConv2d)
            maps = _convolved(wanted, theirs)  # (N, outputs, S, S)
            at = _places(maps, place)
            target = maps[at[0], :, at[1], at[2]]  # (places, outputs)
            _fit(name, layer, _patches(ours, at), target, rank_of(layer.weight.shape[1]), state)
            pooled = own.trunk.pooled[place]
            ours, theirs = _onward(_convolved(layer, ours), pooled), _onward(maps, pooled)
        del ours, theirs
        many = _floats(images, recipe, DENSE_IMAGES, 1)
        target = exact.dense.dense(_seen_by_dense(exact, many))
        rank = len(images.sources)
        _fit("dense", own.dense, _seen_by_dense(own, many), target, rank, state)
        difference = (exact.last.weight - own.last.weight).flatten(1)
        _kept("last.change", difference, state)
        assert exact.last.bias is not None
        _kept("last.bias", exact.last.bias[None], state)
    return state


def begun(side: int, sources: int, seed: int) -> AttributionNetwork:
    """The network that a training with this seed begins with."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AttributionNetwork(side, sources).requires_grad_(False).eval()


def restored(network: AttributionNetwork, state: State) -> AttributionNetwork:
    """`network`, as its training began, with the changes of `small_copy`, in place.

    Raises ValueError where tensors are missing, are too many, or do not fit.
    """
    left = dict(state)
    for name, layer in network.named_modules():
        if isinstance(layer, EqualisedConv2d):
            assert layer.bias is not None, f"{name} has no bias"
            outputs = len(layer.bias)
            _apply(layer, _change(name, layer, left), _matrix(f"{name}.bias", outputs, left)[0])
    if left:
        raise ValueError(f"{', '.join(sorted(left))} belong to no layer")
    return network


def whole_numbers(rows: Tensor, largest: int) -> tuple[Tensor, Tensor]:
    """(n, d) to int8 numbers of that shape, from -largest to largest, and float32 steps (n,).

    The step of a row is the one of fifteen candidates with the smallest squared error: cutting
    off rare extremes is better than coarse steps for all others.
    """
    furthest = rows.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
    best_error = torch.full_like(furthest, float("inf"))
    best_step = furthest / largest
    for share in torch.linspace(0.3, 1.0, 15).tolist():
        step = furthest * share / largest
        numbers = (rows / step[:, None]).round().clamp(-largest, largest)
        error = (numbers * step[:, None] - rows).square().sum(dim=1)
        better = error < best_error
        best_error = torch.where(better, error, best_error)
        best_step = torch.where(better, step, best_step)
    numbers = (rows / best_step[:, None]).round().clamp(-largest, largest)
    return numbers.to(torch.int8), best_step


def packed(numbers: Tensor, largest: int) -> Tensor:
    """int8 (n, d), from -largest to largest, to uint8 (n, ...): as many digits as fit a byte."""
    powers = _powers(largest)
    digits = functional.pad(numbers.long() + largest, (0, -numbers.shape[1] % len(powers)))
    return (digits.view(len(numbers), -1, len(powers)) * powers).sum(2).to(torch.uint8)


def unpacked(numbers: Tensor, largest: int, width: int) -> Tensor:
    """The reverse: uint8 (n, ...) to float32 (n, width); ValueError for another width."""
    powers = _powers(largest)
    if numbers.shape[1] != -(-width // len(powers)):
        raise ValueError(f"{tuple(numbers.shape)} bytes hold no rows of {width} numbers")
    digits = numbers.long()[..., None] // powers % (2 * largest + 1)
    return (digits.flatten(1)[:, :width] - largest).float()


def _powers(largest: int) -> Tensor:
    """Of the base 2 * largest + 1, those that keep a byte below 256."""
    base, found = 2 * largest + 1, [1]
    while found[-1] * base * base <= 256:
        found.append(found[-1] * base)
    return torch.tensor(found)


def _fit(
    name: str, layer: EqualisedConv2d, inputs: Tensor, target: Tensor, rank: int | None, out: State
) -> None:
    """Change `layer` so that inputs (N, d) nearly give target (N, outputs); numbers to `out`."""
    weight = layer.weight.flatten(1)
    inputs = inputs * layer.scale
    missing = target - inputs @ weight.T
    inputs_mean, missing_mean = inputs.mean(0), missing.mean(0)
    inputs, missing = inputs - inputs_mean, missing - missing_mean
    full = _regression(inputs, missing)  # (outputs, d)
    if rank is None:
        change = _kept(f"{name}.change", full, out)
    else:
        seen = inputs @ full.T  # (N, outputs)
        axes = torch.linalg.eigh(seen.T @ seen).eigenvectors[:, -rank:]  # (outputs, r)
        right = _kept(f"{name}.right", axes.T @ full, out)  # (r, d)
        seen = inputs @ right.T  # (N, r)
        left = _kept(f"{name}.left", _regression(seen, missing).T, out)  # (r, outputs)
        change = left.T @ right
    bias = _kept(f"{name}.bias", (missing_mean - change @ inputs_mean)[None], out)[0]
    _apply(layer, change, bias)


def _regression(inputs: Tensor, target: Tensor) -> Tensor:
    """(N, d) and (N, outputs), both of mean zero, to (outputs, d); by the smaller of N and d."""
    count, size = inputs.shape
    gram = inputs.T @ inputs if size <= count else inputs @ inputs.T
    # The sum of squares is the same in both; its mean over the inputs makes the ridge.
    gram.diagonal().add_(_RIDGE * float(gram.diagonal().sum()) / min(size, count))
    if size <= count:
        weights: Tensor = torch.linalg.solve(gram, inputs.T @ target)
        return weights.T
    shares: Tensor = torch.linalg.solve(gram, target)  # (N, outputs)
    return shares.T @ inputs


def _apply(layer: EqualisedConv2d, change: Tensor, bias: Tensor) -> None:
    """Add a change (outputs, d) to a layer's weights and set its bias (outputs,)."""
    assert layer.bias is not None
    if change.shape != layer.weight.flatten(1).shape or bias.shape != layer.bias.shape:
        raise ValueError(
            f"changes of {tuple(change.shape)} and a bias of {tuple(bias.shape)} for weights of"
            f" {tuple(layer.weight.shape)}"
        )
    layer.weight.add_(change.view_as(layer.weight))
    layer.bias.copy_(bias)


def _change(name: str, layer: EqualisedConv2d, left: State) -> Tensor:
    """The change of a layer's weights, (outputs, d); what is read is taken out of `left`."""
    outputs, inputs = layer.weight.flatten(1).shape
    if f"{name}.change" in left:
        return _matrix(f"{name}.change", inputs, left)
    right = _matrix(f"{name}.right", inputs, left)
    return _matrix(f"{name}.left", outputs, left).T @ right


def _matrix(name: str, width: int, left: State) -> Tensor:
    """(rows, width) float32, taken out of `left`."""
    try:
        numbers, steps = left.pop(name), left.pop(name + _STEP)
    except KeyError as error:
        raise ValueError(f"there is no {error} for {name}") from error
    return unpacked(numbers, _largest(name), width) * steps[:, None]


def _kept(name: str, rows: Tensor, out: State) -> Tensor:
    """Rows as whole numbers into `out`; returns what they stand for."""
    numbers, out[name + _STEP] = whole_numbers(rows, _largest(name))
    out[name] = packed(numbers, _largest(name))
    return _matrix(name, rows.shape[1], dict(out))


def _largest(name: str) -> int:
    return LARGEST.get(name, LARGEST[name.rpartition(".")[2]])


def _floats(images: LabelledImages, recipe: LearnRecipe, count: int, part: int) -> Tensor:
    """Images as the training saw them, (count, 3, R, R) in [-1, 1]."""
    rng = np.random.default_rng([_SEED, recipe.seed, part])
    return to_float(torch.from_numpy(drawn(images, recipe, count, rng)[0]))


def _convolved(layer: EqualisedConv2d, maps: Tensor) -> Tensor:
    return torch.cat([layer(batch) for batch in _batches(maps)])


def _seen_by_dense(network: AttributionNetwork, images: Tensor) -> Tensor:
    """(N, 3, R, R) to (N, 8192)."""
    return torch.cat([network.trunk(batch).flatten(1) for batch in _batches(images)])


def _batches(maps: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(maps), _BATCH):
        yield maps[start : start + _BATCH].contiguous(memory_format=torch.channels_last)


def _onward(maps: Tensor, pooled: bool) -> Tensor:
    maps = functional.leaky_relu(maps, SLOPE)
    return functional.avg_pool2d(maps, 2) if pooled else maps


def _places(maps: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images, rows and columns of at most `_PLACES` places of maps (N, C, S, S), at random."""
    count, _, rows, columns = maps.shape
    random = torch.Generator().manual_seed(seed)
    drawn_ones = torch.randperm(count * rows * columns, generator=random)[:_PLACES]
    image, place = drawn_ones // (rows * columns), drawn_ones % (rows * columns)
    return image, place // columns, place % columns


def _patches(maps: Tensor, at: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """What a convolution of 3x3 with reflected borders sees at places of (N, C, S, S): (n, 9C)."""
    image, row, column = at
    padded = functional.pad(maps, (1, 1, 1, 1), mode="reflect")
    windows = padded.unfold(2, 3, 1).unfold(3, 3, 1)  # (N, C, S, S, 3, 3)
    return windows[image, :, row, column].flatten(1)
