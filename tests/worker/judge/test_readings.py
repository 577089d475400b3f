"""A lossless file is asked in both of its spaces at once, against photographs read in both."""

import numpy as np
import pytest

from fingerprint_db.background import Floats
from fingerprint_db.conditions import Codec
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.levels import Levels
from fingerprint_db.matching.registered import Registered, cohort_of_files
from fingerprint_db.snapshot import EMPTY_ROOT, Snapshot
from tests.fingerprint_db.matching.small_spaces import (
    CONSTANTS,
    LOSSLESS,
    SPACE,
    aside,
    entry,
    images,
    lossless_background,
    mean_of,
    model,
    photographs,
    small_background,
)
from worker.extractor.extract import ImageFingerprint, Reading
from worker.judge.attribute import Matcher, NameFindings
from worker.judge.measured import StatedRates

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
    model("watched", entry(HALF, mean_of(5), "half_lossless"), status="shadow"),
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


REAL_PLAIN, REAL_HALF = photographs(PLAIN, 1)[0], photographs(HALF, 1)[0]
AS_IT_IS = lossless(images(PLAIN, mean_of(1), 1)[0], REAL_HALF)
HALVED = lossless(REAL_PLAIN, images(HALF, mean_of(3), 1)[0])
TWICE = lossless(images(PLAIN, mean_of(2), 1)[0], images(HALF, mean_of(3), 1)[0])
JPEG_FILE = fingerprint(jpeg75=images(JPEG, mean_of(4), 1)[0])
REAL = lossless(REAL_PLAIN, REAL_HALF)


@pytest.mark.parametrize(
    ("image", "codec", "name"),
    [(AS_IT_IS, "lossless", "plain"), (HALVED, "half_lossless", "both")],
)
def test_the_highest_score_of_both_readings_is_held_against_the_same_of_photographs(
    image: ImageFingerprint, codec: Codec, name: str
) -> None:
    (found,) = MATCHER.match([image])
    level = Levels.of(
        cohort_of_files(BACKGROUND, "lossless"),
        Registered.of(BACKGROUND, MODELS, "lossless").highest,
    ).by_size[3]
    highest = max(
        float(
            Enrolled.of(BACKGROUND.codecs[c], CONSTANTS, MODELS, c).highest(
                image.reading(c).vector[None]
            )[0]
        )
        for c in LOSSLESS
    )
    assert found.standing == level.standing(highest, image.kind)
    assert found.source_p_value == level.new_source.p_value(highest)
    assert found.standing.p_value == 1 / (level.count + 1) == 1 / 351, "no price for asking twice"
    assert [one.codec for one in found.readings] == list(LOSSLESS)
    assert found.telling.codec == codec
    assert found.telling.highest == pytest.approx(highest, abs=1e-4)
    assert found.telling.ranked[0].model.model_id == name
    assert found.telling.ranked[0].condition == codec


def test_each_reading_says_what_it_says_alone() -> None:
    """But for what its scores are worth among photographs, which are asked in both."""
    (found,) = MATCHER.match([AS_IT_IS])
    for codec, own in zip(LOSSLESS, found.readings, strict=True):
        enrolled = Enrolled.of(BACKGROUND.codecs[codec], CONSTANTS, MODELS, codec)
        alone = enrolled.match(AS_IT_IS.reading(codec).vector[None])
        order = np.argsort(-alone.likelihoods[0], kind="stable")
        assert [m.model for m in own.ranked] == [enrolled.models[k] for k in order]
        assert [m.score for m in own.ranked] == pytest.approx(alone.scores[0, order], abs=1e-4)
        assert {m.condition for m in own.ranked} == {codec}
        for match in own.ranked:
            if match.model.status == "live":
                assert match.standing == found.level.standing(match.score)


def test_a_match_is_known_by_the_reading_that_it_was_found_in() -> None:
    """Though the same generator is among the matches of both."""
    (found,) = MATCHER.match([TWICE])
    shown, further = found.readings
    assert shown.ranked[0].model is further.ranked[0].model
    assert found.behind(shown.ranked[0]) is shown
    assert found.behind(further.ranked[0]) is further
    assert found.behind(None) is found.telling
    assert shown.direction is not None
    assert further.direction is not None
    assert not np.array_equal(shown.direction, further.direction)


