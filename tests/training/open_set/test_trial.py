"""A trial on made-up block statistics, whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from training.open_set.corpus import Drawings
from training.open_set.fit import FitRecipe
from training.open_set.run import once
from training.open_set.trial import Found, TrialRecipe, _level

F, SIDE = 40, 256
RECIPE = TrialRecipe(FitRecipe(dimension=30), shots=40)


def drawings(name: str, family: str, centre: np.ndarray, count: int, spread: float) -> Drawings:
    rng = np.random.default_rng(len(name) + count + int(abs(centre).sum() * 1000))
    rows = (centre + rng.normal(0, spread, (count, F))).astype(np.float16)
    photographs = rng.integers(0, 1 << 40, count)
    sides, histories = np.full(count, SIDE), np.full(count, "native")
    return Drawings(
        name, family, not family, "learn", {"clean": rows}, photographs, sides, histories
    )


def found(separation: float) -> Found:
    rng = np.random.default_rng(1)
    known = [drawings(f"real {i}", "", rng.normal(0, 0.2, F), 400, 1.0) for i in range(8)]
    unseen = [drawings(f"new {i}", "", rng.normal(0, 0.2, F), 200, 1.0) for i in range(3)]
    background = [
        drawings(f"made {i}", "codebook", rng.normal(0, separation, F), 60, 0.8) for i in range(60)
    ]
    made = [
        drawings(f"unseen {i}", "span", rng.normal(0, separation, F), 140, 0.8) for i in range(5)
    ]
    return next(once("clean", [*known, *background], [*unseen, *made], RECIPE))


def test_unseen_generators_that_differ_are_named_and_photographs_are_not_flagged() -> None:
    seen = found(separation=2.0)
    assert seen.right > 0.9
    assert seen.wrong == 0
    assert seen.flagged <= 0.01
    assert seen.right + seen.wrong + seen.unnamed + seen.missed == pytest.approx(1.0)


def test_generators_like_photographs_are_missed_rather_than_photographs_flagged() -> None:
    seen = found(separation=0.0)
    assert seen.missed > 0.9
    assert seen.flagged <= 0.02


def test_a_level_counts_each_photograph_once_however_often_it_is_shown() -> None:
    scores = np.concatenate([np.full(50, 9.0), np.arange(199) / 100]).astype(np.float32)
    photographs = np.concatenate([np.zeros(50, int), np.arange(1, 200)])
    assert _level(scores, photographs, alpha=0.01) == pytest.approx(1.98)
    assert _level(scores, photographs, alpha=0.005) == 9.0


def test_a_size_without_unseen_photographs_is_left_out() -> None:
    rng = np.random.default_rng(2)
    known = [drawings(f"real {i}", "", rng.normal(0, 0.2, F), 60, 1.0) for i in range(4)]
    made = [drawings(f"made {i}", "codebook", rng.normal(0, 2, F), 20, 0.8) for i in range(8)]
    unseen = drawings("unseen", "span", rng.normal(0, 2, F), 140, 0.8)
    small = drawings("new", "", rng.normal(0, 0.2, F), 60, 1.0)
    small = replace(small, sides=np.full(60, 64))
    assert not list(once("clean", [*known, *made], [small, unseen], RECIPE))
