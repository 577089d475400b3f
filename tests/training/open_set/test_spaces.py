"""Who stands behind what: photographs are in one part alone, views of one together."""

import numpy as np

from tests.training.open_set.test_trial import drawings, somewhere
from training.histories.conditions import CONDITIONS
from training.open_set.plan import ARRIVALS
from training.open_set.spaces import CodecPictures, SpaceRecipe, is_photograph, parts


def pictures() -> CodecPictures:
    rng = np.random.default_rng(0)
    known = [drawings(f"real {i}", "", somewhere(rng, 0.2), 200, 1.0) for i in range(10)]
    return CodecPictures.of("jpeg60", known)


def test_photographs_are_parted_in_the_stated_shares() -> None:
    recipe = SpaceRecipe(statistics=0.5, norm=0.2)
    part = parts(pictures(), recipe)
    shares = [float((part == name).mean()) for name in ("statistics", "norm", "level")]
    assert np.allclose(shares, [0.5, 0.2, 0.3], atol=0.05)


def test_by_source_no_source_stands_in_two_parts() -> None:
    real = pictures()
    part = parts(real, SpaceRecipe(by_source=True))
    assert all(len(set(part[real.names == name])) == 1 for name in set(real.names))
    assert len(set(part)) == 3


def test_what_is_no_photograph_any_more_is_told_by_its_history() -> None:
    histories = np.array(["native", "native reduced", "small_on_white"])
    assert is_photograph(histories).tolist() == [True, True, False]


def test_every_enrolled_condition_has_an_arrival() -> None:
    assert set(ARRIVALS.values()) <= set(CONDITIONS)
    assert ARRIVALS["lossless"] == "clean"
    assert ARRIVALS["twice_jpeg75"] == "jpeg85_then_75"
