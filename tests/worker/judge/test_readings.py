"""Of the spaces that a file is read in the most telling one speaks, at the price of asking all."""

import numpy as np
import pytest

from fingerprint_db.background import Floats
from fingerprint_db.conditions import Codec
from fingerprint_db.snapshot import EMPTY_ROOT, Snapshot
from tests.fingerprint_db.matching.small_spaces import (
    SPACE,
    entry,
    images,
    mean_of,
    model,
    photographs,
    small_background,
)
from worker.extractor.extract import ImageFingerprint, Reading
from worker.judge.attribute import Matcher, NameFindings
from worker.judge.readings import match_readings

BACKGROUND = small_background("lossless", "half_lossless", "jpeg75")
PLAIN, HALF, JPEG = (BACKGROUND.codecs[c] for c in ("lossless", "half_lossless", "jpeg75"))
MODELS = (
    model("plain", entry(PLAIN, mean_of(1), "lossless")),
    model(
        "both",
        entry(PLAIN, mean_of(2), "lossless"),
        entry(HALF, mean_of(3), "half_lossless"),
        entry(JPEG, mean_of(4), "jpeg75"),
    ),
)
MATCHER = Matcher(BACKGROUND, Snapshot(SPACE, 1, EMPTY_ROOT, MODELS))
PIXELS = 512 * 512


def fingerprint(**vectors: Floats) -> ImageFingerprint:
    """Of one image, its vector (D,) in each space."""
    codecs: dict[str, Codec] = {c: c for c in BACKGROUND.codecs}
    readings = tuple(
        Reading(codecs[name], v, np.zeros(1, np.float32)) for name, v in vectors.items()
    )
    return ImageFingerprint(readings, 0.0, np.zeros(15, np.float32), PIXELS, None, 1)


def lossless(plain: Floats, half: Floats) -> ImageFingerprint:
    return fingerprint(lossless=plain, half_lossless=half)


def found_of(*fingerprints: ImageFingerprint) -> list[NameFindings]:
    return match_readings(MATCHER, fingerprints)


REAL_PLAIN, REAL_HALF = photographs(PLAIN, 1)[0], photographs(HALF, 1)[0]
AS_IT_IS = lossless(images(PLAIN, mean_of(1), 1)[0], REAL_HALF)
HALVED = lossless(REAL_PLAIN, images(HALF, mean_of(3), 1)[0])
JPEG_FILE = fingerprint(jpeg75=images(JPEG, mean_of(4), 1)[0])


@pytest.mark.parametrize(
    ("image", "codec", "name"),
    [(AS_IT_IS, "lossless", "plain"), (HALVED, "half_lossless", "both")],
)
def test_the_most_telling_reading_speaks_and_its_p_values_pay_for_both(
    image: ImageFingerprint, codec: Codec, name: str
) -> None:
    (found,) = found_of(image)
    (alone,) = MATCHER.match(image.reading(codec).vector[None], [codec], [3])
    assert (found.codec, found.tests) == (codec, 2)
    assert found.ranked[0].model.model_id == name
    assert found.ranked[0].condition == codec
    assert found.standing.p_value == 2 * alone.standing.p_value
    assert found.standing.worst_share == alone.standing.worst_share
    assert found.source_p_value == min(1.0, 2 * alone.source_p_value)
    assert found.level is alone.level
    for match, of_one in zip(found.ranked, alone.ranked, strict=True):
        assert match.standing.p_value == min(1.0, 2 * of_one.standing.p_value)
        assert match.score == of_one.score


def test_what_is_read_in_one_space_pays_nothing() -> None:
    (found,) = found_of(JPEG_FILE)
    (alone,) = MATCHER.match(JPEG_FILE.vector[None], ["jpeg75"], [3])
    assert (found.codec, found.tests) == ("jpeg75", 1)
    assert (found.standing, found.source_p_value) == (alone.standing, alone.source_p_value)


def test_where_no_reading_says_more_what_the_file_shows_speaks() -> None:
    empty = Matcher(BACKGROUND, Snapshot.empty(SPACE))
    (found,) = match_readings(empty, [HALVED])
    assert (found.codec, found.tests, found.standing.p_value) == ("lossless", 2, 1.0)


def test_each_image_has_its_own_findings_whatever_else_is_in_the_batch() -> None:
    batch = [JPEG_FILE, HALVED, AS_IT_IS, JPEG_FILE, HALVED]
    for image, found in zip(batch, found_of(*batch), strict=True):
        (alone,) = found_of(image)
        assert (found.codec, found.tests) == (alone.codec, alone.tests)
        assert found.standing == alone.standing
        assert [m.model for m in found.ranked] == [m.model for m in alone.ranked]
    assert len(batch) == 5


def test_of_photographs_no_more_pass_than_alpha_says_though_two_spaces_are_asked() -> None:
    """Uncorrected nearly twice as many would: what photographs score in the two is unrelated."""
    count, alpha = 1000, 0.1
    near = [
        model(
            f"near-{k}",
            entry(PLAIN, mean_of(20 + k, 0.7), "lossless"),
            entry(HALF, mean_of(40 + k, 0.7), "half_lossless"),
        )
        for k in range(8)
    ]
    matcher = Matcher(BACKGROUND, Snapshot(SPACE, 2, EMPTY_ROOT, tuple(near)))
    real = [
        lossless(plain, half)
        for plain, half in zip(
            photographs(PLAIN, count, seed=5), photographs(HALF, count, seed=6), strict=True
        )
    ]
    p_values = np.array([one.standing.p_value for one in match_readings(matcher, real)])
    assert 0.03 < np.mean(p_values <= alpha) <= alpha + 0.02
    assert np.mean(p_values / 2 <= alpha) > 1.4 * alpha
