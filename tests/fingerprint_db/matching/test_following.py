"""By difference, whatever comes, goes, or changes its status, all is as if computed anew."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fingerprint_db.background import Floats
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.levels import Levels
from fingerprint_db.matching.maxima import Beside, Maxima
from fingerprint_db.matching.registered import Registered, cohort_of_files
from fingerprint_db.matching.rows import scoring
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.snapshot import Difference
from tests.fingerprint_db.matching.small_spaces import (
    CONSTANTS,
    LOSSLESS,
    entry,
    images,
    lossless_background,
    mean_of,
    model,
    photographs,
)

BACKGROUND = lossless_background()
PLAIN, HALF = (BACKGROUND.codecs[codec] for codec in LOSSLESS)
COHORT = cohort_of_files(BACKGROUND, "lossless")
SHOWN = COHORT.vectors[~COHORT.normalises]
QUERIES = np.concatenate([images(PLAIN, mean_of(1), 3), photographs(PLAIN, 9)])


def some_model(number: int) -> ModelFingerprint:
    """Some are enrolled in one space, some in both, at places and with limits of their own."""
    near = entry(PLAIN, mean_of(number, 0.5), "lossless", count=20 + number, seed=number)
    half = entry(HALF, mean_of(100 + number, 0.5), "half_lossless", count=30, seed=number)
    own = ((near,), (near, half), (half,))[number % 3]
    return model(f"model-{number}", *own, status="shadow" if number % 4 == 3 else "live")


def walk(steps: int) -> Iterator[tuple[ModelFingerprint, ...]]:
    """Registries, each a few changes from the one before: arrivals at the end, retirements,
    returns to the former place, and shadows that become live."""
    rng = np.random.default_rng(3)
    every = [some_model(number) for number in range(24)]
    there: set[int] = set()
    for _ in range(steps):
        for number in rng.integers(0, len(every), rng.integers(1, 4)):
            if int(number) in there and every[number].status == "shadow":
                every[number] = every[number].with_status("live")
            else:
                there ^= {int(number)}
        yield tuple(every[number] for number in sorted(there))
    yield ()
    yield tuple(every[:5])


def conditions(of: Enrolled, rows: NDArray[np.int64]) -> list[str]:
    return [of.condition(row) for row in rows.reshape(-1).tolist()]


def vectors(rows: NDArray[np.int64]) -> Floats:
    """Of the photographs that stand behind no statistics."""
    found: Floats = SHOWN[rows]
    return found


def test_models_say_what_they_say_when_all_are_computed_anew() -> None:
    held = Enrolled.of(PLAIN, CONSTANTS, (), "lossless")
    given: tuple[ModelFingerprint, ...] = ()
    sizes = set()
    for models in walk(40):
        held, given = held.following(Difference.between(given, models)), models
        plain = Enrolled.of(PLAIN, CONSTANTS, models, "lossless")
        assert all(m is p for m, p in zip(held.models, plain.models, strict=True))
        found, expected = held.match(QUERIES), plain.match(QUERIES)
        assert conditions(held, found.rows) == conditions(plain, expected.rows)
        np.testing.assert_array_equal(found.typical, expected.typical)
        for name in ("scores", "distances", "likelihoods", "highest"):
            np.testing.assert_allclose(
                getattr(found, name), getattr(expected, name), rtol=1e-5, atol=1e-4
            )
        sizes.add(len(models))
    assert {0, 5} < sizes
    assert len(sizes) > 6, "the example must grow and shrink"


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("live", [True, False])
def test_the_highest_scores_of_photographs_are_those_of_all_models_computed_anew(
    live: bool, share: float
) -> None:
    """Whether photographs are collected or scored where they lie, some of them or all."""
    views = np.flatnonzero(~COHORT.normalises)
    lying = Beside(COHORT.vectors, views[: int(share * len(views))]) if share else None
    registered = Registered.of(BACKGROUND, (), "lossless")
    maxima = Maxima.of(registered, live, vectors, len(SHOWN))
    levels, moved = Levels.of_scores(COHORT, maxima.scores), 0
    given: tuple[ModelFingerprint, ...] = ()
    for models in walk(40):
        change, given = Difference.between(given, models), models
        registered = registered.following(change)
        former, maxima = maxima, maxima.following(registered, change, vectors, lying)
        plain = Registered.of(BACKGROUND, models, "lossless")
        expected = plain.highest(SHOWN) if live else plain.highest_shadow(SHOWN)
        np.testing.assert_allclose(maxima.scores, expected, rtol=1e-5, atol=1e-5)
        there = {m.model_id for m in models if (m.status == "live") == live}
        assert set(maxima.holders) <= there | {""}
        assert [not name for name in maxima.holders] == np.isinf(expected).tolist()
        levels = Levels.of_scores(COHORT, maxima.scores, former=(levels, former.scores))
        fresh = Levels.of_scores(COHORT, maxima.scores)
        for mine, anew in zip(levels.by_size, fresh.by_size, strict=True):
            np.testing.assert_array_equal(mine.photographs.scores, anew.photographs.scores)
            np.testing.assert_array_equal(mine.sources.worst, anew.sources.worst)
        moved += former.scores is not maxima.scores
    assert moved > 5, "the example must move the levels"


def test_a_change_of_one_model_computes_that_models_rows_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = tuple(some_model(number) for number in (0, 1, 3, 4))
    held = Enrolled.of(PLAIN, CONSTANTS, models, "lossless")
    computed: list[int] = []
    plainly = scoring.norms

    def counted(means: Floats, cohort: Any) -> Any:
        computed.append(len(means))
        return plainly(means, cohort)

    monkeypatch.setattr(scoring, "norms", counted)
    further = some_model(6)
    after = (*models, further)
    held = held.following(Difference.between(models, after))
    fewer = (models[0], models[2].with_status("live"), further)
    held = held.following(Difference.between(after, fewer))
    assert computed == [1]
    assert held.live.tolist() == [True, True, True]


def test_a_state_that_others_have_gone_on_from_is_followed_as_well() -> None:
    """Two registries that come of one share what is computed, and neither changes the other."""
    models = tuple(some_model(number) for number in range(9))
    held = Enrolled.of(PLAIN, CONSTANTS, models[:5], "lossless")
    first, second = (
        held.following(Difference.between(models[:5], some))
        for some in (models[:7], (*models[1:5], *models[7:]))
    )
    for found, expected in ((held, models[:5]), (first, models[:7]), (second, models[1:5])):
        plain = Enrolled.of(PLAIN, CONSTANTS, found.models, "lossless")
        assert set(expected) & set(plain.models) <= set(found.models)
        np.testing.assert_array_equal(
            found.match(QUERIES).likelihoods, plain.match(QUERIES).likelihoods
        )


def test_two_states_that_move_on_from_one_do_not_write_over_each_other() -> None:
    """Of both the variance that tells models apart has gone far, and both then take more."""
    wide = [
        replace(own, variance=own.variance * 40)
        for own in (entry(PLAIN, mean_of(i, 0.5), "lossless", seed=i) for i in (50, 51))
    ]
    odd = tuple(model(f"odd-{i}", own) for i, own in enumerate(wide))
    models = (*(some_model(number) for number in (0, 1, 3, 4, 6)), *odd)
    held = Enrolled.of(PLAIN, CONSTANTS, models[:6], "lossless")
    held = held.following(Difference.between(models[:6], models))  # with room for more
    left = [tuple(one for one in models if one is not out) for out in odd]
    states = [held.following(Difference.between(models, less)) for less in left]
    assert held.shelf not in [state.shelf for state in states], "the example must go far"
    grown = [(*less, some_model(number)) for less, number in zip(left, (7, 9), strict=True)]
    states = [
        state.following(Difference.between(less, more))
        for state, less, more in zip(states, left, grown, strict=True)
    ]
    for state, more in zip(states, grown, strict=True):
        plain = Enrolled.of(PLAIN, CONSTANTS, more, "lossless")
        np.testing.assert_allclose(
            state.match(QUERIES).likelihoods, plain.match(QUERIES).likelihoods, rtol=1e-5
        )
