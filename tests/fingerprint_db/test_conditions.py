"""Which recompression condition a file is in, by the codec that its own header shows."""

import pytest

from fingerprint_db.conditions import (
    CONDITIONS,
    JPEG_QUALITIES,
    Codec,
    codec_of,
    conditions_for,
    ijg_step,
)

# libjpeg's jpeg_quality_scaling(), as its source and documentation state it.
IJG_SCALES = {1: 5000, 10: 500, 25: 200, 49: 102, 50: 100, 75: 50, 90: 20, 95: 10, 100: 0}


@pytest.mark.parametrize(("quality", "scale"), IJG_SCALES.items())
def test_the_step_is_libjpegs_scale_factor(quality: int, scale: int) -> None:
    assert int(ijg_step(quality)) == scale


def test_the_step_never_rises_with_the_quality() -> None:
    steps = [ijg_step(quality) for quality in range(1, 101)]
    assert steps == sorted(steps, reverse=True)


def test_every_jpeg_quality_takes_the_enrolled_codec_with_the_nearest_step() -> None:
    for quality in range(1, 101):
        gaps = {name: abs(ijg_step(q) - ijg_step(quality)) for name, q in JPEG_QUALITIES.items()}
        chosen = codec_of(True, quality)
        assert gaps[chosen] == min(gaps.values()), quality


@pytest.mark.parametrize(
    ("lossy", "jpeg_quality", "codec"),
    [
        (True, 100, "jpeg95"),
        (True, 95, "jpeg95"),
        (True, 92, "jpeg90"),
        (True, 90, "jpeg90"),
        (True, 85, "jpeg85"),
        (True, 80, "jpeg85"),  # its step lies midway; the finer of the two
        (True, 79, "jpeg75"),
        (True, 70, "jpeg75"),
        (True, 60, "jpeg60"),
        (True, 30, "jpeg60"),
        (True, None, "webp80"),
        (False, None, "as_received"),
    ],
)
def test_codecs_of_some_files(lossy: bool, jpeg_quality: int | None, codec: Codec) -> None:
    assert codec_of(lossy, jpeg_quality) == codec


def test_an_image_may_be_in_its_codec_at_full_or_at_half_scale() -> None:
    assert conditions_for(True, 75) == ("jpeg75", "half_jpeg75")
    assert conditions_for(True, None) == ("webp80", "half_webp80")
    assert conditions_for(False, None) == ("as_received", "half")


def test_every_condition_of_a_query_is_one_that_is_enrolled() -> None:
    names = [condition.name for condition in CONDITIONS]
    assert len(set(names)) == len(names) == 14
    assert names[0] == "as_received"
    possible = {name for q in range(1, 101) for name in conditions_for(True, q)}
    possible |= {*conditions_for(True, None), *conditions_for(False, None)}
    assert possible == set(names)
