"""The least that each part of the extraction has to do, timed by what does only that.

Reading is the maximum of an array's numbers, which numpy takes as fast as memory gives them.
Transforms are those of libraries: torch's FFT and its matrix product, in float32. A part that is
faster than its floor here is so because it does not write down what the library has to.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from worker.extractor.blocks.planes import Planes
from worker.extractor.blocks.spectrum import SIDE
from worker.extractor.bundle import Bundle

Part = Callable[[], object]


def floors(planes: Planes, bundle: Bundle) -> dict[str, Part]:
    """By name: what is timed beside the parts."""
    whole = (planes.whole_y, planes.whole_cb, planes.whole_cr)
    exact = np.stack([planes.y, planes.cb, planes.cr])
    return {
        "read_pixels": partial(np.max, planes.rgb),
        "read_whole_planes": lambda: [plane.max() for plane in whole],
        "read_luma": lambda: (planes.y.max(), planes.whole_y.max()),
        "fft": _spectra(torch.from_numpy(exact)),
        "dct_1_grid_3_planes": _dcts([torch.from_numpy(plane) for plane in exact], 8),
        "dct_16_grids": _dcts([torch.from_numpy(planes.y)], 2),
        "dct_16_grids_chroma": _dcts(
            [torch.from_numpy(plane[::2, ::2].copy()) for plane in exact[1:]], 2
        ),
        "read_lossy_basis": partial(np.max, bundle.kept.bases["lossy"][0]),
        "read_lossless_basis": partial(np.max, bundle.kept.bases["lossless"][0]),
    }


def _spectra(planes: torch.Tensor) -> Part:
    """Of (3, H, W): the windows of 32x32, transformed."""
    count, height, width = planes.shape
    windows = planes[:, : height // SIDE * SIDE, : width // SIDE * SIDE]
    windows = windows.reshape(count, height // SIDE, SIDE, width // SIDE, SIDE)
    windows = windows.transpose(2, 3).contiguous()  # (3, rows, columns, 32, 32)
    return lambda: torch.fft.rfft2(windows)


def _dcts(planes: list[torch.Tensor], step: int) -> Part:
    """Every 8x8 block of grids that begin at the multiples of `step`: two products each."""
    wave = torch.from_numpy(waves())  # (frequency, pixel)

    def transformed() -> None:
        for plane in planes:
            for x in range(0, 8, step):
                across = (plane.shape[1] - x) // 8
                rows = plane[:, x : x + 8 * across].reshape(-1, 8) @ wave.T
                rows = rows.reshape(plane.shape[0], 8 * across)
                for y in range(0, 8, step):
                    down = (plane.shape[0] - y) // 8
                    torch.matmul(wave, rows[y : y + 8 * down].reshape(down, 8, 8 * across))

    return transformed


def waves() -> NDArray[np.float32]:
    """The orthonormal DCT-II of eight numbers, (8, 8)."""
    k, i = np.mgrid[:8, :8]
    found: NDArray[np.float64] = np.cos((2 * i + 1) * k * np.pi / 16) / 2
    found[0] = np.sqrt(1 / 8)
    return found.astype(np.float32)
