"""A picture is as familiar as its tenth nearest photograph is near."""

import math

import numpy as np
import pytest

from fingerprint_db.background import Cohort
from fingerprint_db.matching.familiarity import COARSEST, FILE_STEP, NEIGHBOURS, Familiarity
from tests.fingerprint_db.matching.small_spaces import NUMBERS, small_space


def test_distances_are_those_of_a_loop_over_photographs_and_views() -> None:
    cohort = small_space(photographs=60, views=3).cohort
    kinds = np.random.default_rng(1).normal(0, 2, (5, NUMBERS)).astype(np.float32)
    held = cohort.where(~cohort.normalises)
    # Each photograph has as many views, so that the plain mean and deviation are those wanted.
    centre, scale = held.kinds.mean(0), held.kinds.std(0)
    expected = []
    for kind in kinds:
        nearest = []
        for photograph in sorted(set(held.photographs.tolist())):
            apart = []
            for view in held.kinds[held.photographs == photograph]:
                squares = [float(d) ** 2 for d in (view - kind) / scale]
                apart.append(math.sqrt(sum(squares) / NUMBERS))
            nearest.append(min(apart))
        expected.append(sorted(nearest)[NEIGHBOURS - 1])
    found = Familiarity.of(cohort)
    np.testing.assert_allclose(found.centre, centre, atol=1e-5)
    np.testing.assert_allclose(found.distances(kinds), expected, rtol=1e-4)


def test_nine_copies_of_one_picture_make_it_no_more_familiar() -> None:
    """All views of one photograph: the tenth nearest is still another photograph."""
    cohort = small_space(photographs=100).cohort
    odd = np.full((1, NUMBERS), 9.0, np.float32)
    held = cohort.where(~cohort.normalises)
    again = held.photographs.copy()
    kinds = held.kinds.copy()
    kinds[:9], again[:9] = odd, again[0]
    none = np.zeros(len(again), bool)
    crowded = Cohort(
        held.vectors, again, held.sources, held.size_classes, kinds, none, held.weights
    )
    assert Familiarity.of(crowded).distances(odd)[0] > 2.0


def test_photographs_behind_the_norm_make_nothing_familiar() -> None:
    cohort = small_space(photographs=100).cohort
    kinds = cohort.kinds.copy()
    kinds[cohort.normalises] = 7.0
    moved = Cohort(
        cohort.vectors, cohort.photographs, cohort.sources, cohort.size_classes, kinds,
        cohort.normalises, cohort.weights,
    )  # fmt: skip
    asked = np.full((1, NUMBERS), 7.0, np.float32)
    found, plain = Familiarity.of(moved).distances(asked), Familiarity.of(cohort).distances(asked)
    assert found[0] == pytest.approx(plain[0])
    assert found[0] > 3.0


def test_a_number_that_never_differed_makes_what_differs_unfamiliar_and_rounding_not() -> None:
    cohort = small_space(photographs=100).cohort
    kinds = cohort.kinds.copy()
    kinds[:, 0] = 0.25
    flat = Cohort(
        cohort.vectors, cohort.photographs, cohort.sources, cohort.size_classes, kinds,
        cohort.normalises, cohort.weights,
    )  # fmt: skip
    known = kinds[~cohort.normalises][:1]
    rounded, other = known.copy(), known.copy()
    rounded[0, 0] += 0.001
    other[0, 0] += 2.0
    near, still_near, far = (
        float(Familiarity.of(flat).distances(k)[0]) for k in (known, rounded, other)
    )
    assert still_near == pytest.approx(near, abs=0.01)
    assert far > 8.0


def test_among_fewer_than_ten_photographs_nothing_is_familiar() -> None:
    cohort = small_space(photographs=15).cohort  # nine of them are not behind the norm
    kinds = cohort.kinds[:2]
    assert np.isinf(Familiarity.of(cohort).distances(kinds)).all()
    nobody = cohort.where(np.zeros(15, bool))
    assert np.isinf(Familiarity.of(nobody).distances(kinds)).all()


def test_what_is_coarser_than_the_codec_bears_is_far_unless_a_tenant_has_such_photographs() -> None:
    cohort = small_space(photographs=200).cohort
    step = COARSEST["full_chroma_jpeg75"]
    kinds = cohort.kinds[:12].copy()
    kinds[:, FILE_STEP] = step
    coarser = kinds.copy()
    coarser[:, FILE_STEP] += 0.1
    plain = Familiarity.of(cohort)
    guarded = Familiarity.of(cohort, codec="full_chroma_jpeg75")
    assert np.array_equal(guarded.distances(kinds), plain.distances(kinds))
    # Ten deviations more of one of fifteen numbers.
    assert (guarded.distances(coarser) > 10 / NUMBERS**0.5).all()
    assert (plain.distances(coarser) < guarded.distances(coarser) - 1).all()
    other = Familiarity.of(cohort, codec="jpeg75")
    assert np.array_equal(other.distances(coarser), plain.distances(coarser))
    known = Familiarity.of(cohort, coarser, codec="full_chroma_jpeg75")
    assert (known.distances(coarser) < 2).all()
