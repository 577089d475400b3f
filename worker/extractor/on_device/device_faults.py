"""Tells a device that failed from an image that cannot be computed.

A GPU that dies raises at whatever it was given, so that the image at hand looks guilty. Of what a
sender controls, only values of pixels and the sizes of regions reach a kernel: on canvases that the
program lays out and bounds. One kernel's addresses follow from values, where triples of symbols are
counted: symbols are clamped, and the table has a row for each triple and one for none. Therefore an
error of the device is never the image's fault.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from worker.errors import RetryError

_SIGNS = (
    "CUDA unknown error",  # these three where a context is first asked for
    "No CUDA GPUs",
    "cudaGetDeviceCount",
    "CUDA error",  # also cuBLAS and cuSOLVER: "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when…"
    "CUDA driver",
    "NVIDIA driver",
    "cuDNN error",
    "CUDNN_STATUS",
    "cuFFT error",
    "CUFFT_",
    "NVML",
    "HIP error",
    "device-side assert",
)
"""What torch writes where it has no class of its own for the error of a device."""


def is_device_fault(error: Exception) -> bool:
    """Whether the device failed, or has no memory left; whatever it was computing."""
    if isinstance(error, torch.AcceleratorError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


class NoRoomError(RetryError):
    """The device has no memory for a batch of this size; it may have for a smaller one."""


@contextmanager
def blaming_the_device(device: torch.device, what: str) -> Iterator[None]:
    """Errors of the device come out as RetryError, those of its memory as NoRoomError.

    `what` needs its memory, such as "32 images".
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise NoRoomError(f"{device} has no memory for {what}: {error}") from error
    except RuntimeError as error:
        if not is_device_fault(error):
            raise
        raise RetryError(
            f"{device} failed, no image is to blame: {type(error).__name__}: {error}"
        ) from error
