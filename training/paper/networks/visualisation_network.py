"""The fingerprint visualisation network of Yu, Davis and Fritz 2019, arXiv 1811.08180.

A classifier whose fingerprints are pictures (the paper's "fingerprint visualization" section):

- image fingerprint: what an autoencoder cannot reconstruct of an image, input - reconstruction;
- model fingerprint: one free picture for each source;
- logit: how much of the model fingerprint is in the image fingerprint.

The last is the plain inner product in the released code (variant "inner"), and the correlation of
zero-mean, unit-norm pictures in the paper (variant "correlation"). A correlation is at most 1, so
that cross-entropy could not fall far; ours is multiplied by a learned positive number.

Letters for axes: B images, R their side, K sources. The convolutions may run in bfloat16 under
autocast; the picture itself, the fingerprints and the logits are float32.
"""

import itertools
import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.paper.networks.attribution_network import (
    FINGERPRINT_SIZE,
    SMALLEST_SIDE,
    Trunk,
    width_at,
)
from training.zoo.equalised import EqualisedConv2d
from training.zoo.progan import minibatch_stddev

Variant = Literal["inner", "correlation"]

FIRST_SCALE = 10.0
"""What correlations are multiplied by before training."""

DISPLAY_RANGE = 5.0
"""Responses are shown from -5 to 5, as in the released code."""

_SLOPE = 0.2
_WIDEST = FINGERPRINT_SIZE


