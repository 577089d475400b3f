"""Which views of photographs stand behind p-values: one of each, in every space of its file."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from fingerprint_db.background import Background, CodecSpace
from fingerprint_db.conditions import Codec, readings_of
from fingerprint_db.matching.registered import cohort_of_files
from tests.training.open_set.test_trial import RECIPE, drawings, few_numbers, somewhere
from tests.worker.extractor.tiny_bundle import TinyBundle
from training.open_set.cohorts import (
    MOST_OF_A_SOURCE,
    NATIVE_SHARE,
    OFTEN,
    cohorts,
    is_photograph,
    one_view,
    weights,
)
from training.open_set.corpus import together
from training.open_set.former import FormerRows
from training.open_set.spaces import CodecPictures, Learning, basis_of, learn
from worker.extractor.bundle import load_bundle

__all__ = ["few_numbers"]


def background(codec: Codec) -> Background:
    """Of eight sources, the photographs of each shown at two sides and after two histories."""
    rng = np.random.default_rng(4)
    arrivals = ("clean", "half") if codec == "lossless" else ("jpeg60",)
    drawn = []
    for number in range(8):
        views = []
        for side in (64, 256):
            for history in ("native", "enlarged_bicubic"):
                one = drawings(f"real {number}", "", somewhere(rng, 0.2), 120, 1.0, arrivals)
                views.append(
                    replace(
                        one,
                        photographs=np.arange(120) + 1000 * number,
                        sides=np.full(120, side),
                        histories=np.full(120, history),
                    )
                )
        drawn.append(together(views))
    drawn += [
        drawings(f"made {i}", "codebook", somewhere(rng, 2), 60, 0.8, arrivals) for i in range(20)
    ]
    recipe = RECIPE.spaces
    learning = {one: Learning.of(one, drawn, recipe) for one in readings_of(codec)}
    basis = basis_of(learning.values(), recipe)
    learned = {name: learn(one, basis, recipe) for name, one in learning.items()}
    maps = {name: one.to_fingerprint for name, one in learned.items()}
    held = cohorts(learning, maps)
    codecs = {
        name: CodecSpace(one.real_variance, one.generators, np.zeros(30, np.float32), held[name])
        for name, one in learned.items()
    }
    return Background("0" * 64, codecs, RECIPE.constants)


def test_of_each_photograph_and_side_there_is_one_view() -> None:
    cohort = background("jpeg60").codecs["jpeg60"].cohort
    pairs = np.stack([cohort.photographs, cohort.size_classes], 1)
    assert len(np.unique(pairs, axis=0)) == len(pairs) > 800


def test_lossless_views_are_there_as_they_are_and_halved_in_both_spaces() -> None:
    both = background("lossless")
    files = cohort_of_files(both, "lossless")
    # A photograph drawn at 64 pixels is in the smallest class, and so is its half.
    smallest = files.size_classes == 0
    _, views = np.unique(files.photographs[smallest], return_counts=True)
    assert set(views) == {2}
    assert files.vectors.shape[1] == 60


def test_no_source_has_more_photographs_than_others_may() -> None:
    cohort = background("jpeg60").codecs["jpeg60"].cohort
    for source in np.unique(cohort.sources):
        assert len(np.unique(cohort.photographs[cohort.sources == source])) <= MOST_OF_A_SOURCE


def test_what_is_no_photograph_any_more_is_told_by_its_history() -> None:
    histories = np.array(["native", "native reduced", "small_on_white"])
    assert is_photograph(histories).tolist() == [True, True, False]


def test_blurred_views_are_drawn_more_often_and_count_less() -> None:
    """Half of a level's photographs by views that nothing was done to, half by histories."""
    names = np.array(["native", "blurred", "jpeg", "sharpened"])
    count = 4000
    numbers = np.repeat(np.arange(count), len(names))
    histories = np.tile(names, count)
    views = pictures(numbers, histories)
    everything = np.ones(len(numbers), bool)
    none, one = np.zeros(len(numbers), bool), np.zeros(len(numbers), np.int64)
    held = views.where(one_view(views, everything, one, none))
    assert len(held.photographs) == len(np.unique(held.photographs)) == count
    drawn = {str(name): float((held.histories == name).mean()) for name in names}
    assert drawn["native"] == pytest.approx(NATIVE_SHARE, abs=0.03)
    assert drawn["blurred"] / drawn["jpeg"] == pytest.approx(OFTEN["blurred"], rel=0.2)
    found = weights(held, np.zeros(count, np.int64))
    assert found.sum() == pytest.approx(count, rel=1e-3)
    counted = {str(name): float(found[held.histories == name].sum()) / count for name in names}
    assert counted["native"] == pytest.approx(0.5, rel=1e-3)
    for name in names[1:]:
        assert counted[str(name)] == pytest.approx(1 / 6, abs=0.03)


def test_views_of_a_former_bundle_are_taken_again_and_come_first() -> None:
    names = np.array(["native", "native reduced", "jpeg"])
    numbers, histories = np.repeat(np.arange(50), 3), np.tile(names, 50)
    views = pictures(numbers, histories)
    again = (histories == "native reduced") & (numbers % 5 == 0)
    chosen = one_view(
        views, np.ones(150, bool), np.zeros(150, np.int64), again | (histories == "jpeg")
    )
    assert chosen[again].all(), "a history is never taken again"
    assert (histories[chosen & (numbers % 5 != 0)] == "jpeg").all(), "others leave room for more"


def test_rows_of_a_former_bundle_are_known_by_what_8_bits_keep(tiny_bundle: TinyBundle) -> None:
    former = FormerRows.of(tiny_bundle.path)
    spaces = load_bundle(tiny_bundle.path).background.codecs
    cohort = spaces["jpeg75"].cohort
    assert former.holds("jpeg75", cohort.vectors).all()
    moved = cohort.vectors + 2 * former.scales["jpeg75"]
    assert not former.holds("jpeg75", moved).any()
    mixed = replace(
        spaces["jpeg75"],
        cohort=replace(cohort, vectors=np.concatenate([cohort.vectors[:40], moved[40:]])),
    )
    kept = former.kept({**spaces, "jpeg75": mixed})
    assert kept.fine["jpeg75"] == 40
    assert kept.fine["half_lossless"] == len(spaces["lossless"].cohort.vectors)


def pictures(photographs: NDArray[np.int64], histories: NDArray[np.str_]) -> CodecPictures:
    """Views of one source."""
    count = len(photographs)
    same = np.zeros(count, np.int64)
    return CodecPictures(
        "jpeg75",
        np.zeros((count, 2), np.float16),
        np.full(count, "real one"),
        np.full(count, ""),
        photographs,
        same,
        same + 256,
        same + 65536,
        histories,
        np.zeros((count, 15), np.float32),
        same,
    )
