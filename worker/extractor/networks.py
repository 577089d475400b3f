"""The fingerprint network: crops of one image to one image fingerprint.

Letters for axes: N crops in a batch (of several images), B images, S crop side, D fingerprint
size, F raw features. All arithmetic that decides a verdict runs in float32; only the
convolutions of the residual branch may run in bfloat16.

The three branches and why they are these (in trials before this code, whose scripts were not kept,
closed-set accuracy came from absolute colour power on clean images and from residual statistics
after JPEG):

- spectrum: log of the mean power of Y, Cb and Cr over the crops, not normalised per channel;
- co-occurrence: joint histograms of quantised pixel differences (after Fridrich and Kodovsky,
  "Rich Models for Steganalysis of Digital Images", TIFS 2012);
- residual: a small convolutional network on high-passed YCbCr.

A linear map (linear discriminants fitted in training) takes the three to the fingerprint.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

# ITU-R BT.601 as in JFIF; rows Y, Cb, Cr.
_RGB_TO_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)
_POWER_FLOOR = 1e-2  # of squared grey levels: below uint8 rounding noise (1/12), so log is finite
_LEVELS = 2  # differences are quantised to -2..2
_SCORE_INPUT_SCALE = 3.0  # sources lie several within-class deviations apart; the head sees about 1
_COOCCURRENCE_SCALE = 30.0  # brings root frequencies to about unit spread before standardising


class NetworkSizes(NamedTuple):
    """What fixes the architecture; stored in bundle.json."""

    crop_size: int = 32
    residual_width: int = 24
    residual_features: int = 64
    dimension: int = 96


def to_ycbcr(crops: Tensor) -> Tensor:
    """uint8 RGB (N, 3, S, S) to float32 YCbCr on the 0..255 scale, same shape, chroma centred."""
    matrix = torch.tensor(_RGB_TO_YCBCR, device=crops.device, dtype=torch.float32)
    return torch.einsum("ck,nkhw->nchw", matrix, crops.to(torch.float32))


def crop_power(ycbcr: Tensor) -> Tensor:
    """Windowed power spectra, folded over the sign of the vertical frequency.

    (N, 3, S, S) float32 to (N, 3, S/2+1, S/2+1): rows are |vertical|, columns horizontal
    frequency. A Hann window keeps the picture's borders from leaking over all frequencies.
    """
    side = ycbcr.shape[-1]
    window = torch.hann_window(side, periodic=False, device=ycbcr.device)
    window2d = window[:, None] * window[None, :]
    window2d = window2d / window2d.square().mean().sqrt()
    centred = ycbcr - ycbcr.mean(dim=(-2, -1), keepdim=True)
    power = torch.fft.rfft2(centred * window2d, norm="ortho").abs().square()  # (N, 3, S, S/2+1)
    half = side // 2
    upper = power[..., 1:half, :]
    lower = power[..., half + 1 :, :].flip(-2)
    return torch.cat(
        [power[..., :1, :], (upper + lower) / 2, power[..., half : half + 1, :]], dim=-2
    )


def crop_cooccurrences(ycbcr: Tensor) -> Tensor:
    """Joint frequencies of three neighbouring quantised differences, per channel and order.

    (N, 3, S, S) float32 to (N, 3*2*63): for Y, Cb, Cr and for first and second differences,
    horizontal and vertical pooled; triples and their negatives share a bin, since pictures carry
    no sign. Each block of 63 sums to one.
    """
    count = ycbcr.shape[0]
    blocks: list[Tensor] = []
    fold = _sign_folding(ycbcr.device)
    for axis_order in (1, 2):
        histograms = torch.zeros(count * 3, 125, device=ycbcr.device)
        for picture in (ycbcr, ycbcr.transpose(-2, -1)):
            differences = torch.diff(picture, n=axis_order, dim=-1)
            step = 1.0 if axis_order == 1 else 2.0
            symbols = (differences / step).round().clamp(-_LEVELS, _LEVELS).to(torch.int64)
            symbols = symbols + _LEVELS
            codes = symbols[..., :-2] * 25 + symbols[..., 1:-1] * 5 + symbols[..., 2:]
            codes = codes.reshape(count * 3, -1)  # (N*3, positions)
            histograms.scatter_add_(
                1, codes, torch.ones(codes.shape, device=ycbcr.device, dtype=torch.float32)
            )
        folded = torch.zeros(count * 3, 63, device=ycbcr.device)
        folded.index_add_(1, fold, histograms)
        folded = folded / folded.sum(dim=1, keepdim=True)
        blocks.append(folded.reshape(count, 3 * 63))
    return torch.cat(blocks, dim=1)


def _sign_folding(device: torch.device) -> Tensor:
    """For each of the 125 triples, the bin (0..62) it shares with its negative."""
    bins: dict[int, int] = {}
    index = []
    for code in range(125):
        key = min(code, 124 - code)
        index.append(bins.setdefault(key, len(bins)))
    return torch.tensor(index, device=device)


class ResidualBranch(nn.Module):
    """A small convolutional network on high-passed YCbCr: (N, 3, S, S) to (N, features)."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        # First layer: each channel minus the mean of its eight neighbours, and minus its right
        # and lower neighbour: nine fixed high-pass maps, clipped, then learned layers.
        self.layers = nn.Sequential(
            nn.Conv2d(9, width, 3, padding=1),
            nn.GroupNorm(4, width),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.SiLU(),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
            nn.GroupNorm(4, 4 * width),
            nn.SiLU(),
        )
        self.embed = nn.Linear(8 * width, features)

    def forward(self, ycbcr: Tensor, *, autocast_bf16: bool = False) -> Tensor:
        high_pass = _high_pass(ycbcr)
        with torch.autocast(ycbcr.device.type, dtype=torch.bfloat16, enabled=autocast_bf16):
            maps = self.layers(high_pass.contiguous(memory_format=torch.channels_last))
        maps = maps.float()
        pooled = torch.cat([maps.mean(dim=(-2, -1)), maps.std(dim=(-2, -1))], dim=1)
        embedded: Tensor = self.embed(pooled)  # (N, features)
        return embedded


