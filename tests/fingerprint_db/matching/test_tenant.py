"""A tenant's photographs calibrate beside the bundle's, then alone; a fifth is held back."""

from dataclasses import replace

import numpy as np
import pytest

from fingerprint_db.background import Floats
from fingerprint_db.calibration import Calibration, PhotographPart
from fingerprint_db.conditions import CODECS
from fingerprint_db.matching.familiarity import Familiarity
from fingerprint_db.matching.levels import Levels, enough_for
from fingerprint_db.matching.photographs import PhotographScores, SourceScores, by_source
from fingerprint_db.matching.tenant import HELD_BACK, TenantPhotographs
from tests.fingerprint_db.matching.small_spaces import SPACE, small_space
from tests.fingerprint_db.photograph_parts import part

SIZE = 3


def calibration(*parts: PhotographPart) -> Calibration:
    return Calibration(SPACE, 1, {str(number): one for number, one in enumerate(parts)})


def tenant(*parts: PhotographPart, held_back: bool = False) -> TenantPhotographs:
    found = TenantPhotographs.of(calibration(*parts), "jpeg90", held_back=held_back)
    assert found is not None
    return found


def first_number(vectors: Floats) -> Floats:
    return vectors[:, 0]


def shop(count: int = 400, seed: int = 0) -> PhotographPart:
    return part("shop", count, seed=seed, codec="jpeg90", size_class=SIZE, spread=3.0)


def test_a_fifth_is_held_back_and_each_photograph_is_in_one_part_alone() -> None:
    given = shop()
    calibrates, certifies = tenant(given), tenant(given, held_back=True)
    back = [identity[0] % HELD_BACK == 0 for identity in given.identities]
    assert len(certifies) == sum(back)
    assert len(calibrates) + len(certifies) == 400
    assert len(certifies) == pytest.approx(80, abs=25)
    expected = [v * s for v, s, b in zip(given.vectors, given.scales, back, strict=True) if not b]
    assert np.array_equal(calibrates.scores(first_number), [vector[0] for vector in expected])


def test_only_photographs_of_the_codec_count_and_each_of_them_once() -> None:
    other = part("shop", 50, seed=9, codec="jpeg75", size_class=SIZE)
    again = shop(60)
    found = tenant(shop(60), other, again, part("news", 30, seed=3, codec="jpeg90"))
    alone = tenant(shop(60), part("news", 30, seed=3, codec="jpeg90"))
    assert len(found) == len(alone)
    assert found.photographs.tolist() == list(range(len(found)))
    assert set(found.sources.tolist()) == {0, 1}
    nothing = calibration(part("shop", 5, codec="webp80"))
    assert TenantPhotographs.of(nothing, "lossless") is None
    assert TenantPhotographs.of(nothing, "webp80") is not None
    assert TenantPhotographs.of(Calibration.empty(SPACE), CODECS[0]) is None


def test_photographs_that_are_read_in_two_spaces_hold_both_side_by_side() -> None:
    """Whatever the order in which they are stored; one that lacks a reading is left out."""
    shown = part("shop", 60, seed=1)
    order = np.random.default_rng(0).permutation(50)  # ten are not there
    beside = replace(
        part("shop", 50, seed=2, codec="half_lossless"), identities=shown.identities[order]
    )
    parts = calibration(part("news", 20, seed=3), beside, shown)
    found = TenantPhotographs.of(parts, "lossless")
    assert found is not None
    kept = [i for i in range(50) if shown.identities[i][0] % HELD_BACK != 0]
    assert found.identities.tolist() == shown.identities[kept].tolist()
    assert found.photographs.tolist() == list(range(len(kept)))
    assert (found.eight_bits.shape, found.scales.shape) == ((len(kept), 48), (len(kept), 2))
    first = [float(shown.vectors[i][0] * shown.scales[i]) for i in kept]
    at = [order.tolist().index(i) for i in kept]
    second = [float(beside.vectors[i][0] * beside.scales[i]) for i in at]
    assert found.scores(first_number) == pytest.approx(first)
    assert found.scores(lambda vectors: vectors[:, 24]) == pytest.approx(second)
    assert TenantPhotographs.of(calibration(shown), "lossless") is None
    assert TenantPhotographs.of(calibration(beside), "lossless") is None


