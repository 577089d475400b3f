"""p-values among photographs of one kind: known answers, uniform, and no photograph twice."""

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from worker.extractor.local_calibration import LocalCalibration, by_source

Vectors = NDArray[np.float32]


def calibration(
    scores: ArrayLike, photographs: ArrayLike, vectors: ArrayLike, bandwidth: float = 1.0
) -> LocalCalibration:
    return LocalCalibration.of(
        np.array(scores, np.float32),
        np.array(photographs, np.int64),
        np.array(vectors, np.float32),
        bandwidth,
    )


def slowly(local: LocalCalibration, vector: Vectors, score: float) -> tuple[float, float, float]:
    """p, the votes and their effective number, photograph by photograph and view by view."""
    as_high, votes = 0.0, []
    for photograph in sorted(set(local.photographs.tolist())):
        views = np.flatnonzero(local.photographs == photograph)
        kernel = []
        for view in views:
            away = (vector - local.centre) / local.scale - local.standardised[view]
            kernel.append(np.exp(-np.mean(away.astype(float) ** 2) / 2 / local.bandwidth**2))
        weights = [k / max(1.0, sum(kernel)) for k in kernel]
        votes.append(sum(weights))
        as_high += sum(w for w, v in zip(weights, views, strict=True) if local.scores[v] >= score)
    effective = sum(votes) ** 2 / sum(v * v for v in votes)
    return (1 + as_high) / (1 + sum(votes)), sum(votes), effective


def test_every_number_is_that_of_a_slow_loop() -> None:
    numbers = np.random.default_rng(1)
    local = calibration(
        numbers.normal(size=60), numbers.integers(0, 17, 60), numbers.normal(size=(60, 3)), 0.6
    )
    for _ in range(20):
        vector = numbers.normal(size=3).astype(np.float32)
        score = float(np.float32(numbers.normal()))
        found = local.judge(vector, score)
        assert (found.p_value, found.resembling, found.effective) == pytest.approx(
            slowly(local, vector, score), rel=1e-5
        )


def test_photographs_of_the_same_kind_count_as_in_a_plain_test() -> None:
    local = calibration([1.0, 2.0, 3.0, 4.0], [7, 8, 9, 5], np.full((4, 2), 3.0))
    same = np.full(2, 3.0, np.float32)
    assert local.judge(same, 3.0).p_value == 3 / 5
    assert local.judge(same, 5.0).p_value == 1 / 5
    assert local.judge(same, -1.0).p_value == 1
    assert local.judge(same, 0.0).resembling == local.judge(same, 0.0).effective == 4


def test_only_those_of_its_kind_judge_a_picture() -> None:
    """Noisy ones score high: a calm picture that scores as high as they do is surprising."""
    numbers = np.random.default_rng(2)
    noisy = np.repeat([0.0, 1.0], 200)
    scores = numbers.normal(5 * noisy, 1)
    local = calibration(scores, np.arange(400), np.stack([noisy, 0 * noisy], 1), 0.3)
    calm = local.judge(np.array([0, 0], np.float32), 5.0)
    among_noisy = local.judge(np.array([1, 0], np.float32), 5.0)
    assert calm.p_value == pytest.approx(1 / 201, rel=0.01)
    assert among_noisy.p_value == pytest.approx(0.5, abs=0.1)
    assert calm.resembling == pytest.approx(200, rel=0.01)


def test_views_of_one_photograph_share_one_vote() -> None:
    """Ten photographs; of one there are a thousand views, all of the picture's kind."""
    vectors = np.zeros((1009, 4))
    scores = [9.0] * 1000 + [0.0] * 9
    local = calibration(scores, [0] * 1000 + list(range(1, 10)), vectors)
    found = local.judge(np.zeros(4, np.float32), 5.0)
    assert found.p_value == pytest.approx(2 / 11)
    assert found.resembling == pytest.approx(10)
    assert found.effective == pytest.approx(10)


def test_one_view_of_many_that_resembles_is_a_whole_vote() -> None:
    vectors = np.zeros((40, 2))
    vectors[1:] = 100.0
    local = calibration([3.0] + [9.0] * 39, [0] * 40, vectors, 0.01)
    found = local.judge(np.zeros(2, np.float32), 5.0)
    assert found.resembling == pytest.approx(1)
    assert found.p_value == pytest.approx(1 / 2)


def test_the_effective_number_is_that_of_equal_votes() -> None:
    """A hundred photographs that resemble it by half are a hundred, with fifty votes."""
    away = np.sqrt(2 * np.log(2))
    local = calibration(np.zeros(100), np.arange(100), np.zeros((100, 1)))
    query = (local.centre + away * local.scale).astype(np.float32)
    found = local.judge(query, 1.0)
    assert found.resembling == pytest.approx(50, rel=1e-4)
    assert found.effective == pytest.approx(100)
    assert found.p_value == pytest.approx(1 / 51, rel=1e-4)


def test_what_nothing_resembles_is_unfamiliar_and_never_surprising() -> None:
    numbers = np.random.default_rng(3)
    local = calibration(numbers.normal(size=500), np.arange(500), numbers.normal(size=(500, 3)))
    far = local.judge(np.full(3, 50, np.float32), 1e9)
    assert (far.p_value, far.unfamiliar(0.5)) == (1, True)
    near = local.judge(np.zeros(3, np.float32), 1e9)
    assert near.p_value == pytest.approx(1 / (1 + near.resembling))
    assert not near.unfamiliar(near.p_value)
    assert near.unfamiliar(near.p_value * 0.999)
    utterly = local.judge(np.full(3, 3e18, np.float32), 1e9)
    assert (utterly.p_value, utterly.resembling, utterly.effective) == (1, 0, 0)