def _high_pass(ycbcr: Tensor) -> Tensor:
    """(N, 3, S, S) grey levels to (N, 9, S, S): three fixed high-pass maps, clipped to +-1."""
    padded = functional.pad(ycbcr, (1, 1, 1, 1), mode="reflect")
    box = functional.avg_pool2d(padded, 3, stride=1)
    right = padded[..., 1:-1, 2:]
    below = padded[..., 2:, 1:-1]
    maps = torch.cat([ycbcr - box, ycbcr - right, ycbcr - below], dim=1)
    return torch.clamp(maps / 16.0, -1.0, 1.0)


class FingerprintNetwork(nn.Module):
    """All branches, the linear map to the fingerprint, and the score of the real test.

    `crop_features` works on each crop; `pool` makes one row of raw features per image;
    `fingerprint` maps rows to fingerprints. An `ExtractorNetwork` (architectures.py).
    """

    architecture = "spectrum-cooccurrence-residual"
    feature_mean: Tensor
    feature_scale: Tensor
    projection: Tensor

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        self.sizes = sizes
        bins = (sizes.crop_size // 2 + 1) ** 2
        self.spectrum_features = 3 * bins
        self.cooccurrence_features = 3 * 2 * 63
        features = self.spectrum_features + self.cooccurrence_features + sizes.residual_features
        self.residual = ResidualBranch(sizes.residual_width, sizes.residual_features)
        self.register_buffer("feature_mean", torch.zeros(features))
        self.register_buffer("feature_scale", torch.ones(features))
        self.register_buffer("projection", torch.zeros(sizes.dimension, features))
        self.score_head = nn.Sequential(
            nn.Linear(sizes.dimension, 64),
            nn.SiLU(),
            nn.Linear(64, 1),
        )

    @property
    def crop_size(self) -> int:
        return self.sizes.crop_size

    @property
    def dimension(self) -> int:
        return self.sizes.dimension

    def further_sizes(self) -> dict[str, int]:
        return {
            "residual_width": self.sizes.residual_width,
            "residual_features": self.sizes.residual_features,
        }

    def move_to(self, device: torch.device) -> None:
        self.to(device)
        self.residual.to(memory_format=torch.channels_last)

    def crop_features(
        self, crops: Tensor, *, autocast_bf16: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """uint8 (N, 3, S, S) to power (N, P), co-occurrences (N, Q), residual (N, E)."""
        ycbcr = to_ycbcr(crops)
        return (
            crop_power(ycbcr).flatten(1),
            crop_cooccurrences(ycbcr),
            self.residual(ycbcr, autocast_bf16=autocast_bf16),
        )

    def pool(self, parts: tuple[Tensor, ...], image_of_crop: Tensor, images: int) -> Tensor:
        """Averages over each image's crops: rows of raw features (B, F).

        `image_of_crop` is (N,) int64, the image that each crop belongs to.
        """
        power, cooccurrence, residual = (mean_by_image(p, image_of_crop, images) for p in parts)
        return torch.cat(
            [
                torch.log(power + _POWER_FLOOR),
                cooccurrence.sqrt() * _COOCCURRENCE_SCALE,
                residual,
            ],
            dim=1,
        )

    def fingerprint(self, features: Tensor) -> Tensor:
        """Raw features (B, F) to fingerprints (B, D)."""
        standard = (features - self.feature_mean) / self.feature_scale
        return standard @ self.projection.T

    def score(self, fingerprints: Tensor) -> Tensor:
        """Fingerprints (B, D) to the evidence of synthesis (B,), a log-odds that rises."""
        scores: Tensor = self.score_head(fingerprints / _SCORE_INPUT_SCALE)
        return scores.squeeze(1)


def mean_by_image(rows: Tensor, image_of_crop: Tensor, images: int) -> Tensor:
    """(N, F) rows averaged over the crops of each image: (B, F)."""
    total = torch.zeros(images, rows.shape[1], device=rows.device, dtype=rows.dtype)
    total.index_add_(0, image_of_crop, rows)
    counts = torch.bincount(image_of_crop, minlength=images).to(rows.dtype)
    return total / counts[:, None]
