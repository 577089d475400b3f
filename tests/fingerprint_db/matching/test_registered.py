"""A file is held against photographs that are read in the same spaces, all of them at once."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fingerprint_db.background import Background, Cohort, Floats
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.levels import Levels
from fingerprint_db.matching.registered import Registered, cohort_of_files, readings_in
from fingerprint_db.matching.rows.scoring import Impostors
from tests.fingerprint_db.matching.small_spaces import (
    CONSTANTS,
    DIMENSION,
    LOSSLESS,
    SPACE,
    aside,
    entry,
    halved,
    images,
    lossless_background,
    mean_of,
    model,
    photographs,
    small_background,
)

BACKGROUND = small_background(*LOSSLESS, "jpeg75")
PLAIN, HALF = (BACKGROUND.codecs[codec] for codec in LOSSLESS)
MODELS = (
    model("plain", entry(PLAIN, mean_of(1), "lossless")),
    model(
        "both",
        entry(PLAIN, mean_of(2), "lossless"),
        entry(HALF, mean_of(3), "half_lossless"),
    ),
    model("watched", entry(HALF, mean_of(4), "half_lossless"), status="shadow"),
)
VECTORS = np.concatenate(
    [
        np.concatenate([images(PLAIN, mean_of(1), 3), photographs(HALF, 3)], 1),
        np.concatenate([photographs(PLAIN, 3), images(HALF, mean_of(3), 3)], 1),
        np.concatenate([photographs(PLAIN, 3), images(HALF, mean_of(4), 3)], 1),
    ]
)  # (9, 2 D)


def test_the_highest_score_is_that_of_the_reading_in_which_a_model_stands_out_most() -> None:
    registered = Registered.of(BACKGROUND, MODELS, "lossless")
    assert registered.readings == LOSSLESS
    alone = [Enrolled.of(BACKGROUND.codecs[c], CONSTANTS, MODELS, c) for c in LOSSLESS]
    found = registered.highest(VECTORS)
    shadows = registered.highest_shadow(VECTORS)
    for row, vector in enumerate(VECTORS):
        parts = vector[None, :DIMENSION], vector[None, DIMENSION:]
        by_reading = [float(e.highest(p)[0]) for e, p in zip(alone, parts, strict=True)]
        assert found[row] == pytest.approx(max(by_reading), abs=1e-4)
        watched = float(alone[1].highest(parts[1], live=False)[0])
        assert shadows[row] == pytest.approx(watched, abs=1e-4)
    assert np.isfinite(found[:6]).all(), "three by the first reading, three by the second"
    assert (found[6:] == -np.inf).all(), "a shadow counts among shadows alone"
    assert np.isfinite(shadows[6:]).all()


def test_without_models_nothing_scores() -> None:
    empty = Registered.of(BACKGROUND, (), "lossless")
    assert (empty.highest(VECTORS) == -np.inf).all()
    assert (empty.highest_shadow(VECTORS) == -np.inf).all()


def test_the_backgrounds_generators_may_be_prepared_before() -> None:
    given = [Impostors.of(BACKGROUND.codecs[codec], CONSTANTS) for codec in LOSSLESS]
    registered = Registered.of(BACKGROUND, MODELS, "lossless", given)
    assert [one.impostors for one in registered.enrolled] == given
    expected = Registered.of(BACKGROUND, MODELS, "lossless").highest(VECTORS)
    np.testing.assert_array_equal(registered.highest(VECTORS), expected)


def test_a_codec_with_one_space_is_held_against_its_own_cohort() -> None:
    assert readings_in(BACKGROUND, "jpeg75") == ("jpeg75",)
    assert cohort_of_files(BACKGROUND, "jpeg75") is BACKGROUND.codecs["jpeg75"].cohort
    assert readings_in(small_background("lossless"), "lossless") == ("lossless",)


def test_photographs_of_lossless_files_stand_in_both_spaces_side_by_side() -> None:
    found = cohort_of_files(BACKGROUND, "lossless")
    assert found.vectors.shape == (len(PLAIN.cohort.vectors), 2 * DIMENSION)
    np.testing.assert_array_equal(found.vectors[:, :DIMENSION], PLAIN.cohort.vectors)
    np.testing.assert_array_equal(found.vectors[:, DIMENSION:], HALF.cohort.vectors)
    for name in ("photographs", "sources", "size_classes", "kinds", "normalises"):
        np.testing.assert_array_equal(getattr(found, name), getattr(PLAIN.cohort, name))


@pytest.mark.parametrize(
    "changed",
    [
        lambda cohort: cohort.where(cohort.photographs > 0),
        lambda cohort: replace(cohort, photographs=cohort.photographs[::-1]),
        lambda cohort: replace(cohort, size_classes=cohort.size_classes[::-1]),
    ],
    ids=["fewer", "in another order", "of other sizes"],
)
def test_readings_of_different_photographs_are_refused(
    changed: Callable[[Cohort], Cohort],
) -> None:
    half = replace(HALF, cohort=changed(HALF.cohort))
    other = Background(SPACE, {"lossless": PLAIN, "half_lossless": half}, CONSTANTS)
    with pytest.raises(
        ValueError, match=r"photographs of lossless, half_lossless differ.*export the bundle again"
    ):
        cohort_of_files(other, "lossless")


ALPHA = 0.1
MIXED = lossless_background(6000)
NEAR = [
    model(
        "near",
        *(entry(MIXED.codecs[codec], aside(codec), codec) for codec in LOSSLESS),
    )
]
"""A generator that looks as photographs do in the space that is not theirs."""


def drawn(count: int, *, were_halved: bool, seed: int) -> Floats:
    """Further photographs (N, 2 D), all of one kind, as `lossless_background` has them."""
    parts = []
    for number, codec in enumerate(LOSSLESS):
        own = (codec == "half_lossless") == were_halved
        found = photographs(MIXED.codecs[codec], count, 2 * seed + number)
        parts.append(found if own else found + aside(codec))
    return np.concatenate(parts, 1)


def test_p_values_are_valid_among_photographs_of_which_some_were_halved() -> None:
    """Over all of them; of a kind that is half of them at most twice as many are flagged."""
    registered = Registered.of(MIXED, NEAR, "lossless")
    level = Levels.of(cohort_of_files(MIXED, "lossless"), registered.highest).by_size[3]
    flagged = []
    for were_halved in (False, True):
        real = drawn(3000, were_halved=were_halved, seed=5 + were_halved)
        p_values = [level.standing(float(s)).p_value for s in registered.highest(real)]
        flagged.append(np.mean(np.array(p_values) <= ALPHA))
    assert np.mean(flagged) == pytest.approx(ALPHA, abs=0.02)
    assert max(flagged) <= 2 * ALPHA + 0.02


@pytest.mark.parametrize("were_halved", [False, True])
def test_among_photographs_of_the_other_kind_alone_most_would_be_flagged(
    were_halved: bool,
) -> None:
    """Though the p-value is doubled, since two spaces are asked."""
    real = drawn(1000, were_halved=were_halved, seed=8)
    wrong = 0 if were_halved else 1
    cohort = MIXED.codecs[LOSSLESS[wrong]].cohort
    registered = Registered.of(MIXED, NEAR, "lossless")
    highest = registered.enrolled[wrong].highest
    others = Levels.of(cohort.where(halved(cohort) != were_halved), highest).by_size[3]
    scores = highest(registered.apart(real)[wrong])
    doubled = np.array([2 * others.standing(float(s)).p_value for s in scores])
    assert np.mean(doubled <= ALPHA) > 4 * ALPHA
