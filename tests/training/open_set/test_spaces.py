"""Who stands behind what: photographs are in one part alone, views of one together."""

from dataclasses import replace

import numpy as np

from tests.training.open_set.test_trial import drawings, somewhere
from training.histories.conditions import CONDITIONS
from training.open_set.corpus import AsTheyCame
from training.open_set.plan import ARRIVALS
from training.open_set.spaces import CodecPictures, SpaceRecipe, parts


def pictures() -> CodecPictures:
    rng = np.random.default_rng(0)
    known = [drawings(f"real {i}", "", somewhere(rng, 0.2), 200, 1.0) for i in range(10)]
    return CodecPictures.of("jpeg60", known)


def test_photographs_are_parted_in_the_stated_shares() -> None:
    recipe = SpaceRecipe(statistics=0.5, norm=0.2)
    part = parts(pictures(), recipe)
    shares = [float((part == name).mean()) for name in ("statistics", "norm", "level")]
    assert np.allclose(shares, [0.5, 0.2, 0.3], atol=0.05)


def test_a_jpeg_inside_a_lossless_picture_counts_where_the_worker_reads_it() -> None:
    rng = np.random.default_rng(0)
    one = drawings("real a", "", somewhere(rng, 0.2), 4, 1.0, ("clean", "jpeg60"))
    earlier = np.array([0, 62, 0, 20])
    came = AsTheyCame(
        np.array(["jpeg60", "jpeg60"]),
        one.features["jpeg60"][[1, 3]],
        one.kinds["jpeg60"][[1, 3]],
        one.photographs[[1, 3]],
        one.sides[[1, 3]],
        np.square(one.sides[[1, 3]]),
        one.histories[[1, 3]],
        earlier[[1, 3]],
    )
    one = replace(one, earlier=earlier, came=came)
    assert CodecPictures.of("lossless", [one]).photographs.tolist() == [
        one.photographs[0],
        one.photographs[2],
    ]
    found = CodecPictures.of("jpeg60", [one])
    # Of quality 20 nothing is ever said.
    assert found.photographs[found.came].tolist() == [one.photographs[1]]
    assert len(found.photographs) == 5


def test_every_enrolled_condition_has_an_arrival() -> None:
    assert set(ARRIVALS.values()) <= set(CONDITIONS)
    assert ARRIVALS["lossless"] == "clean"
    assert ARRIVALS["twice_jpeg75"] == "jpeg85_then_75"
