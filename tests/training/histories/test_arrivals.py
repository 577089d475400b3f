"""How files arrive, and files that lack some of their data."""

import io

import numpy as np
import pytest
from PIL import Image

from fingerprint_db import conditions as enrolled
from tests.training.histories.test_histories import photograph
from training.histories.conditions import CONDITIONS, arrival_of
from training.histories.encodings import jpeg, read
from training.histories.history import DAMAGED_FILES
from training.open_set.plan import ARRIVALS
from worker.decoder.decode import DecodeLimits, decode
from worker.enrol.recompress import under_condition
from worker.errors import RejectError

PHOTOGRAPH = photograph(150, 204)


def arrived(name: str, seed: int = 1) -> bytes:
    return CONDITIONS[name](PHOTOGRAPH, np.random.default_rng(seed))


def as_opened(data: bytes) -> tuple[str | None, tuple[int, int]]:
    with Image.open(io.BytesIO(data)) as image:
        return image.format, (image.height, image.width)


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_worker_reads_a_file_under_every_condition(name: str) -> None:
    decoded = decode(arrived(name), DecodeLimits())
    assert decoded.problem is None
    assert arrived(name, 3) == arrived(name, 3)


def test_every_enrolled_condition_is_among_them() -> None:
    names = [arrival_of(condition) for condition in enrolled.CONDITIONS]
    assert len(set(names)) == len(names)
    assert set(names) < set(CONDITIONS)
    assert names == list(ARRIVALS.values()), "files of the corpus have these names"
    for condition, name in zip(enrolled.CONDITIONS, names, strict=True):
        assert arrived(name) == under_condition(None, PHOTOGRAPH, condition)


def test_clean_keeps_every_pixel_and_half_halves_the_sides() -> None:
    np.testing.assert_array_equal(read(arrived("clean")), PHOTOGRAPH)
    assert as_opened(arrived("half")) == ("PNG", (75, 102))


def test_a_jpeg_has_the_quality_and_the_chroma_of_its_name() -> None:
    for name, sampling in {"jpeg75": (2, 2), "jpeg75_444": (1, 1)}.items():
        with Image.open(io.BytesIO(arrived(name))) as image:
            assert image.format == "JPEG"
            assert image.layer[0][1:3] == sampling  # type: ignore[attr-defined]
        facts = decode(arrived(name), DecodeLimits()).facts
        assert facts.jpeg_quality == 75


def test_a_second_jpeg_is_the_one_that_the_file_shows() -> None:
    facts = decode(arrived("jpeg85_then_75"), DecodeLimits()).facts
    assert facts.jpeg_quality == 75
    assert as_opened(arrived("jpeg75_cut_then_85")) == ("JPEG", (147, 201))
    assert as_opened(arrived("jpeg75_as_png"))[0] == "PNG"
    np.testing.assert_array_equal(read(arrived("jpeg75_as_png")), jpeg(PHOTOGRAPH, 75))


@pytest.mark.parametrize("name", DAMAGED_FILES)
def test_a_damaged_file_opens_in_viewers_and_is_refused_by_the_worker(name: str) -> None:
    data = DAMAGED_FILES[name](PHOTOGRAPH, np.random.default_rng(1))
    assert read(data).shape == PHOTOGRAPH.shape
    with pytest.raises(RejectError):
        decode(data, DecodeLimits())


def test_more_scans_show_more_of_the_picture() -> None:
    errors = [
        np.abs(
            read(DAMAGED_FILES[name](PHOTOGRAPH, np.random.default_rng(1))).astype(int) - PHOTOGRAPH
        )
        for name in ("progressive_first_scan", "progressive_fourth_scan")
    ]
    assert errors[0].mean() > errors[1].mean()
