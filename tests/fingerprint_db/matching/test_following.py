"""By difference, whatever comes, goes, or changes its status, all is as if computed anew."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fingerprint_db.background import Floats
from fingerprint_db.matching import scoring
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.levels import Levels
from fingerprint_db.matching.maxima import Maxima
from fingerprint_db.matching.registered import Registered, cohort_of_files
from fingerprint_db.model_fingerprint import ModelFingerprint
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


def vectors(rows: NDArray[np.int64]) -> Floats:
    """Of the photographs that stand behind no statistics."""
    found: Floats = SHOWN[rows]
    return found


def test_models_say_what_they_say_when_all_are_computed_anew() -> None:
    held = Enrolled.of(PLAIN, CONSTANTS, (), "lossless")
    sizes = set()
    for models in walk(40):
        held = held.following(models)
        plain = Enrolled.of(PLAIN, CONSTANTS, models, "lossless")
        assert all(m is p for m, p in zip(held.models, plain.models, strict=True))
        assert held.conditions == plain.conditions
        found, expected = held.match(QUERIES), plain.match(QUERIES)
        np.testing.assert_array_equal(found.rows, expected.rows)
        np.testing.assert_array_equal(found.typical, expected.typical)
        for name in ("scores", "distances", "likelihoods", "highest"):
            np.testing.assert_allclose(
                getattr(found, name), getattr(expected, name), rtol=1e-5, atol=1e-4
            )
        sizes.add(len(models))
    assert {0, 5} < sizes
    assert len(sizes) > 6, "the example must grow and shrink"


@pytest.mark.parametrize("live", [True, False])
def test_the_highest_scores_of_photographs_are_those_of_all_models_computed_anew(
    live: bool,
) -> None:
    registered = Registered.of(BACKGROUND, (), "lossless")
    maxima = Maxima.of(registered, live, vectors, len(SHOWN))
    levels, moved = Levels.of_scores(COHORT, maxima.scores), 0
    for models in walk(40):
        registered = registered.following(models)
        former, maxima = maxima, maxima.following(registered, vectors)
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
    models = [some_model(number) for number in (0, 1, 3, 4)]
    held = Enrolled.of(PLAIN, CONSTANTS, models, "lossless")
    computed: list[int] = []
    plainly = scoring.normalised_directions

    def counted(means: Floats, cohort: Any) -> Any:
        computed.append(len(means))
        return plainly(means, cohort)

    monkeypatch.setattr(scoring, "normalised_directions", counted)
    further = some_model(6)
    held = held.following([*models, further])
    held = held.following([models[0], models[2].with_status("live"), further])
    assert computed == [1, 0]
    assert held.live.tolist() == [True, True, True]