def test_a_codec_with_one_space_is_read_once() -> None:
    (found,) = MATCHER.match([JPEG_FILE])
    assert [one.codec for one in found.readings] == ["jpeg75"]
    level = Levels.of(JPEG.cohort, Enrolled.of(JPEG, CONSTANTS, MODELS, "jpeg75").highest).by_size[
        3
    ]
    assert found.standing == level.standing(found.telling.highest, JPEG_FILE.kind)


def test_where_no_reading_says_more_what_the_file_shows_speaks() -> None:
    (found,) = Matcher(BACKGROUND, Snapshot.empty(SPACE)).match([HALVED])
    assert (found.telling.codec, found.standing.p_value) == ("lossless", 1.0)
    assert [one.highest for one in found.readings] == [-np.inf, -np.inf]


def test_a_shadow_of_the_further_reading_has_levels_of_its_own() -> None:
    seen = lossless(REAL_PLAIN, images(HALF, mean_of(5), 1)[0])
    (found,) = MATCHER.match([seen])
    (shadow,) = (m for one in found.readings for m in one.ranked if m.model.status == "shadow")
    assert shadow.typical
    assert shadow.standing.p_value == 1 / 351
    assert found.standing.p_value > 0.05, "it is no match of a live model"


def test_each_image_has_its_own_findings_whatever_else_is_in_the_batch() -> None:
    batch = [JPEG_FILE, HALVED, AS_IT_IS, REAL, JPEG_FILE, HALVED]
    together = MATCHER.match(batch)
    for image, found in zip(batch, together, strict=True):
        (alone,) = MATCHER.match([image])
        assert found.telling.codec == alone.telling.codec
        assert found.standing == alone.standing
        assert [[m.model for m in one.ranked] for one in found.readings] == [
            [m.model for m in one.ranked] for one in alone.readings
        ]
    assert together[3].standing.p_value > 0.05


# Photographs, of which half had been halved -----------------------------------------------------

ALPHA = 0.1
MIXED = lossless_background(6000)
NEAR = Matcher(
    MIXED,
    Snapshot(
        SPACE,
        2,
        EMPTY_ROOT,
        (model("near", *(entry(MIXED.codecs[c], aside(c), c) for c in LOSSLESS)),),
    ),
)
"""Of a generator that looks, in each space, as photographs do that belong in the other."""


def real(count: int, *, were_halved: bool, seed: int) -> list[NameFindings]:
    """Of further photographs of one kind."""
    own = [
        photographs(MIXED.codecs[codec], count, seed + number)
        + ((codec == "half_lossless") != were_halved) * aside(codec)
        for number, codec in enumerate(LOSSLESS)
    ]
    return NEAR.match([lossless(*both) for both in zip(*own, strict=True)])


def test_of_photographs_no_more_pass_than_alpha_says_whether_they_were_halved_or_not() -> None:
    """In the space alone in which they do not belong most would: see test_registered.

    Over both kinds as they calibrate; of one that is half of them at most twice as many pass.
    """
    passing = [
        np.mean([one.standing.p_value <= ALPHA for one in real(1500, were_halved=kind, seed=50)])
        for kind in (False, True)
    ]
    assert np.mean(passing) == pytest.approx(ALPHA, abs=0.025)
    assert max(passing) <= 2 * ALPHA + 0.025


def test_of_no_source_more_pass_than_alpha_source_says() -> None:
    """Of the photographs that calibrate, where the share is exact."""
    cohort = cohort_of_files(MIXED, "lossless")
    held = cohort.where(~cohort.normalises & (cohort.size_classes == 3))
    found = NEAR.match([lossless(*np.split(vector, 2)) for vector in held.vectors])
    shares = np.array([one.standing.worst_share for one in found])
    worst = [np.mean(shares[held.sources == source] <= 0.2) for source in set(held.sources)]
    assert 0.15 < max(worst) <= 0.2


def test_stated_rates_are_those_of_the_level_itself() -> None:
    (found,) = real(1, were_halved=False, seed=1)
    stated = StatedRates.of(found.level, 0.1, 0.2)
    assert (stated.unseen, stated.worst) == found.level.sources.unseen_rate(0.1, 0.2)
    assert stated.bound == found.level.rate_bound(0.1)
    assert 0 < stated.unseen <= stated.worst < 1
