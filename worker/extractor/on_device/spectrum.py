"""Power of windows of 32x32 pixels, of blocks.spectrum, for a batch of planes.

Letters: P planes, D windows down and A across, S the side of a window.
"""

from functools import lru_cache

import torch

from worker.extractor.blocks.spectrum import KEPT, SIDE, WINDOW


def powers(planes: torch.Tensor) -> torch.Tensor:
    """Power (P, 513) of all windows, added, of planes (P, H, W), NaN beyond their pixels."""
    windows = planes.unfold(1, SIDE, SIDE).unfold(2, SIDE, SIDE)  # (P, D, A, S, S)
    # Their pixels are multiples of 1/65536, so that float64 adds them exactly.
    means = windows.mean(dim=(3, 4), keepdim=True, dtype=torch.float64).to(torch.float32)
    window, kept = _constants(planes.device)
    spectra = torch.fft.rfft2((windows - means) * window)  # (P, D, A, S, S / 2 + 1)
    power = torch.view_as_real(spectra).square().sum(dim=-1).nansum(dim=(1, 2))
    return power.flatten(1)[:, kept]


def window_counts(sizes: torch.Tensor) -> torch.Tensor:
    """Windows (N,) of regions with these heights and widths, int (N, 2)."""
    whole = sizes // SIDE
    return whole[:, 0] * whole[:, 1]


@lru_cache(maxsize=8)
def _constants(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The window (S, S), and where in a spectrum, flat, the frequencies stand that are kept."""
    window = torch.from_numpy(WINDOW.reshape(SIDE, SIDE))
    kept = torch.from_numpy(KEPT.ravel().nonzero()[0])
    return window.to(device), kept.to(device)
