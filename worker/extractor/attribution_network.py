"""The attribution network of Yu, Davis and Fritz 2019, arXiv 1811.08180, layer for layer.

A classifier of K sources (real pictures and K-1 generators) over square images. The paper's terms:

- image fingerprint: the 512 features before the last layer;
- model fingerprint: a source's row of the last layer, 512 weights.

Letters for axes: B images, R their side, K sources. 3x3 convolutions with reflected borders, leaky
ReLU of 0.2, 2x2 average pools, no normalisation and no dropout. The convolutions may run in
bfloat16 under autocast; the two dense layers run in float32, so that fingerprints do.

As the extractor of a bundle, the fingerprint of an image is the mean over its crops of side R.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from worker.extractor.networks import mean_by_image

FINGERPRINT_SIZE = 512
SMALLEST_SIDE = 4
_LARGEST_SIDE = 128
_WIDTH_AT_LARGEST = 16
_SLOPE = 0.2


class EqualisedConv2d(nn.Module):
    """A convolution, or a dense layer as one of side 1 or of the whole map, at an equalised rate.

    Weights are drawn from N(0,1) and scaled in every pass by gain / sqrt(fan-in), so that Adam
    moves all layers alike (Karras et al. 2018, arXiv 1710.10196, section 4.1). Kernels of side 3
    keep the map's size: borders are zeros, or reflected with `reflect`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        side: int,
        gain: float = math.sqrt(2),
        *,
        reflect: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = gain / math.sqrt(inputs * side * side)
        self.reflect = reflect
        self.padding = 1 if side == 3 else 0

    def forward(self, x: Tensor) -> Tensor:
        padding = self.padding
        if self.reflect and padding:
            with torch.autocast(x.device.type, enabled=False):  # it would make the maps float32
                x, padding = functional.pad(x, (1, 1, 1, 1), mode="reflect"), 0
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=padding)

    def dense(self, x: Tensor) -> Tensor:
        """The same over whole maps, flattened in the order of channel, row, column.

        (B, inputs * side * side) to (B, outputs). The rows are scaled instead of the weights, of
        which there are more.
        """
        return functional.linear(x * self.scale, self.weight.flatten(1), self.bias)


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
            x = functional.leaky_relu(conv(x), _SLOPE)
            if pooled:
                x = functional.avg_pool2d(x, 2)
        return x


class AttributionNetwork(nn.Module):
    """Images (B, 3, R, R) in [-1, 1] to one logit for each of K sources, (B, K) float32.

    The first source is real pictures. `image_fingerprints` and `attribute` are the paper's two
    halves; the methods from `crop_size` on make it an `ExtractorNetwork` (architectures.py).
    """

    architecture = "attribution-network"

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
            return functional.leaky_relu(self.dense.dense(rows), _SLOPE)  # (B, 512)

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

    @property
    def crop_size(self) -> int:
        return self.side

    @property
    def dimension(self) -> int:
        return FINGERPRINT_SIZE

    def further_sizes(self) -> dict[str, int]:
        return {}

    def move_to(self, device: torch.device) -> None:
        self.to(device)
        self.trunk.to(memory_format=torch.channels_last)

    def crop_features(self, crops: Tensor, *, autocast_bf16: bool = False) -> tuple[Tensor]:
        """uint8 RGB (N, 3, R, R) to the fingerprint of each crop, (N, 512)."""
        images = crops.float() / 127.5 - 1  # as in training
        with torch.autocast(images.device.type, torch.bfloat16, enabled=autocast_bf16):
            return (self.image_fingerprints(images),)

    def pool(self, parts: tuple[Tensor, ...], image_of_crop: Tensor, images: int) -> Tensor:
        """Fingerprints of crops, one part (N, 512), to their means by image, (B, 512)."""
        (fingerprints,) = parts
        return mean_by_image(fingerprints, image_of_crop, images)

    def fingerprint(self, features: Tensor) -> Tensor:
        """The features are the fingerprint already, (B, 512)."""
        return features

    def score(self, fingerprints: Tensor) -> Tensor:
        """Log-odds (B,) of "some generator of the training" against "real": (B, 512) to (B,)."""
        logits = self.attribute(fingerprints)  # (B, K)
        return logits[:, 1:].logsumexp(1) - logits[:, 0]
