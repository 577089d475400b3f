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

from fingerprint_db.conditions import CONDITIONS
from tests.worker.commands.local_program import varied_png
from tests.worker.extractor.tiny_bundle import LIMITS, TinyBundle, made_png, real_jpeg, real_png
from tests.worker.judge.judging import Bench
from worker.decoder.decode import DecodedImage, decode
from worker.enrol.recompress import open_sample, under_condition
from worker.enrol.samples import LeftOut, SampleSet, fingerprint_samples, read_samples
from worker.errors import RejectError
from worker.extractor.bundle import load_bundle
from worker.extractor.calibration import bin_of
from worker.extractor.extract import ImageFingerprint, TorchExtractor


@pytest.fixture(scope="module")
def bench(tiny_bundle: TinyBundle) -> Bench:
    bundle = load_bundle(tiny_bundle.path)
    made = Bench(bundle, TorchExtractor(bundle, "cpu"))
    made.register("checks")
    return made


def decoded(data: bytes) -> DecodedImage:
    return decode(data, LIMITS)


def read(bench: Bench, folder: Path, workers: int = 1) -> SampleSet:
    return read_samples(folder, decoded, bench.extractor, bench.bundle.calibration, workers=workers)


def test_samples_that_cannot_be_used_are_left_out_with_the_reason(
    bench: Bench, tmp_path: Path
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
    found = read(bench, tmp_path, workers=3)
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
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(real_png(1))
    (tmp_path / "b.png").write_bytes(real_png(2))
    read_bytes = Path.read_bytes

    def refusing(path: Path) -> bytes:
        if path.name == "a.png":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refusing)
    found = read(bench, tmp_path)
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


def test_versions_of_one_picture_count_once(bench: Bench, tmp_path: Path) -> None:
    original = varied_png("checks", 3, 96)
    (tmp_path / "a.png").write_bytes(original)
    for name, data in versions(original).items():
        (tmp_path / f"b {name}.png").write_bytes(data)
    (tmp_path / "c.png").write_bytes(varied_png("checks", 4, 96))
    found = read(bench, tmp_path)
    assert found.subjects == ("a.png", "c.png")
    why = {left.subject: left.why for left in found.left_out}
    assert why.pop("b text.png") == "the same picture as a.png"
    assert set(why) == {f"b {n}.png" for n in ("half", "mirrored", "brighter", "jpeg50")}
    assert all(w.startswith("another version of the picture a.png") for w in why.values()), why
    assert all(len(vectors) == 2 for vectors in found.samples.vectors.values())


def test_a_sample_with_a_broken_comment_is_taken(bench: Bench, tmp_path: Path) -> None:
    """The decoder never looks at it, and so must not what re-encodes the picture."""
    data = bytearray(with_text(made_png("checks", 5), 1))
    at = data.index(b"tEXt")
    data[at + 10] ^= 1  # its checksum no longer holds
    with pytest.raises((SyntaxError, OSError)):
        Image.open(io.BytesIO(bytes(data))).load()
    (tmp_path / "a.png").write_bytes(bytes(data))
    found = read(bench, tmp_path)
    assert (found.subjects, found.left_out) == (("a.png",), ())


def test_whatever_pillow_raises_on_a_sample_is_its_reason(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        bench.extractor,
        bench.bundle.calibration,
    )
    assert [left.why for left in found.left_out] == [
        "decode.corrupt: Pillow cannot decode the png file: SyntaxError: odd"
    ] * 2


def test_a_sample_that_is_not_opaque_is_left_out(bench: Bench, tmp_path: Path) -> None:
    image = Image.open(io.BytesIO(made_png("checks", 8, 256))).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 40, 40))
    image.save(tmp_path / "a.png")
    (left,) = read(bench, tmp_path).left_out
    assert left.why == "parts of it are transparent; save it without transparency"


class _Quick:
    """An extractor that computes nothing."""

    space, dimension, limits = "0" * 64, 6, LIMITS

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        """The same fingerprint for all."""
        return [ImageFingerprint(np.zeros(6, np.float32), 0.0, 1, 1.0) for _ in images]


def test_memory_does_not_grow_with_the_number_of_samples(bench: Bench, tmp_path: Path) -> None:
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
            found = read_samples(folder, decoded, _Quick(), bench.bundle.calibration)
            assert len(found.subjects) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak_of(3), peak_of(9)
    picture = side * side * 3
    assert many - few < picture, "one more picture was held, of six that were added"


def test_samples_are_fingerprinted_under_every_condition_as_the_worker_would_see_them(
    bench: Bench,
) -> None:
    """The large one counts under every condition; the small one is too small once it is halved."""
    files = [made_png("checks", 7), made_png("checks", 8, 40)]
    samples = fingerprint_samples(
        files,
        decoded,
        bench.extractor,
        bench.bundle.calibration,
    )
    assert list(samples.vectors) == [condition.name for condition in CONDITIONS]
    for condition in CONDITIONS:
        expected = []
        for data in files:
            seen = decoded(under_condition(data, open_sample(data).picture, condition))
            if seen.problem is not None:
                continue
            (found,) = bench.extractor.extract([seen])
            assert isinstance(found, ImageFingerprint)
            name = bin_of(
                seen.facts.lossy, seen.facts.jpeg_quality, min(seen.facts.width, seen.facts.height)
            )
            p_value = bench.bundle.calibration.p_value(name, found.synthesis_score)
            expected.append((found.vector, p_value))
        assert len(expected) == (1 if condition.scale == "half" else 2)
        np.testing.assert_allclose(
            samples.vectors[condition.name], [vector for vector, _ in expected], atol=0.1
        )
        np.testing.assert_allclose(
            samples.p_values[condition.name], [p for _, p in expected], atol=0.02
        )


def test_a_sample_that_is_rejected_under_one_condition_is_only_absent_there(bench: Bench) -> None:
    """Halved and written as PNG, a large JPEG may be over the limit of the decoder."""
    received = made_png("checks", 9)

    def picky(data: bytes) -> DecodedImage:
        image = decoded(data)
        if image.facts.format == "png" and image.facts.width == 32:
            raise RejectError("too_large", "over the limit", stage="decode")
        return image

    samples = fingerprint_samples(
        [received, received], picky, bench.extractor, bench.bundle.calibration
    )
    names = {condition.name for condition in CONDITIONS}
    assert set(samples.vectors) == set(samples.p_values) == names - {"half"}
