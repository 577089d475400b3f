"""The output of a simulated generator is made as sharp as the photograph it was made from.

Decoders that only blur would teach a detector that blur is synthetic. The variance of three bands
of detail is brought to the photograph's, by one gain a band for the whole picture, so that the
shape of the trace stays.
"""

import torch
from torch import Tensor
from torch.nn import functional

BANDS = 3
LEAST_GAIN, LARGEST_GAIN = 0.6, 2.0


def match_bands(made: Tensor, source: Tensor) -> Tensor:
    """`made` (1,3,H,W) with the mean colour of `source` and its variance of detail, by band."""
    out = torch.zeros_like(made)
    for step in range(BANDS):
        coarse, coarse_source = _blur(made, 1 << step), _blur(source, 1 << step)
        band, wanted = made - coarse, source - coarse_source
        gain = (wanted.square().mean() / band.square().mean().clamp(min=1e-8)).sqrt()
        out += band * gain.clamp(LEAST_GAIN, LARGEST_GAIN)
        made, source = coarse, coarse_source
    return out + made + (source - made).mean((2, 3), keepdim=True)


def _blur(picture: Tensor, step: int) -> Tensor:
    """Binomial 1-2-1 with its taps `step` pixels apart, both ways; edges repeat."""
    padded = functional.pad(picture, (step,) * 4, mode="replicate")
    rows = padded[..., step:-step, :] * 2 + padded[..., : -2 * step, :] + padded[..., 2 * step :, :]
    columns = rows[..., step:-step] * 2 + rows[..., : -2 * step] + rows[..., 2 * step :]
    return columns / 16
