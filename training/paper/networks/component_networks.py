"""Networks that see one part of the images alone: low frequencies, one band of them, or patches.

Yu, Davis and Fritz 2019, arXiv 1811.08180, section 3.2 and figure 2, ask with them where a
fingerprint lies. Three kinds, each at a side s, a power of two from 4 to the images' side R:

- `low`, the paper's pre-downsampling network: the attribution network of s over images that were
  halved down to s by a Gaussian pyramid;
- `band`, its pre-downsampling residual network: the same over what the step from s to s/2 takes
  away, a level of the Laplacian pyramid. Its code was not released, so that this is a reading of
  the figure;
- `patch`, its post-pooling network: the attribution network's convolutions down to s, where each
  place has seen a patch (`receptive_field`), then 512 features and a logit for each source at each
  place, and their mean over the places. The `postpool` mode of the released code pools features to
  4x4 instead and sees no patch of a fixed size; the paper's text and this differ from it.

Letters for axes: B images, R their side, K sources.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.paper.networks.attribution_network import (
    FINGERPRINT_SIZE,
    SLOPE,
    SMALLEST_SIDE,
    AttributionNetwork,
    Trunk,
    check_side,
)
from training.zoo.equalised import EqualisedConv2d

Kind = Literal["low", "band", "patch"]


@dataclass(frozen=True)
class Component:
    """What a network sees of the images; `side` is the s at the top of this module."""

    kind: Kind
    side: int

    @property
    def name(self) -> str:
        """As in file names: low32, band8, patch16."""
        return f"{self.kind}{self.side}"


def network_for(side: int, sources: int, component: Component | None) -> "Attributor":
    """The network, with new weights, of images of `side`: of a component, or of the whole image.

    Raises ValueError for a side, or a component's, that is no power of two from 4 to 128 or
    larger than the images'.
    """
    if component is None:
        return AttributionNetwork(side, sources)
    check_side(side)
    check_side(component.side)
    if component.side > side:
        raise ValueError(f"{component.name} of images of {side} pixels; expected {side} or less")
    if component.kind == "patch":
        return PatchNetwork(side, sources, component)
    return FrequencyNetwork(side, sources, component)


def component_of(network: "Attributor") -> Component | None:
    """What a network sees; None for the whole image."""
    return None if isinstance(network, AttributionNetwork) else network.component


class FrequencyNetwork(nn.Module):
    """The attribution network of a smaller side over low frequencies or a band of the images."""

    def __init__(self, side: int, sources: int, component: Component) -> None:
        super().__init__()
        self.side, self.component = side, component
        self.network = AttributionNetwork(component.side, sources)

    @property
    def last(self) -> EqualisedConv2d:
        """The layer of the logits."""
        return self.network.last

    def seen(self, images: Tensor) -> Tensor:
        """Images (B,3,R,R) to what the attribution network gets, (B,3,s,s) float32."""
        with torch.autocast(images.device.type, enabled=False):
            low: Tensor = images.float()
            while low.shape[-1] > self.component.side:
                low = halved(low)
            return low - doubled(halved(low)) if self.component.kind == "band" else low

    def image_fingerprints(self, images: Tensor) -> Tensor:
        """Images (B,3,R,R) in [-1,1] to their fingerprints (B,512), float32."""
        return self.network.image_fingerprints(self.seen(images))

    def attribute(self, fingerprints: Tensor) -> Tensor:
        """Image fingerprints (B,512) to logits (B,K), float32."""
        return self.network.attribute(fingerprints)

    def forward(self, images: Tensor) -> Tensor:
        return self.attribute(self.image_fingerprints(images))


class PatchNetwork(nn.Module):
    """The mean of what every patch of `receptive_field(R, s)` pixels says of its source.

    The mean over the places comes before the last layer, which is linear: the logits are the same,
    for fewer multiplications.
    """

    def __init__(self, side: int, sources: int, component: Component) -> None:
        super().__init__()
        self.side, self.component = side, component
        smallest = component.side
        self.trunk = Trunk(side, smallest)
        # At 4x4 the trunk ends in this convolution already.
        own = smallest > SMALLEST_SIDE
        self.wide = (
            EqualisedConv2d(self.trunk.outputs, FINGERPRINT_SIZE, 3, reflect=True) if own else None
        )
        self.last = EqualisedConv2d(FINGERPRINT_SIZE, sources, 1, gain=1.0)

    def image_fingerprints(self, images: Tensor) -> Tensor:
        """Images (B,3,R,R) in [-1,1] to the mean features of their patches (B,512), float32."""
        return self.patch_features(images).mean((2, 3), dtype=torch.float32)

    def patch_features(self, images: Tensor) -> Tensor:
        """Images (B,3,R,R) in [-1,1] to the features of every patch, (B,512,s,s)."""
        maps: Tensor = self.trunk(images.contiguous(memory_format=torch.channels_last))  # (B,C,s,s)
        return maps if self.wide is None else functional.leaky_relu(self.wide(maps), SLOPE)

    def attribute(self, fingerprints: Tensor) -> Tensor:
        """Mean features (B,512) to logits (B,K), float32 under autocast too."""
        with torch.autocast(fingerprints.device.type, enabled=False):
            return self.last.dense(fingerprints)

    def forward(self, images: Tensor) -> Tensor:
        return self.attribute(self.image_fingerprints(images))


Attributor = AttributionNetwork | FrequencyNetwork | PatchNetwork
"""Images (B,3,R,R) to fingerprints (B,512), and these to logits (B,K)."""


def receptive_field(side: int, smallest: int) -> int:
    """Pixels a side that one place of the patch network at `smallest` sees, border aside."""
    seen, step = 1, 1
    while side > smallest:
        seen += 2 * 2 * step + step  # two convolutions of 3x3, and a pool of 2x2
        step *= 2
        side //= 2
    return seen + 2 * step


def halved(images: Tensor) -> Tensor:
    """A level down the Gaussian pyramid: (B,3,R,R) to (B,3,R/2,R/2), R >= 4.

    Burt and Adelson 1983: the binomial kernel [1,4,6,4,1], borders reflected, every second pixel.
    """
    padded = functional.pad(images, (2, 2, 2, 2), mode="reflect")
    return functional.conv2d(padded, _kernel(images), stride=2, groups=images.shape[1])


def doubled(images: Tensor) -> Tensor:
    """Back up: (B,3,R,R) to (B,3,2R,2R), R >= 2; zeros in between, and four times the kernel."""
    count, channels, side, _ = images.shape
    spread = images.new_zeros(count, channels, 2 * side, 2 * side)
    spread[:, :, ::2, ::2] = images
    padded = functional.pad(spread, (2, 2, 2, 2), mode="reflect")
    return functional.conv2d(padded, 4 * _kernel(images), groups=channels)


def _kernel(images: Tensor) -> Tensor:
    """The same for each channel, (3,1,5,5)."""
    row = images.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    return torch.outer(row, row).repeat(images.shape[1], 1, 1, 1)
