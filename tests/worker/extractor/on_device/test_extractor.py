"""The device's extractor gives what the CPU's does, and a device that fails is no image's fault.

On torch's CPU device, or on the card where there is one.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from fingerprint_db.conditions import CODECS, Codec
from tests.worker.extractor.tiny_bundle import (
    LIMITS,
    TinyBundle,
    made_png,
    real_jpeg,
    real_png,
)
from worker.decoder.decode import DecodedImage, decode
from worker.errors import RejectError, RetryError, StopError
from worker.extractor.arrival import Regions
from worker.extractor.bundle import Bundle, load_bundle
from worker.extractor.extract import BlockExtractor, ImageFingerprint
from worker.extractor.fingerprint_map import Floats, block_statistics
from worker.extractor.on_device import extractor as module
from worker.extractor.on_device.canvas import Batch, batches
from worker.extractor.on_device.extractor import DeviceExtractor
from worker.extractor.on_device.replay import Launcher, Work
from worker.extractor.on_device.statistics import pooled

FILES = [
    real_png(1),
    made_png("checks", 2),
    real_jpeg(3, 75, 48),
    made_png("rows", 4, 32),
    real_jpeg(5, 95),
]
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(scope="module")
def bundle(tiny_bundle: TinyBundle) -> Bundle:
    return load_bundle(tiny_bundle.path)


@pytest.fixture
def extractor(bundle: Bundle) -> DeviceExtractor:
    return DeviceExtractor(bundle, DEVICE)


def decoded() -> list[DecodedImage]:
    return [decode(data, LIMITS) for data in FILES]


def fingerprints(
    extractor: BlockExtractor | DeviceExtractor, images: Sequence[DecodedImage]
) -> list[ImageFingerprint]:
    found = extractor.extract(images)
    assert all(isinstance(one, ImageFingerprint) for one in found)
    return [one for one in found if isinstance(one, ImageFingerprint)]


def assert_alike(one: ImageFingerprint, other: ImageFingerprint) -> None:
    assert [r.codec for r in one.readings] == [r.codec for r in other.readings]
    for own, expected in zip(one.readings, other.readings, strict=True):
        np.testing.assert_allclose(own.vector, expected.vector, atol=1e-3)
        # One coefficient across a threshold moves one share, of hundreds of coefficients here.
        assert (np.abs(own.standard - expected.standard) > 1e-3).sum() <= 2
        np.testing.assert_allclose(own.standard, expected.standard, atol=0.05)
        assert own.vector.dtype == own.standard.dtype == np.float32
    assert one.synthesis_score == pytest.approx(other.synthesis_score, abs=1e-3)
    assert np.array_equal(one.kind, other.kind)
    for name in ("pixels_read", "earlier_quality", "crop_count", "crop_agreement"):
        assert getattr(one, name) == getattr(other, name)


def test_it_says_of_every_image_what_the_cpus_extractor_says(
    extractor: DeviceExtractor, bundle: Bundle
) -> None:
    cpu = BlockExtractor(bundle)
    images = decoded()
    for one, other in zip(fingerprints(extractor, images), fingerprints(cpu, images), strict=True):
        assert_alike(one, other)
    assert (extractor.space, extractor.dimension) == (cpu.space, cpu.dimension)
    assert extractor.limits == cpu.limits
    assert extractor.where.startswith("torch")


def test_a_jpeg_in_a_lossless_file_is_read_as_that_jpeg(
    extractor: DeviceExtractor, bundle: Bundle
) -> None:
    """Its regions begin on the earlier grid, which only the pixels tell."""
    (image,) = [decode(real_png(7), LIMITS)]
    jpeg = decode(real_jpeg(7, 75, 192), LIMITS)
    region = np.ascontiguousarray(jpeg.regions[0][:, 3:, 5:])
    shifted = type(image)(image.facts, image.crops, image.origins, None, (region,))
    (one,), (other,) = (fingerprints(own, [shifted]) for own in (extractor, BlockExtractor(bundle)))
    assert other.earlier_quality is not None
    assert_alike(one, other)


def test_an_image_has_the_same_fingerprint_in_every_batch(extractor: DeviceExtractor) -> None:
    images = decoded()
    together = fingerprints(extractor, images)
    for image, one in zip(images, together, strict=True):
        (alone,) = fingerprints(extractor, [image])
        assert_alike(alone, one)


def test_all_regions_of_a_picture_count(extractor: DeviceExtractor, bundle: Bundle) -> None:
    first, second, *_ = decoded()
    both = type(first)(
        first.facts, first.crops, first.origins, None, (*first.regions, *second.regions)
    )
    (one,), (other,) = (fingerprints(own, [both]) for own in (extractor, BlockExtractor(bundle)))
    assert one.crop_count == 2
    assert_alike(one, other)


def test_the_device_is_waited_for_once_a_batch(
    extractor: DeviceExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []
    wait = extractor.launcher.wait

    def counted() -> None:
        waits.append(1)
        wait()

    monkeypatch.setattr(extractor.launcher, "wait", counted)
    extractor.extract(decoded())
    assert len(waits) == 1


def test_a_batch_may_be_launched_before_another_is_fetched(extractor: DeviceExtractor) -> None:
    images = decoded()
    expected = fingerprints(extractor, images)
    first, second = extractor.launch(images[:2]), extractor.launch(images[2:])
    for one, other in zip([*first.results(), *second.results()], expected, strict=True):
        assert isinstance(one, ImageFingerprint)
        assert_alike(one, other)


def test_nothing_in_nothing_out(extractor: DeviceExtractor) -> None:
    assert extractor.extract([]) == []


class Failing:
    """A device that fails at some batch of regions, or has room for few pictures at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: Exception | None = None
        self.room: int | None = None
        self.seen: list[int] = []
        sums = module._sums

        def counted(*arguments: object, **named: object) -> object:
            if self.error is not None:
                raise self.error
            return sums(*arguments, **named)  # type: ignore[arg-type]

        def laid_out(pictures: Sequence[Sequence[object]], *, pinned: bool) -> list[Batch]:
            self.seen.append(len(pictures))
            if self.room is not None and len(pictures) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
            return list(batches(pictures, pinned=pinned))  # type: ignore[arg-type]

        monkeypatch.setattr(module, "_sums", counted)
        monkeypatch.setattr(module, "batches", laid_out)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    return Failing(monkeypatch)


