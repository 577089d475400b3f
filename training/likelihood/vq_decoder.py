"""A small autoencoder with quantised latents of a quarter of the side, as picture tokenisers have.

Latents are quantised by finite scalar quantisation (Mentzer, Minnen, Agustsson, Tschannen 2023,
arXiv 2309.15505): each number to one of a few levels, so that no codebook can collapse. Two groups
of four numbers give 20 bits for 4x4 pixels. The decoder repeats pixels and convolves.

The loss is the absolute error of pixels and of the magnitudes of a local spectrum; the second keeps
texture, which the first alone would blur.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = (8, 5, 5, 5, 8, 5, 5, 5)
_PATCH = 16
_SPECTRUM_SHARE = 0.5


class VqDecoder(nn.Module):
    """`rebuild` turns pictures (N,3,H,W) in [-1,1], sides multiples of 4, into its version."""

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 4, 2, 1),
            Residual(width),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            Residual(2 * width),
            nn.Conv2d(2 * width, len(LEVELS), 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(len(LEVELS), 2 * width, 3, 1, 1),
            Residual(2 * width),
            Residual(2 * width),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(2 * width, width, 3, 1, 1),
            Residual(width),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width // 2, 3, 1, 1),
            nn.SiLU(),
            nn.Conv2d(width // 2, 3, 3, 1, 1),
        )

    def rebuild(self, pictures: Tensor) -> Tensor:
        """(N,3,H,W) -> (N,3,H,W), not clipped."""
        rebuilt: Tensor = self.decoder(quantised(self.encoder(pictures)))
        return rebuilt

    def loss(self, pictures: Tensor, random: torch.Generator) -> Tensor:
        """A number; `random` is not used."""
        rebuilt = self.rebuild(pictures).float()
        spectra = (_spectra(rebuilt) - _spectra(pictures)).abs().mean()
        return functional.l1_loss(rebuilt, pictures) + _SPECTRUM_SHARE * spectra


class Residual(nn.Module):
    """Two convolutions, added to what they are given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, 1, 1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, 1, 1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        changed: Tensor = maps + self.layers(maps)
        return changed


def quantised(latents: Tensor) -> Tensor:
    """Each channel of (N,8,h,w) to its levels in [-1,1]; gradients pass as if nothing was done."""
    half = torch.tensor(LEVELS, device=latents.device).view(1, -1, 1, 1).float() / 2 - 0.5
    offset = torch.where(half % 1 == 0, 0.0, 0.5)  # an even number of levels has none at zero
    bounded = torch.tanh(latents.float()) * half
    rounded = (bounded - offset).round() + offset
    return (bounded + (rounded - bounded).detach()) / half


def _spectra(pictures: Tensor) -> Tensor:
    """Magnitudes of the spectra of patches of 16x16 pixels that overlap by half."""
    patches = pictures.unfold(2, _PATCH, _PATCH // 2).unfold(3, _PATCH, _PATCH // 2)
    spectra: Tensor = torch.fft.rfft2(patches, norm="ortho")
    return spectra.abs()
