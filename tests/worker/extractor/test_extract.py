"""Batched extraction: each image has its own result, whatever else is in the batch."""

import io
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray
from PIL import Image

from fingerprint_db.conditions import CODECS, Codec
from fingerprint_db.matching.familiarity import Familiarity
from tests.worker.extractor.tiny_bundle import (
    CONSTANTS,
    DIMENSION,
    GENERATORS,
    LIMITS,
    TinyBundle,
    made_png,
    real_jpeg,
    real_png,
    varied_png,
)
from worker.decoder.decode import DecodedImage, decode
from worker.decoder.regions import RegionReading
from worker.errors import RejectError
from worker.extractor import extract
from worker.extractor.bundle import Bundle, load_bundle
from worker.extractor.extract import BlockExtractor, ImageFingerprint
from worker.extractor.fingerprint_map import Floats, block_statistics
from worker.extractor.nuisance import nuisance

FILES = [
    real_png(1),
    made_png("checks", 2),
    real_jpeg(3, 75, 48),
    made_png("rows", 4, 32),
    real_jpeg(5, 95),
]


@pytest.fixture(scope="module")
def bundle(tiny_bundle: TinyBundle) -> Bundle:
    return load_bundle(tiny_bundle.path)


@pytest.fixture
def extractor(bundle: Bundle) -> BlockExtractor:
    return BlockExtractor(bundle)


def decoded() -> list[DecodedImage]:
    return [decode(data, LIMITS) for data in FILES]


def fingerprints(extractor: BlockExtractor, images: list[DecodedImage]) -> list[ImageFingerprint]:
    found = extractor.extract(images)
    assert all(isinstance(one, ImageFingerprint) for one in found)
    return [one for one in found if isinstance(one, ImageFingerprint)]


def test_the_extractor_says_what_it_needs(
    extractor: BlockExtractor, tiny_bundle: TinyBundle
) -> None:
    assert extractor.space == tiny_bundle.digest
    assert extractor.dimension == DIMENSION
    assert extractor.limits.reading == RegionReading()


def test_a_fingerprint_is_the_codecs_map_of_the_pictures_statistics(
    extractor: BlockExtractor, bundle: Bundle
) -> None:
    images = decoded()
    found = fingerprints(extractor, images)
    assert [one.codec for one in found] == ["lossless", "lossless", "jpeg75", "lossless", "jpeg95"]
    for image, one in zip(images, found, strict=True):
        own = bundle.maps[one.codec]
        standard = own.standard(block_statistics(image.regions, own.blocks)[None])
        np.testing.assert_allclose(one.standard, standard[0])
        np.testing.assert_allclose(one.vector, own.fingerprint(standard)[0], atol=1e-3)
        assert one.vector.dtype == one.standard.dtype == np.float32
        synthesis = bundle.background.codecs[one.codec].synthesis
        assert one.synthesis_score == pytest.approx(float(one.vector @ synthesis), abs=1e-3)
        assert np.array_equal(one.kind, nuisance(image.regions, image.facts).vector)
        assert (one.pixels_read, one.crop_count) == (image.regions[0][0].size, 1)
        assert (one.earlier_quality, one.crop_agreement) == (None, None)


def test_all_regions_of_a_picture_count(extractor: BlockExtractor) -> None:
    first, second, *_ = decoded()
    (both,) = fingerprints(extractor, [replace(first, regions=(*first.regions, *second.regions))])
    assert (both.crop_count, both.pixels_read) == (2, 2 * 64 * 64)
    alone = fingerprints(extractor, [first, second])
    assert all(np.abs(both.vector - one.vector).max() > 0.5 for one in alone)


def test_an_image_has_the_same_fingerprint_in_every_batch(extractor: BlockExtractor) -> None:
    """Within what products of other sizes may differ, far below any threshold."""
    images = decoded()
    together = fingerprints(extractor, images)
    backwards = fingerprints(extractor, images[::-1])[::-1]
    for image, one, other in zip(images, together, backwards, strict=True):
        (alone,) = fingerprints(extractor, [image])
        for again in (alone, other):
            np.testing.assert_allclose(again.vector, one.vector, atol=1e-3)
            assert np.array_equal(again.standard, one.standard)
            assert again.codec == one.codec


def test_threads_change_nothing(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    found, names = [], set()

    def seen(regions: tuple[NDArray[np.uint8], ...], blocks: tuple[str, ...]) -> Floats:
        names.add(threading.current_thread().name)
        return block_statistics(regions, blocks)

    monkeypatch.setattr("worker.extractor.extract.block_statistics", seen)
    for cores in (2, 6):
        monkeypatch.setattr("worker.extractor.extract.usable_cores", lambda cores=cores: cores)
        found.append(fingerprints(BlockExtractor(bundle), decoded()))
    assert any(name.startswith("extract") for name in names)
    assert threading.current_thread().name in names
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one.vector, other.vector)