class SmallConv2d(EqualisedConv2d):
    """A 3x3 convolution with reflected borders over maps of 4x4, as a matrix product.

    Two to three times as fast there, since such maps hold few pixels and the weights are many; from
    8x8 on it is slower. The pixels are scaled instead of the weights, being fewer.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, reflect=True)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # it would make the maps float32
            x = functional.pad(x * self.scale, (1, 1, 1, 1), mode="reflect")
        rows = x.permute(0, 2, 3, 1)  # (B, S+2, S+2, C)
        size = rows.shape[1] - 2
        shifts = itertools.product(range(3), range(3))
        patches = [rows[:, i : i + size, j : j + size] for i, j in shifts]
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)  # (outputs, 9C)
        result = functional.linear(torch.cat(patches, 3), weight, self.bias)  # (B, S, S, outputs)
        return result.permute(0, 3, 1, 2)  # (B, outputs, S, S), channels last


class Encoder(nn.Module):
    """Images (B, 3, R, R) to maps (B, 512, 4, 4): the paper's trunk, with a faster last layer.

    With `deviation`, minibatch standard deviation is one more map before the convolution at 4x4
    (Karras et al. 2018, arXiv 1710.10196, section 3).
    """

    def __init__(self, side: int, *, deviation: bool) -> None:
        super().__init__()
        width = width_at(8)
        self.trunk = Trunk(side, 8)
        self.narrow = _conv(self.trunk.outputs, width)
        self.wide = _conv(width, _WIDEST)
        self.last = SmallConv2d(_WIDEST + deviation, _WIDEST)
        self.deviation = deviation

    def forward(self, images: Tensor) -> Tensor:
        x = self.trunk(images.contiguous(memory_format=torch.channels_last))  # (B, 256, 8, 8)
        x = functional.avg_pool2d(_rectify(self.wide(_rectify(self.narrow(x)))), 2)
        if self.deviation:
            x = minibatch_stddev(x)  # (B, 513, 4, 4)
        return _rectify(self.last(x))


class Autoencoder(nn.Module):
    """Images (B, 3, R, R) in [-1, 1] to reconstructions of the same shape, float32 in (-1, 1).

    The trunk, three more convolutions at 4x4, two after each doubling, and one of 3x3 to RGB. There
    are no short-cuts past the 512 maps of 4x4.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.encoder = Encoder(side, deviation=False)
        self.bottom = nn.ModuleList(SmallConv2d(_WIDEST, _WIDEST) for _ in range(3))
        sides = [8 << level for level in range((side // 8).bit_length())]  # 8, 16, ... R
        widths = [_WIDEST, *map(width_at, sides)]
        self.first = nn.ModuleList(_conv(a, b) for a, b in itertools.pairwise(widths))
        self.second = nn.ModuleList(_conv(b, b) for b in widths[1:])
        self.to_rgb = EqualisedConv2d(widths[-1], 3, 3, gain=1.0, reflect=True)

    def forward(self, images: Tensor) -> Tensor:
        x = self.encoder(images)
        for conv in self.bottom:
            x = _rectify(conv(x))
        for first, second in zip(self.first, self.second, strict=True):
            x = functional.interpolate(x, scale_factor=2.0)
            x = _rectify(second(_rectify(first(x))))  # (B, C, 2S, 2S)
        # bfloat16 has steps of 1/256 near 1: as coarse as what a fingerprint consists of
        with torch.autocast(x.device.type, enabled=False):
            picture: Tensor = self.to_rgb(x.float())
        return picture.tanh()  # (B, 3, R, R)


class VisualisationNetwork(nn.Module):
    """Images (B, 3, R, R) in [-1, 1] to one logit for each of K sources, (B, K) float32."""

    def __init__(self, side: int, sources: int, variant: Variant) -> None:
        super().__init__()
        if side not in (8, 16, 32, 64, 128):
            raise ValueError(f"side {side} is none of 8, 16, 32, 64, 128 pixels")
        if variant not in ("inner", "correlation"):
            raise ValueError(f"variant {variant!r} is neither 'inner' nor 'correlation'")
        self.side, self.sources, self.variant = side, sources, variant
        self.autoencoder = Autoencoder(side)
        self.weight = nn.Parameter(torch.randn(sources, 3, side, side))
        self.weight_scale = 1 / math.sqrt(3 * side * side)  # an equalised rate, gain 1
        self.log_scale = (
            nn.Parameter(torch.tensor(math.log(FIRST_SCALE))) if variant == "correlation" else None
        )

    @property
    def model_fingerprints(self) -> Tensor:
        """One picture for each source, (K, 3, R, R) float32; of any range, about 1/sqrt(3RR)."""
        return self.weight * self.weight_scale

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images (B, 3, R, R) in [-1, 1] to what the autoencoder makes of them, float32."""
        picture: Tensor = self.autoencoder(images)
        return picture

    def image_fingerprints(self, images: Tensor) -> Tensor:
        """Images (B, 3, R, R) in [-1, 1] less their reconstructions: (B, 3, R, R) in (-2, 2)."""
        return images - self.reconstruct(images)

    def attribute(self, fingerprints: Tensor) -> Tensor:
        """Image fingerprints (B, 3, R, R) to logits (B, K), float32."""
        with torch.autocast(fingerprints.device.type, enabled=False):
            ours, theirs = self._compared(fingerprints.float(), self.model_fingerprints)
            logits = ours.flatten(1) @ theirs.flatten(1).T  # (B, K)
            return logits if self.log_scale is None else logits * self.log_scale.exp()

    def forward(self, images: Tensor) -> Tensor:
        return self.attribute(self.image_fingerprints(images))

    def response(self, image_fingerprints: Tensor, model_fingerprints: Tensor) -> Tensor:
        """Where each model's fingerprint is in each image's: their product, (B, K, 3, R, R).

        Its sum over the last three axes is the logit ("inner"), or the correlation, which is the
        logit without its learned factor ("correlation").
        """
        ours, theirs = self._compared(image_fingerprints.float(), model_fingerprints.float())
        return ours[:, None] * theirs[None]  # (B, K, 3, R, R)

    def _compared(self, ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
        """The pictures whose inner product counts: as they are, or of zero mean and unit norm."""
        if self.variant == "inner":
            return ours, theirs
        return _standardise(ours), _standardise(theirs)


class Discriminator(nn.Module):
    """Images (B, 3, R, R) in [-1, 1] to scores (B,) float32: high for images, low for others.

    The trunk with minibatch standard deviation, then dense layers of 512 and 1.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.encoder = Encoder(side, deviation=True)
        self.dense = EqualisedConv2d(_WIDEST, _WIDEST, SMALLEST_SIDE)
        self.score = EqualisedConv2d(_WIDEST, 1, 1, gain=1.0)

    def forward(self, images: Tensor) -> Tensor:
        features = _rectify(_dense(self.dense, self.encoder(images)))  # (B, 512)
        with torch.autocast(features.device.type, enabled=False):
            return _dense(self.score, features.float()[:, :, None, None]).flatten()  # (B,)


def response_picture(response: Tensor, unit: float = 1.0) -> NDArray[np.uint8]:
    """A response (3, R, R) as a picture, uint8 (R, R, 3).

    -5 units are black and 5 units white, beyond which values are clipped. Pixels with a negative
    channel are zero, hence grey: there the model fingerprint contradicts the image's.
    """
    shown = response * (response >= 0).all(0)  # (3, R, R)
    return signed_picture(shown, unit * DISPLAY_RANGE)


def signed_picture(values: Tensor, limit: float) -> NDArray[np.uint8]:
    """Values (3, R, R) as uint8 (R, R, 3): -limit is 0, zero is grey, limit is 255."""
    scaled = (values.detach().float() / limit + 1) * 127.5
    return scaled.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy(force=True)


def _conv(inputs: int, outputs: int) -> EqualisedConv2d:
    return EqualisedConv2d(inputs, outputs, 3, reflect=True)


def _rectify(x: Tensor) -> Tensor:
    """In place, since neither the convolution nor the slope of 0.2 needs the value before."""
    return functional.leaky_relu(x, _SLOPE, inplace=True)


def _dense(layer: EqualisedConv2d, maps: Tensor) -> Tensor:
    """What `layer`, as large as the maps (B, C, S, S), gives at their only place: (B, outputs).

    A matrix product is faster than such a convolution. Both operands are read channels last, as
    they lie in memory, and the smaller one is scaled.
    """
    weight = layer.weight.permute(0, 2, 3, 1).flatten(1)  # (outputs, S*S*C)
    flat = maps.permute(0, 2, 3, 1).flatten(1) * layer.scale  # (B, S*S*C)
    return functional.linear(flat, weight, layer.bias)


def _standardise(pictures: Tensor) -> Tensor:
    """Each picture (N, 3, R, R) less its mean over all values, divided by its norm."""
    centred = pictures - pictures.mean((1, 2, 3), keepdim=True)
    return functional.normalize(centred.flatten(1)).reshape(pictures.shape)
