"""Samples on their way to enrolment: distinct pictures, one at a time, under every condition."""

import io
import os
import shutil
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fingerprint_db.background import size_class_of
from fingerprint_db.conditions import CONDITIONS, Codec, readings_of
from fingerprint_db.gate.enrolment import Samples
from tests.worker.decoder.image_samples import picture
from tests.worker.extractor.tiny_bundle import (
    LIMITS,
    TinyBundle,
    made_png,
    real_jpeg,
    real_png,
    varied_png,
)
from worker.decoder.decode import DecodedImage, decode
from worker.enrol.hints import LeftOut
from worker.enrol.recompress import open_sample, under_condition
from worker.enrol.samples import SampleSet, fingerprint_samples, read_samples
from worker.errors import RejectError
from worker.extractor.arrival import file_codec
from worker.extractor.bundle import load_bundle
from worker.extractor.extract import BlockExtractor, Extractor, ImageFingerprint, Reading

NAMES = [condition.name for condition in CONDITIONS]


@pytest.fixture(scope="module")
def extractor(tiny_bundle: TinyBundle) -> Extractor:
    return BlockExtractor(load_bundle(tiny_bundle.path))


def decoded(data: bytes) -> DecodedImage:
    return decode(data, LIMITS)


def read(extractor: Extractor, folder: Path, workers: int = 1) -> SampleSet:
    return read_samples(folder, decoded, open_sample, extractor, workers=workers)


def test_samples_that_cannot_be_used_are_left_out_with_the_reason(
    extractor: Extractor, tmp_path: Path
) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.png").write_bytes(real_png(1))
    (tmp_path / "b.png").write_bytes(b"no image at all")
    (tmp_path / "c.png").write_bytes(made_png("checks", 2))
    os.mkfifo(tmp_path / "d.png")
    (tmp_path / "e.jpg").write_bytes(real_jpeg(3, 85)[:-300])
    (tmp_path / "inner" / "f.png").write_bytes(made_png("rows", 4))
    (tmp_path / "inner" / "g.png").write_bytes(real_png(5, 16))
    (tmp_path / "notes.txt").write_bytes(b"passed over")
    shutil.copy(tmp_path / "c.png", tmp_path / "inner" / "a copy.png")
    found = read(extractor, tmp_path, workers=3)
    assert found.subjects == ("a.png", "c.png", "inner/f.png")
    reasons = {Path(left.subject).name: left.why for left in found.left_out}
    assert list(reasons) == ["b.png", "d.png", "e.jpg", "a copy.png", "g.png", "notes.txt"]
    assert reasons["b.png"].startswith("decode.unsupported: ")
    assert reasons["d.png"] == "not a regular file"
    assert reasons["e.jpg"].startswith("decode.truncated: ")
    assert reasons["a copy.png"] == "the same picture as c.png"
    assert reasons["g.png"] == "too_small"
    assert reasons["notes.txt"] == "no image by its name"


def test_a_sample_that_cannot_be_read_is_left_out(
    extractor: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(real_png(1))
    (tmp_path / "b.png").write_bytes(real_png(2))
    read_bytes = Path.read_bytes

    def refusing(path: Path) -> bytes:
        if path.name == "a.png":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refusing)
    found = read(extractor, tmp_path)
    assert found.left_out == (LeftOut("a.png", "Permission denied"),)
    assert found.subjects == ("b.png",)


