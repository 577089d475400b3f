"""Enrolment: statistics as slow loops give them, and a gate that refuses with its reasons."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t

from fingerprint_db.enrolment import Enrolment, Samples, Worst, enrol
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint
from fingerprint_db.scoring import (
    leave_one_out_distances,
    model_metric,
    squared_distances,
)
from tests.fingerprint_db.spaces import (
    CONDITIONS,
    DIMENSION,
    REAL_MEAN,
    SPACE,
    Generator,
    registration,
    small_background,
)

BACKGROUND = small_background()
ALPHA = 0.005
ONE = Generator(np.array([9.0, 0.0, 0.0, 0.0]), BACKGROUND)
FAR = Generator(np.array([0.0, 14.0, 0.0, 0.0]), BACKGROUND)


def enrolled(
    samples: Samples, registered: Sequence[ModelFingerprint] = (), name: str = "one"
) -> Enrolment:
    return enrol(samples, registration(name), BACKGROUND, registered, alpha=ALPHA)


def model_of(generator: Generator, name: str, seed: int) -> ModelFingerprint:
    made = enrolled(generator.samples(100, seed), name=name).model
    assert made is not None
    return made


def under(vectors: NDArray[np.float32], p_value: float = 0.001) -> Samples:
    """The same vectors under the first condition alone."""
    return Samples({CONDITIONS[0]: vectors}, {CONDITIONS[0]: np.full(len(vectors), p_value)})


def test_the_entry_holds_mean_scatter_and_count_of_each_condition() -> None:
    samples = ONE.samples(60, seed=1)
    model = enrolled(samples).model
    assert model is not None
    assert (model.space, model.status, model.sample_count) == (SPACE, "live", 60)
    assert [entry.condition for entry in model.statistics] == list(CONDITIONS)
    for entry in model.statistics:
        rows = samples.vectors[entry.condition].astype(np.float64)
        mean = sum(rows) / len(rows)
        scatter = np.zeros((DIMENSION, DIMENSION))
        for row in rows:
            scatter += np.outer(row - mean, row - mean)
        np.testing.assert_allclose(entry.mean, mean, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(entry.scatter, scatter, rtol=1e-4, atol=1e-3)
        assert entry.count == entry.threshold_count == 60


def z_of(entry: ConditionStatistics, vectors: NDArray[np.float32]) -> float:
    """How many prediction deviations of the cube roots the threshold lies above their mean."""
    distances = leave_one_out_distances(BACKGROUND, entry.condition, vectors)
    roots = [float(distance) ** (1 / 3) for distance in distances]
    count = len(roots)
    mean = sum(roots) / count
    deviation = (sum((root - mean) ** 2 for root in roots) / (count - 1)) ** 0.5
    width = deviation * (1 + 1 / count) ** 0.5
    return float((entry.distance_threshold ** (1 / 3) - mean) / width)


@pytest.mark.parametrize("count", [10, 40, 200])
def test_the_threshold_is_where_student_s_t_puts_the_stated_share(count: int) -> None:
    """Of 9 degrees of freedom 1 in 200 lies beyond 3.25 deviations, not 2.58."""
    samples = ONE.samples(count, seed=count)
    model = enrolled(samples).model
    assert model is not None
    for entry in model.statistics:
        beyond = 0.005 if entry.condition == "as_received" else 0.025
        expected = float(t.isf(beyond, count - 1))
        assert z_of(entry, samples.vectors[entry.condition]) == pytest.approx(expected, rel=1e-4)


def test_one_in_two_hundred_holds_for_the_fewest_samples_too() -> None:
    """With a normal's 2.576 in place of t, 1.8 % of a provisional model's images lay beyond."""
    beyond = []
    for seed in range(400):
        made = enrolled(under(ONE.draw(10, 500 + seed))).model
        assert made is not None
        (entry,) = made.statistics
        fresh = ONE.draw(200, 9000 + seed)
        metric = model_metric(BACKGROUND, entry.condition, entry.scatter, entry.count)
        distances = squared_distances(metric, fresh, entry)
        beyond.append(float((distances > entry.distance_threshold).mean()))
    assert np.mean(beyond) < 0.0075


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("spread", [0.7, 1.0, 1.4])
def test_the_threshold_covers_about_the_stated_share_of_a_models_own_images(
    spread: float, condition: str
) -> None:
    """Also where a model scatters more or less than the pool: its own covariance counts."""
    beyond, stated = [], []
    for seed in range(8):
        vectors = {name: ONE.draw(200, seed, name, spread) for name in CONDITIONS}
        p_values = {name: np.full(200, 0.001) for name in CONDITIONS}
        made = enrolled(Samples(vectors, p_values)).model
        assert made is not None
        entry = made.under(condition)
        assert entry is not None
        fresh = ONE.draw(5000, 100 + seed, condition, spread)
        metric = model_metric(BACKGROUND, condition, entry.scatter, entry.count)
        distances = squared_distances(metric, fresh, entry)
        beyond.append(float((distances > entry.distance_threshold).mean()))
        stated.append(0.005 if condition == "as_received" else 0.025)
    assert 0.6 * np.mean(stated) < np.mean(beyond) < 1.5 * np.mean(stated)


def test_samples_that_pass_get_a_report_of_what_to_expect() -> None:
    vectors = ONE.draw(60, seed=3)
    p_values = np.where(np.arange(60) < 45, 0.001, 0.2)
    report = enrolled(Samples({"as_received": vectors}, {"as_received": p_values})).report
    assert report.refusals == ()
    assert not report.provisional
    assert (report.nearest_model, report.nearest_confusion) == (None, 0.0)
    assert report.spread == pytest.approx(1.0, abs=0.4)
    assert report.real_inside == 0.0
    assert [row.condition for row in report.conditions] == ["as_received"]
    assert report.conditions[0].detected == 0.75
    assert 0.6 < report.conditions[0].recognised <= 0.75


def test_fewer_than_fifty_samples_make_a_provisional_entry() -> None:
    assert enrolled(ONE.samples(49, seed=4)).report.provisional
    assert not enrolled(ONE.samples(50, seed=4)).report.provisional


def test_a_condition_with_too_few_samples_is_left_out_of_the_entry() -> None:
    samples = ONE.samples(20, seed=5)
    few = Samples(
        {"as_received": samples.vectors["as_received"], "jpeg75": samples.vectors["jpeg75"][:9]},
        {"as_received": samples.p_values["as_received"], "jpeg75": samples.p_values["jpeg75"][:9]},
    )
    model = enrolled(few).model
    assert model is not None
    assert model.under("jpeg75") is None


def test_the_nearest_registered_model_is_named_even_when_it_is_far() -> None:
    near = Generator(np.array([9.0, 6.0, 0.0, 0.0]), BACKGROUND)
    registered = [model_of(FAR, "far", 6), model_of(near, "near", 7)]
    found = enrolled(ONE.samples(60, seed=8), registered)
    assert found.model is not None
    assert found.report.nearest_model == "near"
    assert found.report.nearest_confusion < 0.05


def refused(found: Enrolment) -> tuple[str, ...]:
    assert found.model is None
    return found.report.refusals


def test_too_few_samples_are_refused() -> None:
    assert refused(enrolled(ONE.samples(9, seed=9))) == (
        "too few samples: 9 usable, at least 10 needed (50 for verdicts that name the model);"
        " add sample images",
    )
    assert refused(enrolled(Samples({}, {})))[0].startswith("too few samples: 0 usable")
    assert enrolled(ONE.samples(10, seed=9)).model is not None


def test_samples_of_several_origins_are_refused() -> None:
    other = Generator(np.array([9.0, 7.0, 0.0, 0.0]), BACKGROUND)
    mixed = np.concatenate([ONE.draw(30, 10), other.draw(30, 11)])
    found = enrolled(under(mixed))
    assert refused(found) == (
        f"inconsistent samples: they scatter {found.report.spread:.1f} times as widely as one"
        " generator's images (limit 4); the folder seems to mix several origins, register each on"
        " its own",
    )
    assert found.report.spread > 4.0


def test_samples_that_the_real_test_does_not_find_are_refused() -> None:
    assert refused(enrolled(ONE.samples(60, seed=12, p_value=0.3))) == (
        "inseparable from real photos: the real test finds only 0% of the samples synthetic (at"
        " least 50% needed); verdicts would be no_evidence whatever is registered",
    )


def test_samples_among_which_real_photos_lie_are_refused() -> None:
    photos = Generator(REAL_MEAN, BACKGROUND)
    found = enrolled(photos.samples(60, seed=13))
    inside = f"{found.report.real_inside:.0%}"
    assert found.report.real_inside > 0.5
    assert refused(found) == (
        f"inseparable from real photos: {inside} of the 400 calibration photos lie inside"
        " the threshold (limit 5%); are these samples generated?",
    )


def test_samples_of_a_registered_generator_are_refused() -> None:
    registered = [model_of(FAR, "far", 14), model_of(ONE, "one", 15)]
    found = enrolled(ONE.samples(60, seed=16), registered, name="again")
    confused = f"{found.report.nearest_confusion:.0%}"
    assert found.report.nearest_model == "one"
    assert refused(found) == (
        f"inseparable from the registered model 'one': {confused} of the samples are accepted by"
        " it and nearer to it (limit 30%); if they are the same generator nothing need be"
        " registered, else retire the other first",
    )


def in_the_second_condition(samples: Samples, others: Samples) -> Samples:
    """`samples` as received, and `others` after re-encoding."""
    first, second = CONDITIONS
    return Samples(
        {first: samples.vectors[first], second: others.vectors[second]},
        {first: samples.p_values[first], second: others.p_values[second]},
    )


def test_every_condition_is_judged_and_the_worst_one_named() -> None:
    """Samples that stand apart as received and lie among real photos after JPEG."""
    photos = Generator(REAL_MEAN, BACKGROUND)
    samples = in_the_second_condition(ONE.samples(60, seed=30), photos.samples(60, seed=31))
    found = enrolled(samples)
    assert found.model is not None, "the gate refuses by the samples as received"
    first, second = found.report.conditions
    assert (first.real_inside, first.limits) == (0.0, ())
    assert second.real_inside > 0.5
    assert second.limits == (f"{second.real_inside:.0%} of real photos inside (at most 5%)",)
    assert found.report.real_inside == 0.0
    assert found.report.real_photos == 400
    assert Worst("real_inside", "jpeg75", second.real_inside) in found.report.worst


def test_a_model_that_is_taken_for_another_after_jpeg_alone_is_registered_with_a_warning() -> None:
    registered = [model_of(FAR, "far", 32)]
    samples = in_the_second_condition(ONE.samples(60, seed=33), FAR.samples(60, seed=34))
    found = enrolled(samples, registered)
    assert found.model is not None
    first, second = found.report.conditions
    assert first.nearest_confusion == 0.0
    assert second.nearest_model == "far"
    assert second.limits == (f"{second.nearest_confusion:.0%} taken for 'far' (at most 30%)",)
    assert Worst("nearest_confusion", "jpeg75", second.nearest_confusion) in found.report.worst


def test_a_condition_under_which_samples_scatter_or_are_missed_says_so() -> None:
    wide = Samples({"jpeg75": ONE.draw(60, 35, "jpeg75", 3.0)}, {"jpeg75": np.full(60, 0.4)})
    found = enrolled(in_the_second_condition(ONE.samples(60, seed=36), wide))
    _, second = found.report.conditions
    assert second.limits == (
        "0% recognised (at least 50%)",
        f"spread {second.spread:.1f} (at most 4)",
    )
    measures = {one.measure: one.condition for one in found.report.worst}
    assert measures["recognised"] == measures["spread"] == "jpeg75"


def test_every_reason_is_given_at_once() -> None:
    photos = Generator(REAL_MEAN, BACKGROUND)
    mixed = np.concatenate([photos.draw(30, 17), ONE.draw(30, 18)])
    reasons = refused(enrolled(under(mixed, p_value=0.9)))
    assert [reason.partition(":")[0] for reason in reasons] == [
        "inconsistent samples",
        "inseparable from real photos",
        "inseparable from real photos",
    ]


def test_a_model_that_was_not_enrolled_under_the_condition_cannot_be_confused() -> None:
    samples = ONE.samples(60, seed=19)
    other = model_of(ONE, "one", 20)
    partial = ModelFingerprint(
        other.model_id,
        other.name,
        other.family,
        other.space,
        other.status,
        other.statistics[1:],
        other.sample_count,
        other.registered_at,
        other.registered_by,
        other.reason,
    )
    assert enrolled(samples, [partial], name="again").model is not None
