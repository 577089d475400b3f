"""What a tenant's photographs allow is counted, and rates are measured on those held back."""

from dataclasses import replace

import numpy as np
import pytest

from fingerprint_db.calibration import Calibration, PhotographPart
from fingerprint_db.matching.certified import STEPS, Alphas, Certified, Passed, allowed, certified
from fingerprint_db.matching.levels import Levels, enough_for, least_photographs
from fingerprint_db.matching.photographs import clopper_pearson_upper
from fingerprint_db.matching.registered import Registered, cohort_of_files
from fingerprint_db.matching.tenant import TenantPhotographs
from tests.fingerprint_db.matching.small_spaces import (
    LOSSLESS,
    SPACE,
    entry,
    mean_of,
    model,
    models_at,
    small_background,
)
from tests.fingerprint_db.photograph_parts import part

ALPHAS = Alphas(0.05, 0.02, 1.0, 1.0)


def calibration(*parts: PhotographPart) -> Calibration:
    return Calibration(SPACE, 1, {str(number): one for number, one in enumerate(parts)})


def test_nothing_is_certified_of_a_space_that_nobody_calibrated() -> None:
    assert certified(
        small_background("lossless"), (), Calibration.empty(SPACE), ALPHAS
    ) == Certified((), 0, 0, Passed(0, 0, 1.0), Passed(0, 0, 1.0))


@pytest.mark.parametrize("count", [0, 8, 9, 99, 100, 500, 9_999, 20_000])
def test_the_next_step_needs_as_many_as_its_rate_takes(count: int) -> None:
    allows, following, more = allowed(count)
    assert allows is None or least_photographs(allows) <= count
    if following is None:
        assert (allows, more) == (STEPS[-1], 0)
    else:
        assert STEPS.index(following) == (0 if allows is None else STEPS.index(allows) + 1)
        assert count + more == least_photographs(following)
        assert more > 0


def test_each_codec_and_size_is_counted_and_measured_by_itself() -> None:
    background = small_background("jpeg90", "jpeg75")
    parts = [part("shop", 900, seed=seed, codec="jpeg90", size_class=3) for seed in range(3)]
    found = certified(
        background,
        models_at(background.codecs["jpeg90"], {"one": mean_of(1)}, "jpeg90"),
        calibration(*parts, part("shop", 60, seed=9, codec="jpeg75", size_class=2)),
        ALPHAS,
    )
    assert [(one.codec, one.size_class) for one in found.bins] == [
        ("jpeg90", "384_up"),
        ("jpeg75", "192_to_383"),
    ]
    many, few = found.bins
    assert many.calibrate + many.name.count == 2700
    assert few.calibrate + few.name.count == 60
    assert (many.alone, many.bundle, many.until_alone) == (True, 0, 0)
    assert (few.alone, few.bundle) == (False, 70 if few.calibrate < 60 else 0)
    assert few.calibrate + few.until_alone == 60
    assert (many.allows, many.next_step) == (0.0005, 0.0002)
    assert many.calibrate + many.more == 4999
    assert found.calibrate == many.calibrate + few.calibrate
    assert found.certify == found.name.count == many.name.count + few.name.count


def test_what_is_measured_is_the_share_of_those_held_back_that_pass() -> None:
    background = small_background("jpeg90")
    given = calibration(
        *[part("shop", 900, seed=seed, codec="jpeg90", size_class=3) for seed in range(4)]
    )
    whole = certified(background, (), given, ALPHAS)
    (found,) = whole.bins
    assert (whole.name, whole.unknown) == (found.name, found.unknown)
    space = background.codecs["jpeg90"]
    own = TenantPhotographs.of(given, "jpeg90")
    back = TenantPhotographs.of(given, "jpeg90", held_back=True)
    assert own is not None
    assert back is not None
    level = Levels.of(space.cohort, lambda v: v @ space.synthesis, own, enough=1).by_size[3]
    scores = [
        np.float32(v * s) @ space.synthesis
        for v, s in zip(back.eight_bits, back.scales, strict=True)
    ]
    passing = sum(level.standing(float(score)).p_value <= 0.02 for score in scores)
    assert (found.unknown.flagged, found.unknown.count) == (passing, len(back))
    assert found.unknown.flagged / found.unknown.count == pytest.approx(0.02, abs=0.015)
    assert found.unknown.bound == clopper_pearson_upper(passing, len(back)) > 0.02
    assert found.name == Passed.of(0, len(back)), "no model, no name"


def test_a_photograph_that_is_read_in_two_spaces_counts_once_and_passes_by_either() -> None:
    background = small_background(*LOSSLESS)
    shown = part("shop", 900, size_class=3)
    beside = replace(
        part("shop", 900, seed=5, codec="half_lossless", size_class=3),
        identities=shown.identities,
    )
    entries = [
        entry(background.codecs[codec], 0 * mean_of(1), codec, seed=8 + number)
        for number, codec in enumerate(LOSSLESS)
    ]
    models, given = [model("one", *entries)], calibration(shown, beside)
    found = certified(background, models, given, Alphas(0.4, 0.02, 1.0, 1.0))
    (only,) = found.bins
    assert (only.codec, only.size_class) == ("lossless", "384_up")
    assert (found.calibrate, found.name, found.unknown) == (
        only.calibrate,
        only.name,
        only.unknown,
    )
    assert found.certify == only.name.count == 900 - found.calibrate
    assert (only.allows, only.next_step) == (0.002, 0.001), "as where there is one space"
    back = TenantPhotographs.of(given, "lossless", held_back=True)
    own = TenantPhotographs.of(given, "lossless")
    assert back is not None
    highest = Registered.of(background, models, "lossless").highest
    cohort = cohort_of_files(background, "lossless")
    level = Levels.of(cohort, highest, own, enough_for(0.4)).by_size[3]
    passing = [level.standing(float(s)).p_value <= 0.4 for s in back.scores(highest)]
    assert found.name.flagged == sum(passing) > 0
    assert found.name.flagged / found.name.count <= 0.45
    of_one = [
        certified(background, [model("one", one)], given, Alphas(0.4, 0.02, 1.0, 1.0)).name.flagged
        for one in entries
    ]
    assert all(0 < one != found.name.flagged for one in of_one), "each of the spaces speaks"


def test_photographs_of_which_a_reading_is_not_there_count_nowhere() -> None:
    background = small_background(*LOSSLESS)
    for codec in LOSSLESS:
        given = calibration(part("shop", 90, codec=codec, size_class=3))
        assert certified(background, (), given, ALPHAS).bins == ()


def test_without_photographs_held_back_nothing_is_promised() -> None:
    assert Passed.of(0, 0).bound == 1.0
