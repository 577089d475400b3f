"""Which recompression condition a file is in, by the codec that its own header shows."""

import pytest

from fingerprint_db.conditions import (
    CODECS,
    CONDITIONS,
    FULL_CHROMA_QUALITIES,
    JPEG_QUALITIES,
    Codec,
    codec_of,
    conditions_of,
    ijg_step,
    is_shown,
    readings_of,
    shown_by,
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
    for known, full_chroma in ((JPEG_QUALITIES, False), (FULL_CHROMA_QUALITIES, True)):
        for quality in range(1, 101):
            gaps = {name: abs(ijg_step(q) - ijg_step(quality)) for name, q in known.items()}
            chosen = codec_of(True, quality, full_chroma=full_chroma)
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
        (False, None, "lossless"),
    ],
)
def test_codecs_of_some_files(lossy: bool, jpeg_quality: int | None, codec: Codec) -> None:
    assert codec_of(lossy, jpeg_quality) == codec


def test_full_chroma_has_codecs_of_its_own_and_is_said_of_jpeg_alone() -> None:
    assert codec_of(True, 92, full_chroma=True) == "full_chroma_jpeg90"
    assert codec_of(True, 85, full_chroma=True) == "full_chroma_jpeg90"
    assert codec_of(True, 40, full_chroma=True) == "full_chroma_jpeg75"
    assert codec_of(True, None, full_chroma=True) == "webp80"


def test_a_file_may_be_in_every_condition_of_its_codec() -> None:
    assert [c.name for c in conditions_of("lossless")] == ["lossless"]
    assert [c.name for c in conditions_of("half_lossless")] == ["half_lossless"]
    assert [c.name for c in conditions_of("jpeg85")] == ["jpeg85", "shifted_jpeg85"]
    assert [c.name for c in conditions_of("jpeg75")] == ["jpeg75", "twice_jpeg75"]
    assert [c.name for c in conditions_of("full_chroma_jpeg75")] == ["full_chroma_jpeg75"]
    assert [c.name for c in conditions_of("webp80")] == ["webp80"]


def test_a_lossless_file_may_have_been_halved_and_is_read_in_both_spaces() -> None:
    assert readings_of("lossless") == ("lossless", "half_lossless")
    for codec in CODECS:
        readings = readings_of(codec)
        assert readings[0] == codec, "first what the file shows"
        assert len(readings) == 1 or codec == "lossless"
        assert is_shown(codec) == (codec != "half_lossless")
        assert shown_by(codec) == ("lossless" if codec in readings_of("lossless") else codec)


def test_a_condition_says_what_its_file_is_written_with() -> None:
    written = {condition.name: condition.file_codec for condition in CONDITIONS}
    assert written["half_lossless"] == written["lossless"] == "lossless"
    assert written["full_chroma_jpeg75"] == written["twice_jpeg75"] == "jpeg75"
    assert written["shifted_jpeg85"] == "jpeg85"
    assert {*written.values()} == {"lossless", "webp80", *JPEG_QUALITIES}


def test_conditions_have_names_of_their_own_and_each_belongs_to_one_codec() -> None:
    assert len({condition.name for condition in CONDITIONS}) == len(CONDITIONS) == 13
    assert [c for codec in CODECS for c in conditions_of(codec)] == list(CONDITIONS)
    assert CONDITIONS[0].name == "lossless"