def with_text(data: bytes, number: int) -> bytes:
    """The same PNG with a text chunk of its own."""
    out, info = io.BytesIO(), PngInfo()
    info.add_text("Comment", f"number {number}")
    Image.open(io.BytesIO(data)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def versions(data: bytes) -> dict[str, bytes]:
    """One picture over again, as platforms and people change it."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    changed = {
        "half": image.resize((image.width // 2, image.height // 2)),
        "mirrored": image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "brighter": image.point(lambda level: min(255, level + 20)),
    }
    files = {name: saved(one, "PNG") for name, one in changed.items()}
    return files | {"jpeg50": saved(image, "JPEG", quality=50), "text": with_text(data, 1)}


def saved(image: Image.Image, kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def test_versions_of_one_picture_count_once(extractor: Extractor, tmp_path: Path) -> None:
    original = varied_png("checks", 3, 96)
    (tmp_path / "a.png").write_bytes(original)
    for name, data in versions(original).items():
        (tmp_path / f"b {name}.png").write_bytes(data)
    (tmp_path / "c.png").write_bytes(varied_png("checks", 4, 96))
    found = read(extractor, tmp_path)
    assert found.subjects == ("a.png", "c.png")
    why = {left.subject: left.why for left in found.left_out}
    assert why.pop("b text.png") == "the same picture as a.png"
    assert set(why) == {f"b {n}.png" for n in ("half", "mirrored", "brighter", "jpeg50")}
    assert all(w.startswith("another version of the picture a.png") for w in why.values()), why
    assert all(len(vectors) == 2 for vectors in found.samples.vectors.values())


def test_a_sample_with_a_broken_comment_is_taken(extractor: Extractor, tmp_path: Path) -> None:
    """The decoder never looks at it, and so must not what re-encodes the picture."""
    data = bytearray(with_text(made_png("checks", 5), 1))
    at = data.index(b"tEXt")
    data[at + 10] ^= 1  # its checksum no longer holds
    with pytest.raises((SyntaxError, OSError)):
        Image.open(io.BytesIO(bytes(data))).load()
    (tmp_path / "a.png").write_bytes(bytes(data))
    found = read(extractor, tmp_path)
    assert (found.subjects, found.left_out) == (("a.png",), ())


def test_whatever_pillow_raises_on_a_sample_is_its_reason(
    extractor: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(made_png("checks", 6))

    def failing(*_args: object, **_kwargs: object) -> None:
        raise SyntaxError("odd")

    (tmp_path / "b.png").write_bytes(made_png("checks", 7))
    images = {name: decoded((tmp_path / name).read_bytes()) for name in ("a.png", "b.png")}
    monkeypatch.setattr(Image, "open", failing)
    found = read_samples(
        tmp_path,
        lambda data: images["a.png" if data == (tmp_path / "a.png").read_bytes() else "b.png"],
        open_sample,
        extractor,
    )
    assert [left.why for left in found.left_out] == [
        "decode.corrupt: Pillow cannot decode the png file: SyntaxError: odd"
    ] * 2


def test_a_sample_that_is_not_opaque_is_left_out(extractor: Extractor, tmp_path: Path) -> None:
    image = Image.open(io.BytesIO(made_png("checks", 8, 256))).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 40, 40))
    image.save(tmp_path / "a.png")
    (left,) = read(extractor, tmp_path).left_out
    assert left.why == "parts of it are transparent; save it without transparency"


def fingerprint_of(
    image: DecodedImage, codec: Codec = "lossless", earlier: int | None = None
) -> ImageFingerprint:
    """A fingerprint of zeros in each space, read from the whole picture."""
    pixels = image.facts.width * image.facts.height
    zeros = np.zeros(6, np.float32)
    readings = tuple(Reading(one, zeros, zeros) for one in readings_of(codec))
    return ImageFingerprint(readings, 0.0, np.zeros(15, np.float32), pixels, earlier, 1)


class _Quick:
    """An extractor that computes nothing."""

    space, dimension, limits = "0" * 64, 6, LIMITS

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        """The same fingerprint for all."""
        return [fingerprint_of(image) for image in images]


def test_memory_does_not_grow_with_the_number_of_samples(tmp_path: Path) -> None:
    side = 320
    rng = np.random.default_rng(0)

    def peak_of(count: int) -> int:
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / f"{number}.png", compress_level=1)
        tracemalloc.start()
        try:
            found = read_samples(folder, decoded, open_sample, _Quick())
            assert len(found.subjects) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak_of(3), peak_of(9)
    picture = side * side * 3
    # Whether two views or three are alive at once is the threads' affair; a picture of each is not.
    assert many - few < 3 * picture, "pictures were held, of six that were added"


def test_samples_are_fingerprinted_under_every_condition_as_the_worker_would_see_them(
    extractor: Extractor,
) -> None:
    """The large one counts under every condition; the small one is too small once it is halved."""
    files = [varied_png("checks", 7), varied_png("checks", 8, 40)]
    samples = fingerprint_samples(files, decoded, extractor)
    assert samples.subjects == ("0", "1")
    assert list(samples.vectors) == NAMES
    for condition in CONDITIONS:
        expected = {}
        for row, data in enumerate(files):
            own = None if condition.name != "lossless" else data
            seen = decoded(under_condition(own, open_sample(data).picture, condition))
            if seen.problem is not None:
                continue
            (found,) = extractor.extract([seen])
            assert isinstance(found, ImageFingerprint)
            expected[row] = found
        assert list(expected) == ([0] if condition.treatment == "half" else [0, 1])
        name = condition.name
        assert samples.rows[name].tolist() == list(expected)
        vectors = [one.reading(condition.codec).vector for one in expected.values()]
        np.testing.assert_allclose(samples.vectors[name], vectors, atol=1e-3)
        np.testing.assert_array_equal(samples.kinds[name], [one.kind for one in expected.values()])
        sizes = [size_class_of(one.pixels_read) for one in expected.values()]
        assert samples.size_classes[name].tolist() == sizes
    assert samples.kind_names[0] == "noise"
    assert samples.absent == {"half_lossless": {"give no verdict there (too_small)": 1}}


def test_a_sample_that_is_rejected_under_one_condition_is_only_absent_there(
    extractor: Extractor,
) -> None:
    """Halved and written as PNG, a large JPEG may be over the limit of the decoder."""
    received = varied_png("checks", 9)

    def picky(data: bytes) -> DecodedImage:
        image = decoded(data)
        if image.facts.format == "png" and image.facts.width == 32:
            raise RejectError("too_large", "over the limit", stage="decode")
        return image

    samples = fingerprint_samples([received, received], picky, extractor)
    assert set(samples.vectors) == set(NAMES) - {"half_lossless"}
    assert samples.absent == {"half_lossless": {"are rejected there (too_large)": 2}}


def jpeg(quality: int, **options: int) -> bytes:
    return saved(picture(96, 96, seed=3), "JPEG", quality=quality, **options)


def alone(extractor: Extractor, data: bytes) -> Samples:
    """What is gathered of one sample."""
    return fingerprint_samples([data], decoded, extractor)


def test_a_jpeg_is_enrolled_as_received_and_for_what_it_can_become(extractor: Extractor) -> None:
    data = jpeg(85)
    samples = alone(extractor, data)
    assert list(samples.vectors) == [
        *("jpeg85", "shifted_jpeg85", "jpeg75", "twice_jpeg75"),
        *("full_chroma_jpeg75", "jpeg60", "webp80"),
    ]
    (own,) = extractor.extract([decoded(data)])
    assert isinstance(own, ImageFingerprint)
    np.testing.assert_allclose(samples.vectors["jpeg85"], own.vector[None], atol=1e-3)
    assert samples.absent["lossless"] == {"were compressed already": 1}
    assert samples.absent["half_lossless"] == {"were compressed already": 1}
    assert samples.absent["jpeg90"] == {"were compressed at a lower quality already": 1}
    assert set(samples.absent) | set(samples.vectors) == set(NAMES)


def test_a_quality_between_two_conditions_stands_as_received_under_the_nearer(
    extractor: Extractor,
) -> None:
    """Of quality 88 the steps are nearest to those of 90, which it cannot be compressed at."""
    samples = alone(extractor, jpeg(88))
    assert "jpeg90" in samples.vectors
    assert "full_chroma_jpeg90" in samples.absent
    assert "jpeg85" in samples.vectors


def test_a_jpeg_of_full_chroma_is_enrolled_under_a_codec_of_its_own(
    extractor: Extractor,
) -> None:
    """And, written again with half the chroma, under those that it can become."""
    samples = alone(extractor, jpeg(90, subsampling=0))
    assert {"full_chroma_jpeg90", "jpeg90", "full_chroma_jpeg75"} < set(samples.vectors)
    (own,) = extractor.extract([decoded(jpeg(90, subsampling=0))])
    assert isinstance(own, ImageFingerprint)
    np.testing.assert_allclose(samples.vectors["full_chroma_jpeg90"], own.vector[None], atol=1e-3)


def test_a_webp_file_becomes_jpeg_of_lower_quality(extractor: Extractor) -> None:
    samples = alone(extractor, saved(picture(96, 96, seed=3), "WEBP", quality=80))
    assert "webp80" in samples.vectors
    assert "jpeg75" in samples.vectors
    assert {"lossless", "jpeg85", "jpeg95"} < set(samples.absent)


class _Finding(_Quick):
    """Finds an earlier JPEG of quality 85 in every lossless file, or takes every file for one."""

    def __init__(self, earlier: int | None) -> None:
        self._earlier = earlier

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        return [self._found(image) for image in images]

    def _found(self, image: DecodedImage) -> ImageFingerprint:
        facts = image.facts
        if not facts.lossy:
            return fingerprint_of(image, "jpeg85", self._earlier)
        return fingerprint_of(image, file_codec(facts))


def test_a_png_that_was_a_jpeg_counts_as_the_jpeg_that_it_was() -> None:
    samples = fingerprint_samples([real_png(1)] * 2, decoded, _Finding(85))
    assert samples.rows["jpeg85"].tolist() == [0, 1]
    assert "lossless" not in samples.vectors
    assert samples.absent["lossless"] == {"were compressed already": 2}
    assert samples.absent["jpeg95"] == {"were compressed at a lower quality already": 2}
    assert "jpeg60" in samples.vectors


def test_a_view_that_the_worker_takes_for_another_codec_is_dropped() -> None:
    halved = fingerprint_samples([real_png(1)], decoded, _Misled())
    assert "half_lossless" not in halved.vectors
    assert halved.absent == {"half_lossless": {"seem to be jpeg60 there": 1}}


class _Misled(_Finding):
    """Takes halved pictures in lossless files for JPEG."""

    def __init__(self) -> None:
        super().__init__(None)

    def _found(self, image: DecodedImage) -> ImageFingerprint:
        if not image.facts.lossy:
            return fingerprint_of(image, "lossless" if image.facts.width == 64 else "jpeg60")
        return super()._found(image)
