"""Which extractor serves: compiled loops on the CPU, or this room on a card.

The loops are faster on a CPU, by far (docs/operations/gpu.md). Importing this module imports no
torch, which takes longer to load than all else: without a driver for a card it is never loaded.
"""

import ctypes
from pathlib import Path

from worker.errors import StopError
from worker.extractor.bundle import Bundle
from worker.extractor.extract import BlockExtractor, ServingExtractor

_DRIVERS = ("libcuda.so.1", "nvcuda.dll")
_AMD = Path("/dev/kfd")
"""The kernel's side of ROCm, whose builds of torch call their devices cuda as well."""


def open_extractor(bundle: Bundle, device: str, slot: int = 0) -> ServingExtractor:
    """That of `device`: "cpu", "cuda", "cuda:K", or "auto", a card if torch finds one.

    Where no card is named, the slots take the cards in turn; several may share one. Raises
    StopError (exit code 2) where torch does not find what is asked for, RetryError where the card
    that it finds fails.
    """
    if device == "cpu" or (device == "auto" and not has_driver()):
        return BlockExtractor(bundle)
    import torch

    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto" and not cards:
        return BlockExtractor(bundle)
    number = int(device.partition(":")[2] or slot % max(1, cards))
    if number >= cards:
        raise StopError(
            f"device is {device!r} but torch finds {cards} CUDA devices; set"
            " LATENTPRINT_EXTRACT__DEVICE to 'auto' or 'cpu', or to a card that is there, or repair"
            " the driver",
            exit_code=2,
        )
    from worker.extractor.on_device.device_faults import blaming_the_device
    from worker.extractor.on_device.extractor import DeviceExtractor

    card = torch.device("cuda", number)
    with blaming_the_device(card, "the bundle's maps"):
        return DeviceExtractor(bundle, card)


def has_driver() -> bool:
    """Whether torch could find a card at all; it opens the same library, and a second later."""
    for name in _DRIVERS:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return _AMD.exists()
