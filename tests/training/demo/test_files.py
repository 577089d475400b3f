"""The demo's files: photographs under free licences, their views, the codecs' mix, broken files."""

import hashlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from training.demo.files import (
    PHOTO_FOLDER,
    PROCESSED_PER_PHOTO,
    VIEWS_PER_PHOTO,
    DemoFile,
    broken_files,
    encode,
    enlarged_views,
    noisy_views,
    photo_paths,
    photo_views,
)
from worker.decoder.decode import DecodeLimits, decode
from worker.errors import RejectError

FREE_LICENCES = {
    *("Public domain", "CC0-1.0", "CC-BY-2.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0"),
}


def test_every_photograph_is_attributed_under_a_free_licence() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|(.*)\|$", _attribution(), re.MULTILINE)
    stated = {name: digest for name, digest, _ in rows}
    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in photo_paths()}
    assert stated == digests
    licences = [rest.split("|")[3].strip() for _, _, rest in rows]
    authors = [rest.split("|")[2].strip() for _, _, rest in rows]
    assert set(licences) <= FREE_LICENCES
    assert all(authors)


def test_the_photographs_are_few_megabytes_and_some_have_many_pixels() -> None:
    sizes = []
    for path in photo_paths():
        with Image.open(path) as image:
            sizes.append(image.width * image.height)
    assert 12 <= len(sizes) <= 16
    assert sum(size > 2_000_000 for size in sizes) >= 2
    assert sum(path.stat().st_size for path in photo_paths()) < 6_000_000


def test_views_reach_from_the_whole_photograph_to_the_size_of_a_generated_image() -> None:
    path = PHOTO_FOLDER / "china.jpg"
    views = list(photo_views(path, np.random.default_rng(1)))
    assert len(views) == VIEWS_PER_PHOTO
    assert views[0] == DemoFile(path.read_bytes(), "jpg"), "a JPEG is sent as it lies on disk"
    shortest = [min(Image.open(io.BytesIO(view.data)).size) for view in views]
    assert max(shortest) == 427
    assert 48 <= min(shortest) <= 128


def test_a_third_of_the_files_are_png_and_the_jpegs_of_many_qualities_some_in_full_chroma() -> None:
    numbers = np.random.default_rng(2)
    image = Image.fromarray(numbers.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    files = [encode(image, numbers).data for _ in range(300)]
    facts = [decode(data, DecodeLimits()).facts for data in files]
    qualities = [f.jpeg_quality for f in facts if f.jpeg_quality is not None]
    assert {f.format for f in facts} == {"jpeg", "png"}
    assert 0.28 < 1 - len(qualities) / len(files) < 0.42
    assert sum(75 <= quality <= 95 for quality in qualities) > 0.8 * len(qualities)
    assert len(set(qualities)) > 10
    jpegs = [data for data, f in zip(files, facts, strict=True) if f.format == "jpeg"]
    full = sum(get_sampling(Image.open(io.BytesIO(data))) == 0 for data in jpegs)
    assert 0.09 < full / len(jpegs) < 0.22


def test_enlarged_photographs_have_twice_the_size_and_little_detail(tmp_path: Path) -> None:
    path = tmp_path / "noise.png"
    noise = np.random.default_rng(3).integers(0, 96, (160, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    views = list(enlarged_views(path, np.random.default_rng(4)))
    assert len(views) == PROCESSED_PER_PHOTO
    for view in views:
        with Image.open(io.BytesIO(view.data)) as image:
            assert all(side % 2 == 0 and side <= 800 for side in image.size)
            # White noise of the photograph, seen through the kernel that enlarged it.
            assert _step_to_the_right(image) < 0.7 * _step_to_the_right(Image.open(path))


def test_noisy_photographs_carry_the_noise_of_a_sensor(tmp_path: Path) -> None:
    path = tmp_path / "plain.png"
    Image.new("RGB", (600, 500), (90, 120, 150)).save(path)
    views = list(noisy_views(path, np.random.default_rng(5)))
    assert len(views) == PROCESSED_PER_PHOTO
    for view in views:
        with Image.open(io.BytesIO(view.data)) as image:
            assert 0.3 < float(np.asarray(image, np.float32).std(axis=(0, 1)).mean()) < 25


def test_every_broken_file_is_rejected_by_the_decoder() -> None:
    whole = Image.fromarray(np.random.default_rng(3).integers(0, 255, (80, 90, 3), dtype=np.uint8))
    files = broken_files(whole)
    assert len(files) == 8
    for file in files:
        with pytest.raises(RejectError):
            decode(file.data, DecodeLimits())


def _step_to_the_right(image: Image.Image) -> float:
    """The mean difference of neighbouring pixels in a row, in standard deviations of all."""
    pixels = np.asarray(image.convert("RGB"), np.float32)
    return float(np.abs(np.diff(pixels, axis=1)).mean() / pixels.std())


def _attribution() -> str:
    return (PHOTO_FOLDER / "ATTRIBUTION.md").read_text(encoding="utf-8")
