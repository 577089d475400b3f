"""The architectures that a bundle may name, and what everything else needs of any of them.

- `spectrum-cooccurrence-residual` (networks.py): crops of 32 pixels, several sources of evidence;
  made to register generators that it has never seen.
- `attribution-network` (attribution_network.py): the classifier of Yu, Davis and Fritz 2019; its
  fingerprints are the 512 features before the last layer.

Letters for axes: N crops of B images, S their side, F raw features, D fingerprint size.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from worker.errors import StopError
from worker.extractor.attribution_network import AttributionNetwork
from worker.extractor.document import BundleDocument
from worker.extractor.networks import FingerprintNetwork, NetworkSizes


class ExtractorNetwork(Protocol):
    """Crops to fingerprints and scores, in steps: one pass over the crops serves two poolings."""

    @property
    def architecture(self) -> str:
        """The name in bundle.json."""

    @property
    def crop_size(self) -> int:
        """S, pixels."""

    @property
    def dimension(self) -> int:
        """D, numbers of a fingerprint."""

    def further_sizes(self) -> dict[str, int]:
        """What else `build_network` needs, as fields of bundle.json."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """All weights by name, as in weights.safetensors."""

    def move_to(self, device: torch.device) -> None:
        """Move the weights, in the memory layout in which the convolutions run fastest."""

    def crop_features(self, crops: Tensor, *, autocast_bf16: bool = False) -> tuple[Tensor, ...]:
        """uint8 RGB (N, 3, S, S) to features of each crop, each (N, ...), float32.

        With `autocast_bf16` the convolutions, and nothing else, run in bfloat16.
        """

    def pool(self, parts: tuple[Tensor, ...], image_of_crop: Tensor, images: int) -> Tensor:
        """Features of crops to one row of raw features for each image, (B, F).

        `image_of_crop` is (N,) int64, the image that each crop belongs to.
        """

    def fingerprint(self, features: Tensor) -> Tensor:
        """Raw features (B, F) to fingerprints (B, D), float32."""

    def score(self, fingerprints: Tensor) -> Tensor:
        """Fingerprints (B, D) to the evidence of synthesis (B,), a log-odds that rises; float32."""


def build_network(
    document: BundleDocument, weights: Mapping[str, Tensor] | None = None
) -> ExtractorNetwork:
    """The network that bundle.json describes, in evaluation mode and without gradients.

    StopError for an architecture that is not known, ValueError for sizes that it cannot have,
    RuntimeError for `weights` that do not fit.
    """
    if document.architecture not in _BUILDERS:
        raise StopError(
            f"bundle.json names the architecture {document.architecture!r}, this version knows"
            f" {', '.join(_BUILDERS)}; export the bundle again or install the version that wrote"
            " it",
            exit_code=2,
        )
    network = _BUILDERS[document.architecture](document)
    if weights is not None:
        network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def _fingerprint_network(document: BundleDocument) -> FingerprintNetwork:
    if document.residual_width < 1 or document.residual_features < 1:
        raise ValueError(
            f"residual_width is {document.residual_width} and residual_features"
            f" {document.residual_features}, expected at least 1 each"
        )
    return FingerprintNetwork(
        NetworkSizes(
            document.crop_size,
            document.residual_width,
            document.residual_features,
            document.dimension,
        )
    )


def _attribution_network(document: BundleDocument) -> AttributionNetwork:
    if len(document.sources) < 2:
        raise ValueError(f"sources are {list(document.sources)}, expected real and a generator")
    network = AttributionNetwork(document.crop_size, len(document.sources))
    if document.dimension != network.dimension:
        raise ValueError(f"dimension is {document.dimension}, expected {network.dimension}")
    return network


_BUILDERS: Mapping[str, Callable[[BundleDocument], FingerprintNetwork | AttributionNetwork]] = {
    FingerprintNetwork.architecture: _fingerprint_network,
    AttributionNetwork.architecture: _attribution_network,
}