def test_few_calls_of_an_image_let_go_of_the_interpreters_lock(
    extractor: BlockExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each the lock has to be waited for, while other threads have it."""
    images = [decode(real_jpeg(seed, 95), LIMITS) for seed in (1, 2, 3)]
    extractor.extract(images)  # compiled
    calls = Counter[str]()

    def counting(loop: Dispatcher) -> Callable[..., object]:
        def called(*arguments: object) -> object:
            calls[loop.py_func.__qualname__] += 1
            return loop(*arguments)

        return called

    for name, module in list(sys.modules.items()):
        loops = vars(module).items() if name.startswith("worker.extractor") else ()
        for own, value in list(loops):
            if isinstance(value, Dispatcher) and value.targetoptions.get("nogil"):
                monkeypatch.setattr(module, own, counting(value))
    extractor.extract(images)
    products = calls.pop("_multiply")
    assert products == 2, "the basis, and the map of the one codec, of all images together"
    assert calls == {"_convert": 3, "_accumulate": 3, "look": 3}


def test_a_jpeg_in_a_lossless_file_is_taken_for_that_jpeg(
    extractor: BlockExtractor, bundle: Bundle
) -> None:
    """The same pixels in both files: the same codec, fingerprint and kind."""
    rng = np.random.default_rng(3)
    coarse = Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
    jpeg, png = io.BytesIO(), io.BytesIO()
    coarse.resize((192, 192), Image.Resampling.BICUBIC).save(jpeg, "JPEG", quality=75)
    Image.open(jpeg).save(png, "PNG")
    first, second = fingerprints(
        extractor, [decode(file.getvalue(), LIMITS) for file in (jpeg, png)]
    )
    assert first.codec == second.codec == "jpeg75"
    assert first.earlier_quality is None
    assert second.earlier_quality is not None
    assert abs(second.earlier_quality - 75) <= 2
    np.testing.assert_allclose(second.vector, first.vector, atol=1e-3)
    np.testing.assert_allclose(second.kind, first.kind, atol=0.1)


def test_a_lossless_file_is_read_in_two_spaces_and_a_lossy_one_in_its_own(
    extractor: BlockExtractor, bundle: Bundle
) -> None:
    """The same statistics through each codec's map; the first reading is what the file shows."""
    full_chroma = io.BytesIO()
    Image.open(io.BytesIO(real_png(3))).save(full_chroma, "JPEG", quality=90, subsampling=0)
    files = [real_png(3), real_jpeg(3, 90), full_chroma.getvalue()]
    images = [decode(data, LIMITS) for data in files]
    spaces = [("lossless", "half_lossless"), ("jpeg90",), ("full_chroma_jpeg90",)]
    for image, one, codecs in zip(images, fingerprints(extractor, images), spaces, strict=True):
        assert tuple(reading.codec for reading in one.readings) == codecs
        assert one.codec == codecs[0]
        assert one.reading(codecs[0]) is one.readings[0]
        for reading in one.readings:
            own = bundle.maps[reading.codec]
            standard = own.standard(block_statistics(image.regions, own.blocks)[None])
            np.testing.assert_allclose(reading.standard, standard[0], atol=1e-5)
            np.testing.assert_allclose(reading.vector, own.fingerprint(standard)[0], atol=1e-3)
        synthesis = bundle.background.codecs[codecs[0]].synthesis
        assert one.synthesis_score == pytest.approx(float(one.vector @ synthesis), abs=1e-3)


def test_generators_score_above_photos(extractor: BlockExtractor, bundle: Bundle) -> None:
    """The tiny bundle tells its generators apart, or tests that build on it would show nothing."""
    photos = [decode(real_png(number), LIMITS) for number in range(10)]
    photos += [decode(real_jpeg(number, 75), LIMITS) for number in range(10)]
    made = [decode(make(n, 5), LIMITS) for n in GENERATORS for make in (made_png, varied_png)]
    highest = max(f.synthesis_score for f in fingerprints(extractor, photos))
    assert min(f.synthesis_score for f in fingerprints(extractor, made)) > highest + 2
    # Nor is any of them unfamiliar.
    familiar = {c: Familiarity.of(s.cohort) for c, s in bundle.background.codecs.items()}
    for one in fingerprints(extractor, photos + made):
        (distance,) = familiar[one.codec].distances(one.kind[None])
        assert distance < CONSTANTS.unfamiliar_distance


def test_nothing_in_nothing_out(extractor: BlockExtractor) -> None:
    assert extractor.extract([]) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e6])
def test_numbers_that_no_record_can_hold_fail_their_image_alone(
    value: float, extractor: BlockExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = decoded()
    expected = fingerprints(extractor, images)
    project = extractor._products.project

    def spoiled(codecs: Sequence[Codec], standard: Floats) -> Floats:
        found = project(codecs, standard)
        if codecs[0] == "lossless":
            found[1, 3] = value
        return found

    monkeypatch.setattr(extractor._products, "project", spoiled)
    found = extractor.extract(images)
    assert isinstance(found[1], RejectError)
    assert (found[1].code, found[1].stage) == ("model_nan", "extract")
    for at in (0, 2, 3, 4):
        neighbour = found[at]
        assert isinstance(neighbour, ImageFingerprint)
        np.testing.assert_allclose(neighbour.vector, expected[at].vector)


def test_the_self_test_sees_every_codec_and_compiles_what_images_need(
    extractor: BlockExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No first image waits for a compiler."""
    called = []
    for name in ("arrival", "nuisance"):
        before = getattr(extract, name)

        def seen(*arguments: object, name: str = name, before: object = before) -> object:
            called.append(name)
            return before(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(extract, name, seen)
    project = extractor._products.project

    def projected(codecs: Sequence[Codec], standard: Floats) -> Floats:
        called.extend(codecs)
        return project(codecs, standard)

    monkeypatch.setattr(extractor._products, "project", projected)
    extractor.self_test()
    assert {"arrival", "nuisance", *CODECS} == set(called)
