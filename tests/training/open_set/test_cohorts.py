"""Which views of photographs stand behind p-values: one of each, in every space of its file."""

from dataclasses import replace

import numpy as np

from fingerprint_db.background import Background, CodecSpace
from fingerprint_db.conditions import Codec, readings_of
from fingerprint_db.matching.registered import cohort_of_files
from tests.training.open_set.test_trial import RECIPE, drawings, few_numbers, somewhere
from training.open_set.cohorts import MOST_OF_A_SOURCE, cohorts, is_photograph
from training.open_set.corpus import together
from training.open_set.spaces import Learning, basis_of, learn

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
