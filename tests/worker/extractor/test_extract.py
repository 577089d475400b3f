"""Batched extraction: each image has its own result, whatever else is in the batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.worker.extractor.tiny_bundle import GENERATORS, LIMITS, TinyBundle, made_png, real_png
from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodedImage, decode
from worker.errors import RejectError, RetryError, StopError
from worker.extractor.bundle import load_bundle
from worker.extractor.extract import ImageFingerprint, TorchExtractor

FILES = [real_png(1), made_png("checks", 2), real_png(3, 40), made_png("rows", 4, 32)]


@pytest.fixture(scope="module")
def extractor(tiny_bundle: TinyBundle) -> TorchExtractor:
    return TorchExtractor(load_bundle(tiny_bundle.path), "cpu")


def decoded() -> list[DecodedImage]:
    return [decode(data, LIMITS) for data in FILES]


def fingerprints(extractor: TorchExtractor, images: list[DecodedImage]) -> list[ImageFingerprint]:
    found = extractor.extract(images)
    assert all(isinstance(one, ImageFingerprint) for one in found)
    return [one for one in found if isinstance(one, ImageFingerprint)]


def test_the_extractor_says_what_it_needs(
    extractor: TorchExtractor, tiny_bundle: TinyBundle
) -> None:
    assert extractor.space == tiny_bundle.digest
    assert extractor.dimension == 6
    assert extractor.limits.reading == CropReading(32, 3)


def test_an_image_has_the_same_fingerprint_in_every_batch(extractor: TorchExtractor) -> None:
    """Within what bfloat16 convolutions may differ, far below any threshold."""
    images = decoded()
    together = fingerprints(extractor, images)
    assert len(together) == len(images) > 1
    backwards = fingerprints(extractor, images[::-1])[::-1]
    for image, one, other in zip(images, together, backwards, strict=True):
        (alone,) = fingerprints(extractor, [image])
        for again in (alone, other):
            np.testing.assert_allclose(again.vector, one.vector, atol=0.05)
            assert again.synthesis_score == pytest.approx(one.synthesis_score, abs=0.05)
            assert again.crop_count == one.crop_count == len(image.crops)


def test_the_agreement_is_the_share_of_crops_on_the_side_of_the_majority(
    extractor: TorchExtractor,
) -> None:
    pieces = decoded()
    (mixed,) = [replace(pieces[0], crops=np.concatenate([pieces[0].crops[:1], pieces[1].crops]))]
    alone = [
        fingerprints(extractor, [replace(mixed, crops=crop[None])])[0].synthesis_score
        for crop in mixed.crops
    ]
    positive = sum(score > 0 for score in alone) / len(alone)
    (found,) = fingerprints(extractor, [mixed])
    assert found.crop_agreement == max(positive, 1 - positive)
    assert fingerprints(extractor, [pieces[1]])[0].crop_agreement == 1.0


def test_generators_score_above_photos(extractor: TorchExtractor) -> None:
    """The tiny bundle tells its generators apart, or tests that build on it would show nothing."""
    photos = [decode(real_png(number), LIMITS) for number in range(10)]
    made = [decode(made_png(name, 5), LIMITS) for name in GENERATORS]
    highest = max(f.synthesis_score for f in fingerprints(extractor, photos))
    assert min(f.synthesis_score for f in fingerprints(extractor, made)) > highest + 5


def test_nothing_in_nothing_out(extractor: TorchExtractor) -> None:
    assert extractor.extract([]) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_numbers_that_no_record_can_hold_fail_their_image_alone(
    value: float, tiny_bundle: TinyBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = TorchExtractor(load_bundle(tiny_bundle.path), "cpu")
    images = decoded()
    expected = fingerprints(extractor, images)
    before = extractor._network.crop_features

    def spoiled(
        crops: torch.Tensor, *, autocast_bf16: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        power, cooccurrence, residual = before(crops, autocast_bf16=autocast_bf16)
        residual = residual.clone()
        residual[len(images[0].crops)] = value * 1000
        return power, cooccurrence, residual

    monkeypatch.setattr(extractor._network, "crop_features", spoiled)
    found = extractor.extract(images)
    assert isinstance(found[1], RejectError)
    assert (found[1].code, found[1].stage) == ("model_nan", "extract")
    for at in (0, 2, 3):
        neighbour = found[at]
        assert isinstance(neighbour, ImageFingerprint)
        np.testing.assert_allclose(neighbour.vector, expected[at].vector, atol=0.05)


class Device:
    """The network of an extractor on a device that fails, or has room for few crops."""

    def __init__(self, extractor: TorchExtractor, monkeypatch: pytest.MonkeyPatch) -> None:
        self._compute = extractor._network.crop_features
        self.error: Exception | None = None
        self.room: int | None = None
        self.seen: list[int] = []
        monkeypatch.setattr(extractor._network, "crop_features", self.crop_features)

    def crop_features(self, crops: torch.Tensor, *, autocast_bf16: bool = False) -> object:
        self.seen.append(len(crops))
        if self.error is not None:
            raise self.error
        if self.room is not None and len(crops) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return self._compute(crops, autocast_bf16=autocast_bf16)


@pytest.fixture
def device(extractor: TorchExtractor, monkeypatch: pytest.MonkeyPatch) -> Device:
    return Device(extractor, monkeypatch)


DEVICE_FAULTS = [
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: unspecified launch failure"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("cuFFT error: CUFFT_INTERNAL_ERROR"),
]


@pytest.mark.parametrize("fault", DEVICE_FAULTS, ids=str)
def test_a_device_that_fails_is_no_fault_of_an_image(
    fault: RuntimeError, extractor: TorchExtractor, device: Device
) -> None:
    device.error = fault
    with pytest.raises(RetryError, match="cpu failed, no image is to blame"):
        extractor.extract(decoded())
    with pytest.raises(RetryError, match="cpu failed, no image is to blame"):
        extractor.self_test()


def test_a_batch_that_the_device_has_no_memory_for_is_halved(
    extractor: TorchExtractor, device: Device
) -> None:
    images = decoded()
    expected = fingerprints(extractor, images)
    device.room = max(len(image.crops) for image in images)
    device.seen.clear()
    found = fingerprints(extractor, images)
    assert len(device.seen) > len(images), "the batch and a half were too large"
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=0.05)


def test_a_device_without_memory_for_one_image_is_no_fault_of_the_image(
    extractor: TorchExtractor, device: Device
) -> None:
    device.room = 0
    with pytest.raises(RetryError, match="cpu has no memory for 1 images: CUDA out of memory"):
        extractor.extract(decoded())


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory"), ValueError("odd")],
    ids=repr,
)
def test_any_other_error_is_left_to_the_self_test(
    error: Exception, extractor: TorchExtractor, device: Device
) -> None:
    device.error = error
    with pytest.raises(type(error)) as caught:
        extractor.extract(decoded())
    assert caught.value is error


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what a machine without CUDA gets")
def test_cuda_without_a_device_is_refused(tiny_bundle: TinyBundle) -> None:
    with pytest.raises(StopError, match="torch finds no CUDA device") as caught:
        TorchExtractor(load_bundle(tiny_bundle.path), "cuda")
    assert caught.value.exit_code == 2
