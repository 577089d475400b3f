"""The attribution network of Yu, Davis and Fritz 2019, arXiv 1811.08180, layer for layer.

A classifier of K sources (real pictures and K-1 generators) over square images. The paper's terms:

- image fingerprint: the 512 features before the last layer;
- model fingerprint: a source's row of the last layer, 512 weights.

Letters for axes: B images, R their side, K sources. 3x3 convolutions with reflected borders, leaky
ReLU of 0.2, 2x2 average pools, no normalisation and no dropout. The convolutions may run in
bfloat16 under autocast; the two dense layers run in float32, so that fingerprints do.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.zoo.equalised import EqualisedConv2d

FINGERPRINT_SIZE = 512
SMALLEST_SIDE = 4
_LARGEST_SIDE = 128
_WIDTH_AT_LARGEST = 16
SLOPE = 0.2


def width_at(side: int) -> int:
    """Channels of the first convolution at a side: 16 at 128 pixels, doubling to 512 at 4."""
    return _WIDTH_AT_LARGEST * _LARGEST_SIDE // side


def check_side(side: int) -> None:
    """ValueError unless `side` is a power of two from 4 to 128."""
    if side not in (4, 8, 16, 32, 64, 128):
        raise ValueError(f"side {side} is none of 4, 8, 16, 32, 64, 128 pixels")


class Trunk(nn.Module):
    """(B, inputs, R, R) to (B, C, S, S): two convolutions and a pool for each halving from R to S.

    At S=4 one more convolution of 512 to 512 follows, as in the paper; C is then 512, otherwise
    the number of channels that the level S begins with.
    """

    def __init__(self, side: int, smallest: int = SMALLEST_SIDE, inputs: int = 3) -> None:
        super().__init__()
        check_side(side)
        check_side(smallest)
        self.convs = nn.ModuleList()
        self.pooled: list[bool] = []  # whether a pool follows the convolution of the same place
        while side > smallest:
            width = width_at(side)
            self._add(inputs, width, pooled=False)
            self._add(width, 2 * width, pooled=True)
            inputs, side = 2 * width, side // 2
        if side == SMALLEST_SIDE:
            self._add(inputs, FINGERPRINT_SIZE, pooled=False)
            inputs = FINGERPRINT_SIZE
        self.outputs = inputs

    def _add(self, inputs: int, outputs: int, *, pooled: bool) -> None:
        self.convs.append(EqualisedConv2d(inputs, outputs, 3, reflect=True))
        self.pooled.append(pooled)

    def forward(self, x: Tensor) -> Tensor:
        for conv, pooled in zip(self.convs, self.pooled, strict=True):
            x = functional.leaky_relu(conv(x), SLOPE)
            if pooled:
                x = functional.avg_pool2d(x, 2)
        return x


class AttributionNetwork(nn.Module):
    """Images (B, 3, R, R) in [-1, 1] to one logit for each of K sources, (B, K) float32.

    The first source is real pictures. `image_fingerprints` and `attribute` are the paper's two
    halves.
    """

    def __init__(self, side: int, sources: int) -> None:
        super().__init__()
        self.side = side
        self.trunk = Trunk(side)
        self.dense = EqualisedConv2d(FINGERPRINT_SIZE, FINGERPRINT_SIZE, SMALLEST_SIDE)
        self.last = EqualisedConv2d(FINGERPRINT_SIZE, sources, 1, gain=1.0)

    def image_fingerprints(self, images: Tensor) -> Tensor:
        """Images (B, 3, R, R) in [-1, 1] to their fingerprints (B, 512), float32."""
        maps = self.trunk(images.contiguous(memory_format=torch.channels_last))  # (B, 512, 4, 4)
        with torch.autocast(maps.device.type, enabled=False):
            rows = maps.float().flatten(1)  # (B, 8192)
            return functional.leaky_relu(self.dense.dense(rows), SLOPE)  # (B, 512)

    def attribute(self, fingerprints: Tensor) -> Tensor:
        """Image fingerprints (B, 512) to logits (B, K), float32 under autocast too."""
        with torch.autocast(fingerprints.device.type, enabled=False):
            return self.last.dense(fingerprints)

    def forward(self, images: Tensor) -> Tensor:
        return self.attribute(self.image_fingerprints(images))

    @property
    def model_fingerprints(self) -> Tensor:
        """One row for each source, (K, 512)."""
        return self.last.weight.flatten(1) * self.last.scale
