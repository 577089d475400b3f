"""Generators stand out of sources of photographs as a group; photographs of one source do not."""

from dataclasses import replace

import numpy as np
import pytest

from fingerprint_db.background import CodecSpace, Floats
from fingerprint_db.gate.likeness import (
    LEAST_SOURCES,
    LEAST_TOLD,
    NEIGHBOURS,
    OUT_OF_SOURCES,
    Likeness,
    Standing,
    by_themselves,
    like_photographs,
    neighbours,
    told_from,
)
from tests.fingerprint_db.spaces import (
    SIZE_CLASS,
    SOURCES,
    Generator,
    along,
    kinds_of,
    photographs_of_one_source,
    small_background,
)

SPACE = small_background(("lossless",)).codecs["lossless"]


def standing(vectors: Floats, space: CodecSpace = SPACE) -> Standing:
    sizes = np.full(len(vectors), SIZE_CLASS)
    return like_photographs(space, vectors, kinds_of(len(vectors), 2), sizes)


def test_a_generator_stands_out_and_its_group_says_more_than_one_picture_does() -> None:
    """Too near for the test picture by picture: 2.5 deviations in one number of twenty-four."""
    near = Generator(along(0, 3.0) + along(1, 3.0) + along(2, 3.0)).draw(50, 1)
    assert standing(near).standing_out > OUT_OF_SOURCES
    scores = SPACE.cohort.vectors @ SPACE.synthesis
    assert (near @ SPACE.synthesis > np.quantile(scores, 0.995)).mean() < 0.7


@pytest.mark.parametrize("seed", range(12))
def test_photographs_of_one_source_stand_out_no_further_than_sources_do(seed: int) -> None:
    found = standing(photographs_of_one_source(50, 800 + seed))
    assert found.sources == SOURCES
    assert found.standing_out < OUT_OF_SOURCES


def test_how_far_a_group_stands_out_is_counted_in_deviations_of_sources_means() -> None:
    vectors = Generator(along(4, 5.0)).draw(50, 3)
    cohort, kinds = SPACE.cohort, kinds_of(50, 2)
    rows = np.flatnonzero(cohort.size_classes == SIZE_CLASS)
    centre, scale = cohort.kinds[rows].mean(0), cohort.kinds[rows].std(0)
    middle = np.median((kinds - centre) / scale, axis=0)
    means = []
    for source in range(SOURCES):
        own = [r for r in rows if cohort.sources[r] == source]
        own.sort(key=lambda r: np.square((cohort.kinds[r] - centre) / scale - middle).sum())
        means.append(np.mean([cohort.vectors[r] @ SPACE.synthesis for r in own[:50]]))
    width = np.std(means, ddof=1) * np.sqrt(1 + 1 / SOURCES)
    expected = ((vectors @ SPACE.synthesis).mean() - np.mean(means)) / width
    assert standing(vectors).standing_out == pytest.approx(float(expected), rel=1e-3)


def test_with_too_few_sources_the_question_stays_open() -> None:
    cohort = SPACE.cohort
    few = replace(SPACE, cohort=cohort.where(cohort.sources < LEAST_SOURCES - 1))
    found = standing(photographs_of_one_source(50, 9), few)
    assert found.sources == LEAST_SOURCES - 1
    assert not Likeness(found, 1.0).like_one_source


def test_samples_by_themselves_must_stand_out_of_half_the_sources_alone() -> None:
    near, below = Standing(0.1, 1.0, SOURCES), Standing(-0.1, 1.0, SOURCES)
    assert Likeness(near, 1.0, by_themselves=False).like_one_source
    assert not Likeness(near, 1.0, by_themselves=True).like_one_source
    assert Likeness(below, 1.0, by_themselves=True).like_one_source


def test_samples_are_by_themselves_where_no_typical_photograph_scores_as_high_as_most() -> None:
    samples = np.arange(10, 20, dtype=np.float32)  # nine in ten score 10.9 or more
    photographs = np.array([3.0, 30.0, 10.5], np.float32)
    typical = np.array([True, False, True])
    assert by_themselves(samples, photographs, typical)
    assert not by_themselves(samples, photographs + 1, typical)
    assert by_themselves(samples, photographs, np.zeros(3, np.bool_))


def test_a_size_of_which_photographs_are_few_is_compared_with_all_sizes() -> None:
    cohort = SPACE.cohort
    other = replace(SPACE, cohort=cohort.where(cohort.size_classes != SIZE_CLASS))
    assert standing(photographs_of_one_source(50, 9), other).sources == SOURCES


def test_of_the_same_kind_are_the_photographs_with_the_nearest_nuisance_vectors() -> None:
    cohort = SPACE.cohort
    found = neighbours(cohort, cohort.kinds[40:43])
    assert found.shape == (3, NEIGHBOURS)
    assert all(row in near for row, near in zip((40, 41, 42), found, strict=True))


def test_samples_are_told_where_most_score_higher_than_nine_photographs_in_ten() -> None:
    photographs = np.arange(10, dtype=np.float32)
    assert told_from(np.array([9.5, 9.5, 3.0, 2.0], np.float32), photographs) == 0.5
    assert not Likeness(Standing(9.0, 1.0, 20), LEAST_TOLD).like_their_kind
    assert Likeness(Standing(9.0, 1.0, 20), LEAST_TOLD - 0.01).like_their_kind
