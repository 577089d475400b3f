"""The matrix products of a batch on a card; imports torch.

Every error of the device comes out of these products, since they wait for it. Letters: F block
statistics, B directions of the basis, D fingerprint size.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import structlog
import torch

from fingerprint_db.conditions import Codec
from worker.errors import RetryError, StopError
from worker.extractor.device_faults import is_device_fault
from worker.extractor.document import GROUPS, codecs_of, group_of
from worker.extractor.fingerprint_map import CodecMap, Floats

_ALONE = 2  # rows, at most, that are multiplied one by one


class _NoRoomError(RetryError):
    """The device has no memory for a batch of this size; it may have for a smaller one."""


class TorchProducts:
    """Bases and maps on a device; call from one thread only."""

    def __init__(self, maps: Mapping[Codec, CodecMap], device: torch.device) -> None:
        self._device = device
        # (B, F): one image's product takes a third of the time that it would as (F, B).
        self._bases = {
            group: self._on_device(maps[codecs_of(group)[0]].basis).T.contiguous()
            for group in GROUPS
        }
        self._maps = {
            codec: (self._on_device(one.projection), self._on_device(one.offset))
            for codec, one in maps.items()
        }

    @property
    def where(self) -> str:
        name = str(self._device)
        if self._device.type == "cuda":
            name = torch.cuda.get_device_name(self._device)
        return f"torch {torch.__version__} on {name}"

    def project(self, codecs: Sequence[Codec], standard: Floats) -> Floats:
        """Standardised statistics (N, F) to fingerprints (N, D), in halves where memory is short.

        Raises RetryError where the device failed, or has no memory for one row.
        """
        try:
            return self._product(codecs, standard)
        except _NoRoomError as full:
            if len(standard) == 1:
                raise
            structlog.get_logger("worker").warning(
                "batch_halved", images=len(standard), error=str(full)
            )
        # Not inside the handler, whose traceback still holds the tensors of the whole batch.
        torch.cuda.empty_cache()
        half = len(standard) // 2
        return np.concatenate(
            [
                self.project(codecs[:half], standard[:half]),
                self.project(codecs[half:], standard[half:]),
            ]
        )

    def _product(self, codecs: Sequence[Codec], standard: Floats) -> Floats:
        try:
            return self._compute(codecs, standard)
        except torch.OutOfMemoryError as error:
            raise _NoRoomError(
                f"{self._device} has no memory for {len(standard)} images: {error}"
            ) from error
        except RuntimeError as error:
            if not is_device_fault(error):
                raise
            raise RetryError(
                f"{self._device} failed, no image is to blame: {type(error).__name__}: {error}"
            ) from error

    def _compute(self, codecs: Sequence[Codec], standard: Floats) -> Floats:
        basis = self._bases[group_of(codecs[0])]  # (B, F)
        with torch.inference_mode():
            rows = self._on_device(standard)  # (N, F)
            # Two products of one row take less time than one of two.
            parts = list(rows[:, None]) if len(rows) <= _ALONE else [rows]
            led = torch.cat([torch.nn.functional.linear(part, basis) for part in parts])  # (N, B)
            dimension = self._maps[codecs[0]][1].shape[0]
            vectors = torch.empty((len(rows), dimension), device=self._device)
            for codec in dict.fromkeys(codecs):
                own = [i for i, one in enumerate(codecs) if one == codec]
                projection, offset = self._maps[codec]
                vectors[own] = led[own] @ projection + offset  # (rows of the codec, D)
            found: Floats = vectors.cpu().numpy()
            return found

    def _on_device(self, array: Floats) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)


def card(*, required: bool) -> torch.device | None:
    """The card that torch finds; None where there is none, StopError if it is `required`."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if required:
        raise StopError(
            "device is 'cuda' but torch finds no CUDA device; set LATENTPRINT_EXTRACT__DEVICE to"
            " 'auto' or 'cpu', or repair the driver",
            exit_code=2,
        )
    return None
