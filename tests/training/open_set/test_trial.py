"""A trial on made-up block statistics, whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from training.open_set import spaces
from training.open_set.corpus import Drawings
from training.open_set.fit import FitRecipe
from training.open_set.run import once
from training.open_set.spaces import SpaceRecipe
from training.open_set.trial import CONSTANTS, Found, TrialRecipe
from worker.extractor.blocks.picture_features import BLOCKS
from worker.extractor.nuisance import Nuisance

SIDE = 256
RECIPE = TrialRecipe(
    SpaceRecipe(FitRecipe(dimension=30)), replace(CONSTANTS, impostors=10), shots=40
)


@pytest.fixture(autouse=True)
def few_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """One small block, so that fits take milliseconds."""
    monkeypatch.setitem(spaces.BLOCKS_OF, "lossy", ("block_dct",))


def drawings(name: str, family: str, centre: np.ndarray, count: int, spread: float) -> Drawings:
    rng = np.random.default_rng(len(name) + count + int(abs(centre).sum() * 1000))
    size = BLOCKS["block_dct"]
    varied = rng.normal(0, spread, (count, size)) * np.linspace(1, 0.1, size)
    rows = (centre + varied).astype(np.float16)
    kinds = rng.normal(0, 1, (count, len(Nuisance.NAMES))).astype(np.float32)
    photographs = rng.integers(0, 1 << 40, count)
    sides, histories = np.full(count, SIDE), np.full(count, "native")
    return Drawings(
        name,
        family,
        not family,
        "learn",
        {"jpeg60": rows},
        {"jpeg60": kinds},
        photographs,
        sides,
        histories,
        np.zeros(count, np.int64),
    )


def somewhere(rng: np.random.Generator, spread: float) -> np.ndarray:
    size = BLOCKS["block_dct"]
    return rng.normal(0, spread, size) * np.linspace(1, 0.1, size)


def found(separation: float) -> Found:
    rng = np.random.default_rng(1)
    known = [drawings(f"real {i}", "", somewhere(rng, 0.2), 300, 1.0) for i in range(8)]
    unseen = [drawings(f"new {i}", "", somewhere(rng, 0.2), 150, 1.0) for i in range(3)]
    background = [
        drawings(f"made {i}", "codebook", somewhere(rng, separation), 60, 0.8) for i in range(40)
    ]
    made = [drawings(f"unseen {i}", "span", somewhere(rng, separation), 140, 0.8) for i in range(4)]
    return next(once("jpeg60", [*known, *background], [*unseen, *made], RECIPE))


def test_unseen_generators_that_differ_are_named_and_photographs_are_not_flagged() -> None:
    seen = found(separation=2.0)
    assert seen.right > 0.9
    assert seen.wrong == 0
    assert seen.flagged <= 0.02
    assert seen.right + seen.wrong + seen.unnamed + seen.missed == pytest.approx(1.0)


def test_generators_like_photographs_are_missed_rather_than_photographs_flagged() -> None:
    seen = found(separation=0.0)
    assert seen.missed > 0.9
    assert seen.flagged <= 0.03


def test_nothing_is_found_where_no_photographs_of_the_size_are_unseen() -> None:
    rng = np.random.default_rng(2)
    known = [drawings(f"real {i}", "", somewhere(rng, 0.2), 60, 1.0) for i in range(4)]
    made = [drawings(f"made {i}", "codebook", somewhere(rng, 2), 20, 0.8) for i in range(8)]
    unseen = drawings("unseen", "span", somewhere(rng, 2), 140, 0.8)
    small = replace(drawings("new", "", somewhere(rng, 0.2), 60, 1.0), sides=np.full(60, 64))
    assert not list(once("jpeg60", [*known, *made], [small, unseen], RECIPE))
