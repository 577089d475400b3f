"""Power of windows of 32x32 pixels, of blocks.spectrum, for a batch of planes.

Letters: N regions, C planes of each, D windows down and A across, S the side of a window.
"""

from functools import lru_cache

import torch

from worker.extractor.blocks.spectrum import KEPT, SIDE, WINDOW


def powers(planes: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """Power (N, C, 513) of all whole windows, added, of planes (N, C, H, W).

    `sizes` (N, 2) are the regions' heights and widths.
    """
    windows = planes.unfold(2, SIDE, SIDE).unfold(3, SIDE, SIDE)  # (N, C, D, A, S, S)
    # Their pixels are multiples of 1/65536, so that float64 adds them exactly.
    means = windows.mean(dim=(4, 5), keepdim=True, dtype=torch.float64).to(torch.float32)
    window, kept = _constants(planes.device)
    spectra = torch.fft.rfft2((windows - means) * window)  # (N, C, D, A, S, S / 2 + 1)
    power = torch.view_as_real(spectra).square().sum(dim=-1).flatten(4).flatten(2, 3)
    there = _there(sizes // SIDE, *windows.shape[2:4])[:, None]  # (N, 1, D A)
    return torch.matmul(there.to(power.dtype).unsqueeze(2), power).squeeze(2)[..., kept]


def window_counts(sizes: torch.Tensor) -> torch.Tensor:
    """Windows (N,) of regions with these heights and widths, int (N, 2)."""
    whole = sizes // SIDE
    return whole[:, 0] * whole[:, 1]


def _there(whole: torch.Tensor, down: int, across: int) -> torch.Tensor:
    """(N, D A): which windows are wholly of their region, which has (N, 2) down and across."""
    rows = torch.arange(down, device=whole.device) < whole[:, :1]  # (N, D)
    columns = torch.arange(across, device=whole.device) < whole[:, 1:]  # (N, A)
    return (rows[:, :, None] & columns[:, None]).flatten(1)


@lru_cache(maxsize=8)
def _constants(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The window (S, S), and where in a spectrum, flat, the frequencies stand that are kept."""
    window = torch.from_numpy(WINDOW.reshape(SIDE, SIDE))
    kept = torch.from_numpy(KEPT.ravel().nonzero()[0])
    return window.to(device), kept.to(device)
