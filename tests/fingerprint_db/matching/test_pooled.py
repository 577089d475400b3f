"""Groups of images are held against groups of photographs of one source each."""

from dataclasses import replace

import numpy as np
import pytest

from fingerprint_db.background import Floats
from fingerprint_db.calibration import Calibration
from fingerprint_db.matching.certified import Alphas
from fingerprint_db.matching.levels import Levels
from fingerprint_db.matching.pooled import MOST_OF_A_GROUP, Bin, PoolCohort, image_statistic
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.spaces import (
    SIZE_CLASS,
    SOURCES,
    SPACE,
    photographs_of_one_source,
    small_background,
)

ALPHAS = Alphas(0.01, 0.005, 1.0, 1.0)
BACKGROUND = small_background(("lossless", "jpeg75"))
HERE: Bin = ("lossless", SIZE_CLASS)
COHORT = PoolCohort.of(BACKGROUND, (), Calibration.empty(SPACE), ALPHAS, ("lossless", "jpeg75"))


def statistics_of(vectors: Floats) -> Floats:
    """Of further images, as a verdict on each says it; no model is registered."""
    space = BACKGROUND.codecs["lossless"]
    level = Levels.of(space.cohort, lambda v: v @ space.synthesis).by_size[SIZE_CLASS]
    real = [level.standing(float(score)).p_value for score in vectors @ space.synthesis]
    return image_statistic(np.ones(len(real), np.float32), np.array(real, np.float32))


def test_the_statistic_is_fishers_of_the_better_test() -> None:
    found = image_statistic(np.array([0.5, 0.9], "f4"), np.array([0.01, 0.2], "f4"))
    assert found == pytest.approx([-np.log(0.02), -np.log(0.4)])
    assert image_statistic(np.ones(1, "f4"), np.full(1, 0.8, "f4")) == [0.0]


def test_each_group_is_of_one_source_and_no_photograph_is_in_two() -> None:
    _, sources = COHORT.bins[HERE]
    assert set(sources.tolist()) == set(range(SOURCES))
    of_one = int((sources == 0).sum())
    level = COHORT.level([HERE] * 4, 0.5)
    expected = sum(int((sources == k).sum()) // 4 for k in range(SOURCES))
    assert level.count == expected
    assert level.new_source.count == SOURCES
    assert len(level.sources.by_source) <= SOURCES
    assert COHORT.level([HERE] * 1, 0.5).count == len(sources)
    assert COHORT.level([HERE] * 500, 0.5).count == SOURCES * (of_one // MOST_OF_A_GROUP)


def test_groups_are_smaller_where_a_level_needs_more_of_them() -> None:
    _, sources = COHORT.bins[HERE]
    of_one = int((sources == 0).sum())
    assert COHORT.level([HERE] * 8, 1 / 21).count == SOURCES * (of_one // 8) == 20
    assert COHORT.level([HERE] * 8, 1 / 22).count == SOURCES * (of_one // 7) == 40
    assert COHORT.level([HERE] * 8, 1 / 100).count == SOURCES * (of_one // 3) == 100
    assert not COHORT.level([HERE] * 8, 1 / 1000).reaches(1 / 1000)


def test_a_group_is_composed_as_the_images_are() -> None:
    other: Bin = ("jpeg75", SIZE_CLASS)
    mixed = COHORT.level([HERE] * 75 + [other] * 25, 0.5)
    _, sources = COHORT.bins[HERE]
    of_one = int((sources == 0).sum())
    # Of eight photographs six and two.
    assert mixed.count == SOURCES * min(of_one // 6, of_one // 2)
    assert COHORT.level([HERE, other], 0.5).count == SOURCES * of_one


def test_groups_of_photographs_of_a_further_source_pass_as_often_as_alpha_says() -> None:
    """Though the photographs of a source are alike, so that single p-values would mislead."""
    level = COHORT.level([HERE] * 5, 0.5)
    pooled, multiplied = [], []
    for seed in range(400):
        own = statistics_of(photographs_of_one_source(5, 9000 + seed))
        pooled.append(level.standing(float(own.mean())).p_value <= 0.05)
        multiplied.append(own.mean() >= 2.0)
    assert np.mean(pooled) <= 0.09
    assert np.mean(pooled) > 0.01
    assert np.mean(multiplied) < 0.2


def test_a_few_images_that_alone_say_little_say_enough_together() -> None:
    space = BACKGROUND.codecs["lossless"]
    rng = np.random.default_rng(4)
    faint = rng.normal(0, 0.8, (40, len(space.synthesis))) + 1.6 * space.synthesis
    own = statistics_of(faint.astype(np.float32))
    alone = np.exp(-own)
    assert np.mean(alone <= 0.01) < 0.3
    assert COHORT.level([HERE] * 40, 0.05).standing(float(own.mean())).p_value == 1 / (SOURCES + 1)


def test_a_tenants_photographs_are_groups_too() -> None:
    parts = {
        str(number): part(
            f"account {number}", 40, seed=number, codec="jpeg75", size_class=SIZE_CLASS
        )
        for number in range(3)
    }
    with_tenant = PoolCohort.of(BACKGROUND, (), Calibration(SPACE, 1, parts), ALPHAS, ("jpeg75",))
    there: Bin = ("jpeg75", SIZE_CLASS)
    before, after = COHORT.level([there] * 4, 0.5), with_tenant.level([there] * 4, 0.5)
    assert after.new_source.count == SOURCES + 3
    calibrating = [int((one.identities[:, 0] % 5 != 0).sum()) for one in parts.values()]
    assert after.count == before.count + sum(count // 4 for count in calibrating)


def test_photographs_of_lossless_files_are_pooled_as_they_are_read_in_both_spaces() -> None:
    background = small_background(("lossless", "half_lossless"))
    shown = part("account", 40, size_class=SIZE_CLASS)
    half = part("account", 40, seed=1, codec="half_lossless", size_class=SIZE_CLASS)
    stored = {"0": shown, "1": replace(half, identities=shown.identities)}
    cohort = PoolCohort.of(background, (), Calibration(SPACE, 1, stored), ALPHAS, ("lossless",))
    calibrating = int((shown.identities[:, 0] % 5 != 0).sum())
    statistics, sources = cohort.bins[HERE]
    assert len(statistics) == len(COHORT.bins[HERE][0]) + calibrating
    assert len(set(sources.tolist())) == SOURCES + 1
    lone = PoolCohort.of(background, (), Calibration(SPACE, 1, {"0": shown}), ALPHAS, ("lossless",))
    # Without a tenant's both spaces give what the file shows, since nothing is registered.
    np.testing.assert_array_equal(lone.bins[HERE][0], COHORT.bins[HERE][0])


def test_p_values_of_the_photographs_themselves_are_uniform() -> None:
    statistics, _ = COHORT.bins[HERE]
    p_values = np.exp(-statistics) / 2
    below = p_values < 0.5  # above, Bonferroni's is 1
    assert np.mean(p_values[below] <= 0.1) == pytest.approx(0.2, abs=0.02)