DEVICE_FAULTS = [
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: unspecified launch failure"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("cuFFT error: CUFFT_INTERNAL_ERROR"),
]


@pytest.mark.parametrize("fault", DEVICE_FAULTS, ids=str)
def test_a_device_that_fails_is_no_fault_of_an_image(
    fault: RuntimeError, extractor: DeviceExtractor, failing: Failing
) -> None:
    failing.error = fault
    with pytest.raises(RetryError, match="failed, no image is to blame"):
        extractor.extract(decoded())
    with pytest.raises(RetryError, match="failed, no image is to blame"):
        extractor.self_test()


def test_a_batch_that_the_device_has_no_memory_for_is_halved(
    extractor: DeviceExtractor, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = decoded()
    expected = fingerprints(extractor, images)
    failing.room = 1
    given_up = []
    monkeypatch.setattr(extractor.launcher, "forget", lambda: given_up.append(len(failing.seen)))
    found = fingerprints(extractor, images)
    for one, other in zip(found, expected, strict=True):
        assert_alike(one, other)
    assert failing.seen.count(2) > 0
    assert len(given_up) == 3, "of five, two and three: graphs go before the halves are tried"


def test_a_device_without_memory_for_one_image_is_no_fault_of_the_image(
    extractor: DeviceExtractor, failing: Failing
) -> None:
    failing.room = 0
    with pytest.raises(RetryError, match="has no memory for 1 images: CUDA out of memory"):
        extractor.extract(decoded())


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory"), ValueError("odd")],
    ids=repr,
)
def test_any_other_error_is_left_to_the_self_test(
    error: Exception, extractor: DeviceExtractor, failing: Failing
) -> None:
    failing.error = error
    with pytest.raises(type(error)) as caught:
        extractor.extract(decoded())
    assert caught.value is error


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e6])
def test_numbers_that_no_record_can_hold_fail_their_image_alone(
    value: float, extractor: DeviceExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = decoded()
    expected = fingerprints(extractor, images)
    maps = extractor._maps["lossless"]
    compute = maps.fingerprints

    def spoiled(sums: torch.Tensor, codecs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        standard, vectors = compute(sums, codecs)
        vectors[1, 0, 3] = value
        return standard, vectors

    monkeypatch.setattr(maps, "fingerprints", spoiled)
    found = extractor.extract(images)
    assert isinstance(found[1], RejectError)
    assert (found[1].code, found[1].stage) == ("model_nan", "extract")
    for at in (0, 2, 3, 4):
        neighbour = found[at]
        assert isinstance(neighbour, ImageFingerprint)
        assert_alike(neighbour, expected[at])


def test_an_image_whose_sums_are_not_numbers_is_refused_alone_as_on_the_cpu(
    extractor: DeviceExtractor, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = decoded()
    expected = fingerprints(extractor, images)

    def spoiled(
        sums: Mapping[str, torch.Tensor], owners: torch.Tensor, pictures: int
    ) -> torch.Tensor:
        for own in sums.values():  # of the third lossless file; two are lossy
            own[owners == 2, 0] = np.nan
        return pooled(sums, owners, pictures)

    monkeypatch.setattr(module, "pooled", spoiled)
    found = extractor.extract(images)
    monkeypatch.setattr(
        "worker.extractor.extract.block_statistics",
        lambda regions, blocks: np.full_like(block_statistics(regions, blocks), np.nan),
    )
    (refused,) = BlockExtractor(bundle).extract([images[3]])
    assert isinstance(refused, RejectError)
    assert isinstance(found[3], RejectError)
    assert (found[3].code, str(found[3])) == (refused.code, str(refused))
    for at in (0, 1, 2, 4):
        neighbour = found[at]
        assert isinstance(neighbour, ImageFingerprint)
        assert_alike(neighbour, expected[at])


def test_the_self_test_passes_and_sees_every_codec(
    extractor: DeviceExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[Codec] = set()
    vectors = extractor._vectors

    def noted(codec: Codec, pictures: Sequence[Regions]) -> Floats:
        seen.add(codec)
        return vectors(codec, pictures)

    monkeypatch.setattr(extractor, "_vectors", noted)
    extractor.self_test()
    assert seen == set(CODECS)


def test_a_device_whose_numbers_differ_refuses_to_start(
    extractor: DeviceExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By more than rounding may move them, and less than the golden fingerprints' tolerance."""
    maps = extractor._maps["lossless"]
    compute = maps.fingerprints

    def moved(sums: torch.Tensor, codecs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        standard, vectors = compute(sums, codecs)
        return standard, vectors + 0.01

    monkeypatch.setattr(maps, "fingerprints", moved)
    with pytest.raises(StopError, match=r"differ by 0\.01 from those of the compiled loops"):
        extractor.self_test()


class _Replaying(Launcher):
    """Replays as a card does: into memory that is the same each time, only without a card."""

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))
        self.kept: dict[Hashable, tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]] = {}

    def run(
        self, key: Hashable, work: Work, inputs: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        if key not in self.kept:
            self.kept[key] = tuple(one.clone() for one in inputs), work(*inputs)
        held, outputs = self.kept[key]
        for other in self.kept.keys() - {key}:  # as graphs do, which share their memory
            for stale in self.kept[other][1]:
                stale.fill_(torch.nan)
        for own, fresh in zip(held, inputs, strict=True):
            own.copy_(fresh)
        for own, computed in zip(outputs, work(*held), strict=True):
            own.copy_(computed)
        return outputs

    def fetch(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.clone()


def test_memory_that_is_used_again_mixes_no_images_up(bundle: Bundle) -> None:
    """Several batches of one shape and several parts of one batch, as two launched together are."""
    extractor = DeviceExtractor(bundle, torch.device("cpu"))
    extractor.launcher = _Replaying()
    images = decoded()
    tiles = replace(images[0], regions=tuple(one.regions[0] for one in images[:4]) * 3)
    few = [[images[0], images[1], tiles], [images[3], images[0], tiles], [images[2], images[4]]]
    cpu = BlockExtractor(bundle)
    for own in few * 2:
        for one, other in zip(fingerprints(extractor, own), fingerprints(cpu, own), strict=True):
            assert_alike(one, other)
    first, second = extractor.launch(few[0]), extractor.launch(few[1])
    found = [*first.results(), *second.results()]
    for got, other in zip(found, fingerprints(cpu, [*few[0], *few[1]]), strict=True):
        assert isinstance(got, ImageFingerprint)
        assert_alike(got, other)


@pytest.mark.skipif(DEVICE.type != "cuda", reason="only a card has graphs")
def test_a_card_replays_what_comes_again_with_the_same_numbers(
    extractor: DeviceExtractor, bundle: Bundle
) -> None:
    extractor.self_test()
    images = decoded()
    expected = fingerprints(BlockExtractor(bundle), images)
    for _ in range(extractor.launcher.runs_to_replay + 2):
        for one, other in zip(fingerprints(extractor, images), expected, strict=True):
            assert_alike(one, other)
    assert extractor.launcher.graphs > 0
    assert extractor.launcher.refused == 0


def test_products_keep_all_bits_of_their_factors(extractor: DeviceExtractor) -> None:
    assert extractor.where
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cuda.matmul.allow_tf32