def test_p_values_of_exchangeable_photographs_are_uniform() -> None:
    """Scores that follow the kind, three views a photograph: no level is exceeded in any kind."""
    numbers = np.random.default_rng(4)
    found = []
    for _ in range(40):
        photographs = np.repeat(np.arange(300), 3)
        kinds, scores = views_of(numbers, 301)
        local = calibration(scores[:-3], photographs, kinds[:-3], 0.4)
        for last in (-3, -2, -1):
            found.append(local.judge(kinds[last], float(scores[last])).p_value)
    for level in (0.05, 0.1, 0.25, 0.5, 0.75):
        assert np.mean(np.array(found) <= level) == pytest.approx(level, abs=0.1)
        assert np.mean(np.array(found) <= level) <= level + 2.5 * np.sqrt(level / 40)


def views_of(numbers: np.random.Generator, count: int) -> tuple[Vectors, NDArray[np.float32]]:
    """Three views each of `count` photographs: kinds (3 count, 2), scores that follow them."""
    shared = np.repeat(numbers.normal(size=count), 3)
    kinds = numbers.normal(size=(3 * count, 2))
    scores = shared + 0.3 * kinds[:, 0] + 0.5 * numbers.normal(size=3 * count)
    return kinds.astype(np.float32), scores.astype(np.float32)


def test_levels_hold_for_many_photographs_of_one_kind() -> None:
    """Scores that do not depend on the kind: each level is exceeded at most as often as it says."""
    numbers = np.random.default_rng(5)
    found = []
    for _ in range(1500):
        vectors = numbers.normal(size=(41, 2)).astype(np.float32)
        scores = numbers.normal(size=41).astype(np.float32)
        local = calibration(scores[:-1], np.arange(40), vectors[:-1], 0.7)
        found.append(local.judge(vectors[-1], float(scores[-1])).p_value)
    for level in (0.1, 0.2, 0.5, 0.9):
        assert np.mean(np.array(found) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 1500)
    assert np.mean(np.array(found) <= 0.5) > 0.4


def test_photographs_weigh_the_same_in_what_is_standard() -> None:
    many = calibration(np.zeros(12), [0] * 10 + [1, 2], [[0.0]] * 10 + [[3.0], [6.0]])
    once = calibration(np.zeros(3), [0, 1, 2], [[0.0], [3.0], [6.0]])
    assert many.centre == pytest.approx(once.centre)
    assert many.scale == pytest.approx(once.scale)
    assert once.distances(np.array([3 + once.scale[0]], np.float32)).tolist() == pytest.approx(
        [1 + 3 / once.scale[0], 1, 3 / once.scale[0] - 1], abs=1e-5
    )


def test_what_never_differed_is_still_told_apart() -> None:
    local = calibration(np.zeros(3), [0, 1, 2], np.zeros((3, 2)))
    assert local.judge(np.array([1, 0], np.float32), 1.0).resembling < 1e-9
    assert local.judge(np.array([0.001, 0], np.float32), 1.0).resembling > 2.99


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of each"):
        calibration([1.0, 2.0], [1], [[0.0], [0.0]])
    with pytest.raises(ValueError, match="a view or more"):
        calibration([], [], np.zeros((0, 2)))
    with pytest.raises(ValueError, match="not finite"):
        calibration([1.0], [1], [[np.nan]])
    with pytest.raises(ValueError, match="bandwidth is 0"):
        calibration([1.0], [1], [[0.0]], 0.0)


def test_a_source_never_seen_is_judged_by_sources() -> None:
    """Two sources of one and of four pictures: a half and a quarter of them score as high."""
    scores = np.array([1, 5, 1, 2, 3, 5], np.float32)
    sources = np.array([0, 0, 4, 4, 4, 4])
    found = by_source(scores, sources, np.arange(6))
    assert found.count == 2
    assert found.p_value(4.0) == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    assert found.p_value(1e9) == 1 / 3
    assert found.p_value(-1e9) == 1


def test_within_a_source_photographs_vote_and_not_their_views() -> None:
    """Nine views of one photograph and one of another: half of the source scores as high."""
    scores = np.array([9.0] * 9 + [0.0], np.float32)
    photographs = np.array([3] * 9 + [4])
    found = by_source(scores, np.zeros(10, np.int64), photographs)
    assert found.p_value(5.0) == pytest.approx((1 + 1 / 2) / 2)


def test_photographs_are_numbered_within_their_source() -> None:
    scores = np.array([9.0, 0.0, 9.0], np.float32)
    found = by_source(scores, np.array([0, 0, 1]), np.array([1, 2, 1]))
    assert found.p_value(5.0) == pytest.approx((1 + 1 / 2 + 1) / 3)


def test_p_values_by_source_are_uniform_on_exchangeable_sources() -> None:
    """Sources differ more than their pictures do: by source the level holds, by picture not."""
    numbers = np.random.default_rng(6)
    of_sources, of_pictures = [], []
    for _ in range(1500):
        sources = np.repeat(np.arange(20), 10)
        scores = (numbers.normal(size=20)[sources] + 0.2 * numbers.normal(size=200)).astype(
            np.float32
        )
        score = float(numbers.normal() + 0.2 * numbers.normal())
        of_sources.append(by_source(scores, sources, np.arange(200)).p_value(score))
        of_pictures.append(by_source(scores, np.arange(200), np.arange(200)).p_value(score))
    for level in (0.05, 0.1, 0.3, 0.6):
        assert np.mean(np.array(of_sources) <= level) <= level + 3 * np.sqrt(level / 1500)
    assert np.mean(np.array(of_sources) <= 0.5) > 0.42
    assert np.mean(np.array(of_pictures) <= 0.02) > 0.03
