"""Decoders that are no pyramid: latents, tokens, codebooks, wavelets, steps of denoising.

Each function draws a fixed operator on pictures (1,3,H,W), float32 in [-1,1], sides multiples of
16. What it draws at each call is drawn from the generator that it is given then.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.generators.traces import taps

Decoder = Callable[[Tensor, torch.Generator], Tensor]

_DIRECTIONS = 8

_HAAR = np.array([0.5, 0.5]) * np.sqrt(2)
# Daubechies (1988), two vanishing moments.
_DB2 = np.array([1 + np.sqrt(3), 3 + np.sqrt(3), 3 - np.sqrt(3), 1 - np.sqrt(3)]) / 4 / np.sqrt(2)


def pixel_shuffle(rng: np.random.Generator) -> Decoder:
    """Pixels of 2x2 or 4x4 squares as channels, mixed by two convolutions, and spread out again."""
    factor = int(rng.choice([2, 2, 4]))
    channels = 3 * factor**2
    strength = float(np.exp(rng.uniform(np.log(0.02), np.log(0.08))))
    inner = taps(rng, (channels, channels, 3, 3), 1 / np.sqrt(9 * channels))
    outer = taps(rng, (channels, channels, 1, 1), 2 * strength / np.sqrt(channels))
    bias = taps(rng, (channels,), 0.1 * strength)

    def decode(picture: Tensor, _: torch.Generator) -> Tensor:
        latent = functional.pixel_unshuffle(picture, factor)
        hidden = functional.silu(functional.conv2d(latent, inner, padding=1))
        return functional.pixel_shuffle(latent + functional.conv2d(hidden, outer, bias), factor)

    return decode


def codebook(rng: np.random.Generator) -> Decoder:
    """Each square's deviation from a smooth picture, in a drawn basis, to the nearest level."""
    factor = int(rng.choice([2, 4]))
    size = 3 * factor**2
    basis = torch.from_numpy(np.linalg.qr(rng.normal(size=(size, size)))[0].astype(np.float32))
    analysis = basis.reshape(size, size, 1, 1)
    synthesis = basis.T.reshape(size, size, 1, 1).contiguous()
    step = float(rng.uniform(0.04, 0.12))
    offsets = taps(rng, (size, 1, 1), 0.25)

    def decode(picture: Tensor, _: torch.Generator) -> Tensor:
        coarse = functional.avg_pool2d(picture, factor)
        base = functional.interpolate(coarse, scale_factor=factor, mode="bilinear")
        codes = functional.conv2d(functional.pixel_unshuffle(picture - base, factor), analysis)
        nearest = ((codes / step + offsets).round() - offsets) * step
        return base + functional.pixel_shuffle(functional.conv2d(nearest, synthesis), factor)

    return decode


def latent_8(rng: np.random.Generator) -> Decoder:
    """Latents of an eighth of the side, a few a square, noisy, and three stages back.

    A stage repeats pixels and convolves, as the decoders of latent diffusion do; what a square's
    latents do not hold is brought back by the caller.
    """
    kept, noise = int(rng.integers(4, 9)), float(rng.uniform(0.01, 0.05))
    basis = np.linalg.qr(rng.normal(size=(64, kept)) * _falling(8)[:, None])[0]
    forth = torch.from_numpy(basis.T.astype(np.float32)).reshape(kept, 1, 8, 8)
    kernels = [taps(rng, (3, 3, 3, 3), 0.03) for _ in range(3)]
    plain = torch.tensor([1.0, 2.0, 1.0])
    for kernel in kernels:
        kernel -= kernel.mean((2, 3), keepdim=True)  # brightness and colour stay
        for channel in range(3):
            kernel[channel, channel] += torch.outer(plain, plain) / 16

    def decode(picture: Tensor, random: torch.Generator) -> Tensor:
        coarse = functional.avg_pool2d(picture, 8)
        out = coarse + noise * torch.randn(coarse.shape, generator=random)
        for kernel in kernels:
            out = functional.interpolate(out, scale_factor=2, mode="nearest")
            out = functional.conv2d(functional.pad(out, (1,) * 4, mode="replicate"), kernel)
        _, _, height, width = picture.shape
        lost = (picture - out).reshape(3, 1, height, width)
        codes = functional.conv2d(lost, forth, stride=8)  # (3,kept,H/8,W/8)
        codes = codes + noise * torch.randn(codes.shape, generator=random)
        return out + functional.conv_transpose2d(codes, forth, stride=8).reshape(picture.shape)

    return decode


