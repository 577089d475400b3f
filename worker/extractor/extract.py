"""Batched extraction: decoded images to image fingerprints, on the CPU or a GPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import structlog
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodedImage, DecodeLimits
from worker.errors import RejectError, RetryError, StopError
from worker.extractor.bundle import GOLDEN, Bundle, check_golden
from worker.extractor.device_faults import is_device_fault

LARGEST = float(np.finfo(np.float16).max)
"""Fingerprint records hold float16; a fingerprint has a deviation of about one in each number."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageFingerprint:
    """The fingerprint of one image.

    `vector` is (D,) float32; `synthesis_score` a log-odds that rises with evidence of synthesis;
    `crop_agreement` the share of crops, 0.5..1, whose own score lies on the same side of zero as
    the majority's.
    """

    vector: NDArray[np.float32]
    synthesis_score: float
    crop_count: int
    crop_agreement: float


class Extractor(Protocol):
    """What the pipeline needs of an extractor."""

    @property
    def space(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def limits(self) -> DecodeLimits: ...

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        """One result per image, in order; every image has at least one crop.

        Raises RetryError where the device failed and no image is to blame.
        """


class _NoRoomError(RetryError):
    """The device has no memory for a batch of this size; it may have for a smaller one."""


class TorchExtractor:
    """Runs a bundle's network; call from one thread only."""

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        self._device = _choose_device(device)
        self._network = bundle.network
        self._network.move_to(self._device)
        self._bundle = bundle
        self._bf16 = bf16_is_fast(self._device)
        self._document = bundle.document

    @property
    def space(self) -> str:
        """The fingerprint space: the bundle's digest."""
        return self._bundle.digest

    @property
    def dimension(self) -> int:
        """D, the size of a fingerprint."""
        return self._document.dimension

    @property
    def limits(self) -> DecodeLimits:
        """How images must be decoded for this bundle."""
        return DecodeLimits(CropReading(self._document.crop_size, self._document.max_crops))

    def self_test(self) -> None:
        """Compute the golden inputs and compare; StopError where this machine differs.

        Raises RetryError where the device failed.
        """
        golden = load_file(self._bundle.path / GOLDEN)
        owner = golden["image_of_crop"].to(torch.int64)
        vectors, scores, _ = self._run(golden["crops"], owner, int(owner.max()) + 1)
        check_golden(self._bundle, vectors, scores)

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        """Fingerprints of a batch; an image whose numbers are not finite fails alone.

        A batch that the device has no memory for is halved. Raises RetryError where the device
        failed, or has no memory for one image.
        """
        if not images:
            return []
        try:
            return self._extract(images)
        except _NoRoomError as full:
            if len(images) == 1:
                raise
            structlog.get_logger("worker").warning(
                "batch_halved", images=len(images), error=str(full)
            )
        # Not inside the handler, whose traceback still holds the tensors of the whole batch.
        torch.cuda.empty_cache()
        half = len(images) // 2
        return [*self.extract(images[:half]), *self.extract(images[half:])]

    def _extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        counts = torch.tensor([len(image.crops) for image in images])
        owner = torch.repeat_interleave(torch.arange(len(images)), counts)
        crops = torch.from_numpy(np.concatenate([image.crops for image in images]))
        vectors, scores, crop_scores = self._run(crops, owner, len(images))
        by_image = np.split(crop_scores, np.cumsum(counts.numpy())[:-1])
        return [
            _result(vector, float(score), own)
            for vector, score, own in zip(vectors, scores, by_image, strict=True)
        ]

    def _run(
        self, crops: torch.Tensor, owner: torch.Tensor, images: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Crops (N, 3, S, S) of B images to vectors (B, D), scores (B,) and crop scores (N,).

        Every error of the device comes out here, since the last line waits for it. Raises
        RetryError for those.
        """
        try:
            return self._compute(crops, owner, images)
        except torch.OutOfMemoryError as error:
            raise _NoRoomError(
                f"{self._device} has no memory for {images} images: {error}"
            ) from error
        except RuntimeError as error:
            if not is_device_fault(error):
                raise
            raise RetryError(
                f"{self._device} failed, no image is to blame: {type(error).__name__}: {error}"
            ) from error

    def _compute(
        self, crops: torch.Tensor, owner: torch.Tensor, images: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        with torch.inference_mode():
            owner = owner.to(self._device)
            parts = self._network.crop_features(crops.to(self._device), autocast_bf16=self._bf16)
            vectors = self._network.fingerprint(self._network.pool(parts, owner, images))
            each = torch.arange(len(crops), device=self._device)
            per_crop = self._network.fingerprint(self._network.pool(parts, each, len(crops)))
            scores, crop_scores = self._network.score(vectors), self._network.score(per_crop)
            return vectors.cpu().numpy(), scores.cpu().numpy(), crop_scores.cpu().numpy()


def _result(
    vector: NDArray[np.float32], score: float, crop_scores: NDArray[np.float32]
) -> ImageFingerprint | RejectError:
    # A comparison with NaN is false, so this refuses NaN as well.
    if not (np.abs(vector).max() <= LARGEST and np.isfinite(score)):
        return RejectError(
            "model_nan",
            f"the network gave a fingerprint that is not finite, or beyond the {LARGEST:g} that a"
            " fingerprint record can hold, for this image, so nothing can be said of it; report"
            " the image with the bundle's digest",
            stage="extract",
        )
    positive = float((crop_scores > 0).mean())
    return ImageFingerprint(vector, score, len(crop_scores), max(positive, 1 - positive))


def _choose_device(device: str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise StopError(
            "device is 'cuda' but torch finds no CUDA device; set LATENTPRINT_EXTRACT__DEVICE to"
            " 'auto' or 'cpu', or repair the driver",
            exit_code=2,
        )
    return torch.device(device)


def bf16_is_fast(device: torch.device) -> bool:
    """Whether bfloat16 convolutions run on instructions made for them."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and _cpu_has_avx512_bf16()


def _cpu_has_avx512_bf16() -> bool:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
            return "avx512_bf16" in info.read()
    except OSError:  # not Linux: float32 is always right, only slower
        return False
