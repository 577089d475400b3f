"""Tells a device that failed from an image that cannot be computed.

A GPU that dies raises at whatever it was given, so that the image at hand looks guilty. Nothing
that a sender controls reaches a kernel but the values of crops whose shape is fixed, therefore an
error of the device is never the image's fault.
"""

import torch

_SIGNS = (
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
