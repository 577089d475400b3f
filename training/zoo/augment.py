"""Differentiable augmentation (DiffAugment), so that 699 faces or 121 scenes can train a GAN.

Zhao et al. 2020, arXiv 2006.10738: colour, translation and cutout are applied to real and fake
images alike before the critic sees them (their equations 6-8), so that the critic cannot learn the
photographs by heart and the generator does not learn the augmentations. All four GANs of the zoo
use it in both sizes; their papers do not, for they had 100,000 photographs and more.
"""

import torch
from torch import Tensor
from torch.nn import functional

TRANSLATION = 0.125
"""Largest shift as a share of the side; the paper's value."""

CUTOUT = 0.5
"""Side of the blanked square as a share of the image's; the paper's value."""


def augment(images: Tensor, random: torch.Generator) -> Tensor:
    """Colour, translation and cutout, each drawn per image: (B,3,R,R) in [-1,1] -> same shape."""
    return cutout(translate(colour(images, random), random), random)


def colour(images: Tensor, random: torch.Generator) -> Tensor:
    """Brightness +-0.5, saturation x0..2, contrast x0.5..1.5 (the paper's ranges)."""
    batch = images.shape[0]
    draws = torch.rand(3, batch, 1, 1, 1, generator=random).to(images)
    images = images + (draws[0] - 0.5)
    grey = images.mean(1, keepdim=True)  # (B,1,R,R)
    images = grey + (images - grey) * (2 * draws[1])
    mean = images.mean((1, 2, 3), keepdim=True)  # (B,1,1,1)
    return mean + (images - mean) * (draws[2] + 0.5)


def translate(images: Tensor, random: torch.Generator) -> Tensor:
    """Shift by up to an eighth of the side in both axes; what comes in is zero."""
    batch, _, side, _ = images.shape
    reach = int(side * TRANSLATION + 0.5)
    if reach == 0:
        return images
    padded = functional.pad(images, (reach, reach, reach, reach))
    shifts = torch.randint(0, 2 * reach + 1, (batch, 2), generator=random).tolist()
    return torch.stack(
        [padded[i, :, y : y + side, x : x + side] for i, (y, x) in enumerate(shifts)]
    ).contiguous(memory_format=torch.channels_last)


def cutout(images: Tensor, random: torch.Generator) -> Tensor:
    """Blank a square of half the side, whose centre lies anywhere in the image."""
    batch, _, side, _ = images.shape
    half = int(side * CUTOUT / 2)
    centres = torch.randint(0, side + 1, (batch, 2), generator=random)
    axis = torch.arange(side)
    inside = (axis - centres[:, :, None] >= -half) & (axis - centres[:, :, None] < half)  # (B,2,R)
    hole = inside[:, 0, :, None] & inside[:, 1, None, :]  # (B,R,R)
    return images * (~hole)[:, None].to(images)
