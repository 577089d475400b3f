"""A trial on made-up block statistics, whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from fingerprint_db.conditions import Codec
from training.open_set import spaces
from training.open_set.corpus import AsTheyCame, Drawings
from training.open_set.fit import FitRecipe
from training.open_set.run import once
from training.open_set.spaces import SpaceRecipe
from training.open_set.trial import AS_IT_CAME, CONSTANTS, Found, TrialRecipe
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
    monkeypatch.setitem(spaces.BLOCKS_OF, "lossless", ("block_dct",))


def drawings(
    name: str,
    family: str,
    centre: np.ndarray,
    count: int,
    spread: float,
    arrivals: tuple[str, ...] = ("jpeg60",),
) -> Drawings:
    """Pictures that nothing tells apart under one arrival; under another all lie elsewhere."""
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
        {one: (rows + 0.3 * i).astype(np.float16) for i, one in enumerate(arrivals)},
        dict.fromkeys(arrivals, kinds),
        photographs,
        sides,
        histories,
        np.zeros(count, np.int64),
        nothing_as_it_came(),
    )


def nothing_as_it_came() -> AsTheyCame:
    whole = np.zeros(0, np.int64)
    return AsTheyCame(
        np.zeros(0, np.str_),
        np.zeros((0, BLOCKS["block_dct"]), np.float16),
        np.zeros((0, len(Nuisance.NAMES)), np.float32),
        whole,
        whole,
        whole,
        np.zeros(0, np.str_),
        whole,
    )


def somewhere(rng: np.random.Generator, spread: float) -> np.ndarray:
    size = BLOCKS["block_dct"]
    return rng.normal(0, spread, size) * np.linspace(1, 0.1, size)


def found(separation: float, codec: Codec = "jpeg60") -> list[Found]:
    rng = np.random.default_rng(1)
    arrivals = ("clean", "half") if codec == "lossless" else ("jpeg60",)

    def several(
        name: str, family: str, many: int, spread: float, count: int, own: float
    ) -> list[Drawings]:
        return [
            drawings(f"{name} {i}", family, somewhere(rng, spread), count, own, arrivals)
            for i in range(many)
        ]

    known = several("real", "", 8, 0.2, 300, 1.0)
    unseen = several("new", "", 3, 0.2, 150, 1.0)
    background = several("made", "codebook", 40, separation, 60, 0.8)
    made = several("unseen", "span", 4, separation, 140, 0.8)
    return list(once(codec, [*known, *background], [*unseen, *made], RECIPE))


def test_unseen_generators_that_differ_are_named_and_photographs_are_not_flagged() -> None:
    (seen,) = found(separation=2.0)
    assert seen.right > 0.9
    assert seen.wrong == 0
    assert seen.flagged <= 0.02
    assert seen.right + seen.wrong + seen.unnamed + seen.generic <= 1.0 + 1e-9


def test_lossless_files_are_judged_in_both_spaces_as_they_are_and_halved() -> None:
    seen = found(separation=2.0, codec="lossless")
    assert [one.condition for one in seen] == ["lossless", "half_lossless"]
    assert min(one.right for one in seen) > 0.9
    assert max(one.flagged for one in seen) <= 0.03


def test_generators_like_photographs_are_missed_rather_than_photographs_flagged() -> None:
    (seen,) = found(separation=0.0)
    assert seen.right + seen.wrong + seen.unnamed + seen.generic < 0.1
    assert seen.flagged <= 0.03


def test_photographs_as_they_came_are_reported_on_their_own() -> None:
    rng = np.random.default_rng(3)
    known = [drawings(f"real {i}", "", somewhere(rng, 0.2), 300, 1.0) for i in range(8)]
    made = [drawings(f"made {i}", "codebook", somewhere(rng, 2), 60, 0.8) for i in range(40)]
    unseen = drawings("unseen", "span", somewhere(rng, 2), 140, 0.8)
    new = drawings("new", "", somewhere(rng, 0.2), 150, 1.0)
    whole = np.full(150, 0)
    came = AsTheyCame(
        np.full(150, "jpeg60"),
        new.features["jpeg60"],
        new.kinds["jpeg60"],
        new.photographs,
        whole,
        np.full(150, SIDE * SIDE),
        new.histories,
        whole,
    )
    seen = list(once("jpeg60", [*known, *made], [replace(new, came=came), unseen], RECIPE))
    assert [one.condition for one in seen] == ["jpeg60", AS_IT_CAME]
    assert seen[1].flagged == seen[0].flagged <= 0.03


def test_nothing_is_found_where_no_photographs_of_the_size_are_unseen() -> None:
    rng = np.random.default_rng(2)
    known = [drawings(f"real {i}", "", somewhere(rng, 0.2), 60, 1.0) for i in range(4)]
    made = [drawings(f"made {i}", "codebook", somewhere(rng, 2), 20, 0.8) for i in range(8)]
    unseen = drawings("unseen", "span", somewhere(rng, 2), 140, 0.8)
    small = replace(drawings("new", "", somewhere(rng, 0.2), 60, 1.0), sides=np.full(60, 64))
    assert not list(once("jpeg60", [*known, *made], [small, unseen], RECIPE))