def wavelet(rng: np.random.Generator) -> Decoder:
    """A wavelet transform whose bands are mixed, and a synthesis filter that does not quite fit."""
    low = _HAAR if rng.random() < 0.5 else _DB2
    fitting = _filters(low)
    drawn = low + rng.normal(0, 0.01, len(low))
    other = _filters(drawn * np.linalg.norm(low) / np.linalg.norm(drawn))
    levels = int(rng.integers(1, 4))
    gains = [1 + taps(rng, (12, 1, 1), 0.08) for _ in range(levels)]
    mixing = [taps(rng, (12, 12, 1, 1), 0.03) for _ in range(levels)]
    for gain, mix in zip(gains, mixing, strict=True):
        gain[::4] = 1.0  # the coarse bands keep their brightness
        mix[::4] = 0.0

    def step(picture: Tensor, level: int) -> Tensor:
        margin = len(low) - 2
        padded = functional.pad(picture, (margin,) * 4, mode="circular")
        bands = functional.conv2d(padded, fitting, stride=2, groups=3)
        bands = bands * gains[level] + functional.conv2d(bands, mixing[level])
        if level + 1 < levels:
            inside = bands[..., : picture.shape[-2] // 2, : picture.shape[-1] // 2]
            deeper = bands.clone()
            deeper[:, ::4, : inside.shape[-2], : inside.shape[-1]] = (
                step(inside[:, ::4] / 2, level + 1) * 2
            )
            bands = deeper
        out = functional.conv_transpose2d(bands, other, stride=2, groups=3)
        height, width = picture.shape[-2:]
        return out[..., margin : margin + height, margin : margin + width]

    return lambda picture, _: step(picture, 0)


def patches(rng: np.random.Generator) -> Decoder:
    """Tokens of 8x8 or 16x16 pixels, each decoded for itself by one map; their seams stay."""
    size = int(rng.choice([8, 16]))
    gains = 1 + taps(rng, (1, 3, 1, size, 1, size), 0.015)
    offsets = taps(rng, (1, 3, 1, size, 1, size), 0.006)
    rank = 6
    down = taps(rng, (rank, 3, size, size), 1 / size)
    back = taps(rng, (rank, 3, size, size), float(rng.uniform(0.02, 0.06)))
    wobble = float(rng.uniform(0.0, 0.012))

    def decode(picture: Tensor, random: torch.Generator) -> Tensor:
        _, _, height, width = picture.shape
        rows, columns = height // size, width // size
        tokens = functional.conv2d(picture, down, stride=size)  # (1,rank,rows,columns)
        added = functional.conv_transpose2d(torch.tanh(tokens), back, stride=size)
        shifts = wobble * torch.randn(1, 3, rows, 1, columns, 1, generator=random)
        split = picture.reshape(1, 3, rows, size, columns, size)
        return (split * gains + offsets + shifts).reshape(picture.shape) + added

    return decode


def fractional_resize(rng: np.random.Generator) -> Decoder:
    """Made at a size that is no whole part of the output's, and resized to it."""
    factor = float(rng.choice([1.2, 1.25, 1.333, 1.4, 1.5, 1.6, 1.75, 2.3, 2.667]))
    mode = str(rng.choice(["bilinear", "bicubic", "nearest"]))
    weight = taps(rng, (3, 3, 3, 3), 0.03)
    for channel in range(3):
        weight[channel, channel, 1, 1] += 1.0
    share = 0.4 if mode == "nearest" else 1.0

    def decode(picture: Tensor, _: torch.Generator) -> Tensor:
        height, width = picture.shape[-2:]
        size = [max(1, round(height / factor)), max(1, round(width / factor))]
        small = functional.interpolate(picture, size=size, mode="bilinear", antialias=True)
        small = functional.conv2d(functional.pad(small, (1,) * 4, mode="replicate"), weight)
        large = functional.interpolate(small, size=[height, width], mode=mode)
        if share == 1.0:
            return large
        fine = functional.interpolate(small, size=[height, width], mode="bicubic")
        return share * large + (1 - share) * fine

    return decode


def denoiser(rng: np.random.Generator) -> Decoder:
    """One to three steps that add noise and take much of it away by drawn filters and a threshold.

    What a filter sees of less than the threshold is taken for noise; fewer filters than the 26
    directions of a 3x3 square of colours leave a part of it.
    """
    steps = int(rng.integers(1, 4))
    noise = [float(rng.uniform(0.03, 0.10)) / (1 + step) for step in range(steps)]
    filters = [taps(rng, (_DIRECTIONS, 3, 3, 3), 1.0) for _ in range(steps)]
    for weight in filters:
        weight -= weight.mean((1, 2, 3), keepdim=True)
        weight /= weight.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
    taken = float(rng.uniform(0.5, 0.9))

    def decode(picture: Tensor, random: torch.Generator) -> Tensor:
        for level, weight in zip(noise, filters, strict=True):
            picture = picture + level * torch.randn(picture.shape, generator=random)
            detail = functional.conv2d(picture, weight, padding=1)
            small = detail.clamp(-1.5 * level, 1.5 * level)
            noisy = functional.conv_transpose2d(small, weight, padding=1)
            picture = picture - taken * noisy / _DIRECTIONS
        return picture

    return decode


def dithered(rng: np.random.Generator) -> Decoder:
    """The last layer writes few levels, by a drawn pattern of thresholds that repeats."""
    period, step = int(rng.choice([3, 4, 5, 6, 8])), float(rng.uniform(1.2, 4.0)) * 2 / 255
    pattern = (rng.permutation(period**2) + 0.5) / period**2
    tile = torch.from_numpy(pattern.astype(np.float32)).reshape(1, 1, period, period)

    def decode(picture: Tensor, _: torch.Generator) -> Tensor:
        height, width = picture.shape[-2:]
        repeats = (1, 1, -(-height // period), -(-width // period))
        thresholds = tile.repeat(*repeats)[..., :height, :width]
        return torch.floor(picture / step + thresholds) * step

    return decode


def _falling(size: int) -> NDArray[np.float64]:
    """(size**2,): weights that fall off from the middle of a square."""
    place = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(place[:, None] ** 2 + place[None, :] ** 2) / size**2)
    return np.asarray(weights.ravel(), np.float64)


def _filters(low: NDArray[np.float64]) -> Tensor:
    """(12,1,k,k): for each colour the four products of a low-pass filter and its mirror."""
    high = low[::-1] * (-1.0) ** np.arange(len(low))
    four = [np.outer(a, b) for a in (low, high) for b in (low, high)]
    return torch.from_numpy(np.stack(four * 3)[:, None].astype(np.float32))