def test_scores_of_many_are_those_of_each() -> None:
    many = tenant(*[shop(1000, seed) for seed in range(4)])
    assert len(many) > 3000
    expected = [float(v[0] * s[0]) for v, s in zip(many.eight_bits, many.scales, strict=True)]
    assert many.scores(first_number) == pytest.approx(expected)


def test_fewer_than_enough_count_together_with_the_bundles() -> None:
    cohort, own = small_space().cohort, tenant(shop())
    level = Levels.of(cohort, first_number, own, enough=len(own) + 1).by_size[SIZE]
    bundle = Levels.of(cohort, first_number).by_size[SIZE]
    assert (level.own, level.alone) == (len(own), False)
    assert level.count == bundle.count + len(own)
    for score in np.linspace(-2, 8, 20):
        as_high = bundle.photographs.photographs_as_high(float(score)) + int(
            (own.scores(first_number) >= np.float32(score)).sum()
        )
        assert level.standing(float(score)).p_value == (1 + as_high) / (level.count + 1)


def test_enough_of_them_set_the_level_alone_but_what_is_said_of_sources_counts_all() -> None:
    cohort, own = (
        small_space().cohort,
        tenant(shop(), part("news", 90, codec="jpeg90", size_class=SIZE)),
    )
    level = Levels.of(cohort, first_number, own, enough=len(own)).by_size[SIZE]
    scores = own.scores(first_number)
    alone = PhotographScores.of(scores, own.photographs)
    held = cohort.where(~cohort.normalises & (cohort.size_classes == SIZE))
    together = np.concatenate([held.vectors[:, 0], scores])
    photographs = np.concatenate([held.photographs, 10_000 + own.photographs])
    sources = np.concatenate([held.sources, 100 + own.sources])
    of_sources = SourceScores.of(together, photographs, sources)
    new = by_source(together, sources, photographs)
    assert (level.own, level.alone, level.count) == (len(own), True, len(own))
    assert level.new_source.count == 10
    for score in np.linspace(-2, 8, 20):
        standing = level.standing(float(score))
        assert standing.p_value == alone.p_value(float(score))
        assert standing.worst_share == of_sources.worst_share(float(score))
        assert level.new_source.p_value(float(score)) == pytest.approx(new.p_value(float(score)))


def test_a_size_of_which_there_are_none_is_the_bundles() -> None:
    cohort = small_space().cohort
    level = Levels.of(cohort, first_number, tenant(shop()), enough=10).by_size[2]
    bundle = Levels.of(cohort, first_number).by_size[2]
    assert (level.own, level.alone, level.count) == (0, False, bundle.count)


@pytest.mark.parametrize(("alpha", "enough"), [(0.01, 300), (0.005, 600), (0.03, 102)])
def test_enough_is_three_times_what_a_level_needs(alpha: float, enough: int) -> None:
    assert enough_for(alpha) == enough


def test_the_rate_of_further_photographs_of_the_tenant_is_the_level() -> None:
    """However unlike the bundle's they are: here of three times the deviation."""
    cohort, own = small_space().cohort, tenant(*[shop(1000, seed) for seed in range(3)])
    further = tenant(*[shop(1000, seed) for seed in range(50, 53)]).scores(first_number)
    alone = Levels.of(cohort, first_number, own, enough=300).by_size[SIZE]
    bundle = Levels.of(cohort, first_number).by_size[SIZE]
    assert np.mean([alone.standing(float(s)).p_value <= 0.05 for s in further]) == pytest.approx(
        0.05, abs=0.015
    )
    assert np.mean([bundle.standing(float(s)).p_value <= 0.05 for s in further]) > 0.2


def test_a_kind_that_only_the_tenant_has_is_familiar_and_others_stay_as_far() -> None:
    cohort = small_space().cohort
    strange = np.full((12, cohort.kinds.shape[1]), 9.0, np.float32)
    before, after = Familiarity.of(cohort), Familiarity.of(cohort, strange)
    alone = Familiarity.of(cohort, strange, alone=True)
    assert before.distances(strange[:1])[0] > 5
    assert after.distances(strange[:1])[0] == alone.distances(strange[:1])[0] == 0.0
    ordinary = cohort.kinds[:20]
    assert np.array_equal(before.distances(ordinary), after.distances(ordinary))
    assert (alone.distances(ordinary) > 5).all()
