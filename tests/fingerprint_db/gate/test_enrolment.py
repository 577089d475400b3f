"""Enrolment: statistics as slow loops give them, and a gate that refuses with its reasons."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from fingerprint_db.background import Floats
from fingerprint_db.conditions import CONDITIONS, Codec, conditions_of, shown_by
from fingerprint_db.entry_encoding import decode_entry, encode_entry
from fingerprint_db.gate.enrolment import Enrolment, Samples, enrol
from fingerprint_db.gate.recognition import Rates, Registry
from fingerprint_db.gate.report import Worst
from fingerprint_db.matching.levels import Levels
from fingerprint_db.matching.limits import t_quantile
from fingerprint_db.matching.registered import Registered, cohort_of_files
from fingerprint_db.model_fingerprint import ModelFingerprint
from tests.fingerprint_db.spaces import (
    CONSTANTS,
    REAL_VARIANCE,
    SPACE,
    Generator,
    along,
    kinds_of,
    photographs_of_one_source,
    registration,
    samples_of,
    small_background,
)

BACKGROUND = small_background(("lossless", "half_lossless", "jpeg75"))
FIRST: Codec = "lossless"
HALF: Codec = "half_lossless"
JPEG: Codec = "jpeg75"
ONE = Generator(along(0, 9.0))
FAR = Generator(along(1, 9.0))
PHOTOGRAPHS = Generator(along(0, 0.0))


def enrolled(
    samples: Samples, registered: Sequence[ModelFingerprint] = (), name: str = "one"
) -> Enrolment:
    return enrol(
        samples,
        registration(name),
        BACKGROUND,
        registered,
        alpha_name=0.01,
        alpha_source=0.1,
        alpha_alike=0.02,
    )


def model_of(generator: Generator, name: str, seed: int) -> ModelFingerprint:
    made = enrolled(generator.samples(100, seed), name=name)
    assert made.model is not None, made.report.refusals
    return made.model


def refused(found: Enrolment) -> tuple[str, ...]:
    assert found.model is None
    return found.report.refusals


# The entry ----------------------------------------------------------------------------------------


def test_the_entry_holds_mean_variance_and_limit_of_each_condition_of_the_space() -> None:
    samples = ONE.samples(60, seed=1)
    found = enrolled(samples)
    assert found.report.set_aside == ()
    model = found.model
    assert model is not None
    assert (model.space, model.status, model.sample_count) == (SPACE, "live", 60)
    names = [c.name for c in CONDITIONS if c.codec in BACKGROUND.codecs]
    assert [entry.condition for entry in model.statistics] == names
    for entry in model.statistics:
        rows = samples.vectors[entry.condition].astype(np.float64)
        mean = sum(rows) / len(rows)
        variance = sum((row - mean) ** 2 for row in rows) / len(rows)
        np.testing.assert_allclose(entry.mean, mean, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(entry.variance, variance, rtol=1e-3, atol=1e-3)
        assert entry.count == 60


def test_an_entry_comes_back_from_storage_bit_for_bit() -> None:
    model = model_of(ONE, "one", 2)
    back = decode_entry(encode_entry(model), "live")
    for entry, stored in zip(model.statistics, back.statistics, strict=True):
        assert stored.mean.tobytes() == entry.mean.tobytes()
        assert stored.variance.tobytes() == entry.variance.tobytes()
        assert stored.distance_limit == entry.distance_limit


def test_the_limit_is_where_student_s_t_puts_the_stated_share() -> None:
    samples = ONE.samples(40, seed=40)
    found = enrolled(samples)
    assert found.model is not None
    entry = found.model.statistics[0]
    rows = samples.vectors[FIRST].astype(np.float64)
    roots = []
    for i, row in enumerate(rows):
        others = np.delete(rows, i, axis=0)
        squares = (row - others.mean(0)) ** 2 / (2.0 - REAL_VARIANCE)
        roots.append((squares.sum() / (1 + 1 / 39)) ** (1 / 3))
    width = np.std(roots, ddof=1) * (1 + 1 / 40) ** 0.5
    expected = (np.mean(roots) + t_quantile(CONSTANTS.atypical, 39) * width) ** 3
    assert entry.distance_limit == pytest.approx(float(expected), rel=1e-3)


def test_a_condition_with_too_few_samples_is_left_out_of_the_entry_with_the_reason() -> None:
    samples = ONE.samples(20, seed=5)
    vectors = {**samples.vectors, HALF: samples.vectors[HALF][:9]}
    few = replace(samples_of(vectors), absent={HALF: {"are too small once halved": 11}})
    found = enrolled(few)
    assert found.model is not None
    assert found.model.under(HALF) is None
    absent = {one.condition: one.why for one in found.report.not_enrolled}
    assert absent[HALF] == "11 samples are too small once halved"


# The report ---------------------------------------------------------------------------------------


def test_samples_that_pass_get_a_report_of_what_to_expect() -> None:
    report = enrolled(ONE.samples(60, seed=21)).report
    assert (report.refusals, report.warnings, report.samples) == ((), (), 60)
    assert (report.nearest_model, report.nearest_confusion) == (None, 0.0)
    assert report.spread == pytest.approx(1.0, abs=0.2)
    assert report.real_inside < 0.1
    assert report.real_photos == 500
    first = report.conditions[0]
    assert first.condition == FIRST
    assert 0.9 < first.recognised <= 1.0
    assert first.at_least < first.recognised <= first.at_most
    assert first.limits == ()


def test_the_recognition_that_is_promised_is_that_of_further_images() -> None:
    """A generator so near that only some of its images stand out, many times over."""
    near = Generator(along(0, 2.6))
    promised, met = [], []
    for seed in range(6):
        found = enrolled(samples_of({FIRST: near.draw(40, 70 + seed)}))
        fresh = enrolled(samples_of({FIRST: near.draw(1000, 170 + seed)}))
        promised.append(found.report.conditions[0].recognised)
        met.append(fresh.report.conditions[0].recognised)
    assert 0.1 < np.mean(met) < 0.9
    assert np.mean(promised) == pytest.approx(np.mean(met), abs=0.12)


@pytest.mark.parametrize(
    ("count", "provisional", "grade"),
    [(39, True, "family"), (40, False, "model"), (199, False, "model"), (200, False, "sibling")],
)
def test_what_may_be_named_depends_on_the_number_of_samples(
    count: int, provisional: bool, grade: str
) -> None:
    report = enrolled(ONE.samples(count, seed=4)).report
    aside = len(report.set_aside)
    if aside:  # of its own images one in a thousand is set aside
        report = enrolled(ONE.samples(count + aside, seed=4)).report
    assert (report.provisional, report.grade) == (provisional, grade)


def test_the_nearest_registered_model_is_named_even_when_it_is_far() -> None:
    near = Generator(along(0, 9.0) + along(5, 6.0))
    registered = [model_of(FAR, "far", 6), model_of(near, "near", 7)]
    found = enrolled(ONE.samples(60, seed=8), registered)
    assert found.model is not None
    assert found.report.nearest_model == "near"
    assert found.report.nearest_confusion < 0.05


def test_every_condition_is_judged_and_the_worst_one_named() -> None:
    """Samples that stand apart as received and lie among photographs once they are halved."""
    samples = ONE.samples(60, seed=30)
    vectors = {**samples.vectors, HALF: PHOTOGRAPHS.draw(60, 31)}
    found = enrolled(samples_of(vectors))
    assert found.model is not None, "some condition is recognised"
    first, second = found.report.conditions[:2]
    assert (first.condition, first.limits) == (FIRST, ())
    assert second.recognised < 0.1
    assert second.limits == (f"{second.recognised:.0%} recognised (at least 50%)",)
    assert Worst("recognised", HALF, second.recognised) in found.report.worst


def test_a_sample_that_does_not_belong_is_set_aside_and_named() -> None:
    samples = ONE.samples(60, seed=50)
    vectors = {name: rows.copy() for name, rows in samples.vectors.items()}
    for rows in vectors.values():
        rows[17] = FAR.draw(1, 51)[0]
    found = enrolled(samples_of(vectors))
    assert found.model is not None
    assert "17.png" in found.report.set_aside
    assert found.report.samples == 60 - len(found.report.set_aside)
    assert {entry.count for entry in found.model.statistics} == {found.report.samples}


# Refusals -----------------------------------------------------------------------------------------


def test_too_few_samples_are_refused() -> None:
    assert refused(enrolled(ONE.samples(9, seed=9))) == (
        "too few samples: 9 usable, at least 10 needed (40 for verdicts that name the model);"
        " add sample images",
    )
    assert refused(enrolled(samples_of({})))[0].startswith("too few samples: 0 usable")
    assert enrolled(ONE.samples(10, seed=9)).model is not None


def test_samples_of_several_origins_are_refused() -> None:
    mixed = np.concatenate([ONE.draw(30, 10), Generator(along(0, -40.0)).draw(30, 11)])
    found = enrolled(samples_of({FIRST: mixed}))
    assert found.report.spread > 12.0
    assert (
        f"inconsistent samples: they scatter {found.report.spread:.1f} times as widely as one"
        " generator's images (limit 12); the folder seems to mix several origins, register each on"
        " its own"
    ) in refused(found)


def test_samples_that_are_one_picture_over_again_are_refused() -> None:
    found = enrolled(samples_of({FIRST: ONE.draw(60, 12, spread=0.2)}))
    (reason,) = refused(found)
    assert reason.startswith(
        f"samples too much alike: they scatter {found.report.spread:.2f} times as widely"
    )


def test_samples_that_are_recognised_under_no_condition_are_refused() -> None:
    reason = refused(enrolled(PHOTOGRAPHS.samples(60, seed=13)))[0]
    assert reason.startswith("inseparable from real photos: under no condition would more than")
    assert reason.endswith("are these samples generated?")


def test_levels_that_no_photographs_reach_are_told_as_the_reason() -> None:
    found = enrol(
        ONE.samples(60, seed=14),
        registration("one"),
        BACKGROUND,
        (),
        alpha_name=1e-6,
        alpha_source=0.1,
        alpha_alike=0.02,
    )
    assert "too few photographs of this size for the policy's alpha_name" in refused(found)[0]
    assert found.report.conditions[0].limits == (
        "too few photographs of this size calibrate for alpha_name",
    )


def test_what_is_read_in_two_spaces_needs_no_more_photographs() -> None:
    found = enrol(
        ONE.samples(60, seed=14),
        registration("one"),
        BACKGROUND,
        (),
        alpha_name=0.005,
        alpha_source=0.1,
        alpha_alike=0.02,
    )
    limits = {row.condition: row.limits for row in found.report.conditions}
    assert limits == {FIRST: (), HALF: (), JPEG: (), "twice_jpeg75": ()}


@pytest.mark.parametrize("codec", [FIRST, HALF, JPEG])
def test_samples_are_held_against_photographs_in_all_spaces_that_their_files_are_read_in(
    codec: Codec,
) -> None:
    """As the worker's files are: at the policy's own levels."""
    registered, model = [model_of(FAR, "far", 14)], model_of(ONE, "one", 15)
    rates = Rates(0.01, 0.1, 0.02)
    registry = Registry.of(BACKGROUND, codec, registered, model, rates)
    assert registry.rates == rates
    shown = shown_by(codec)
    highest = Registered.of(BACKGROUND, [*registered, model.with_status("live")], shown).highest
    expected = Levels.of(cohort_of_files(BACKGROUND, shown), highest)
    for own, level in zip(registry.levels.by_size, expected.by_size, strict=True):
        assert own.photographs.scores.tolist() == level.photographs.scores.tolist()
    kept = registry.enrolled
    assert {kept.condition(row) for row in range(kept.rows)} == {
        c.name for c in conditions_of(codec)
    }


def test_samples_of_a_registered_generator_are_refused() -> None:
    registered = [model_of(FAR, "far", 14), model_of(ONE, "one", 15)]
    found = enrolled(ONE.samples(60, seed=16), registered, name="again")
    confused = f"{found.report.nearest_confusion:.0%}"
    assert found.report.nearest_model == "one"
    assert (
        f"inseparable from the registered model 'one': {confused} of the samples are likelier under"
        " it (limit 30%); if they are the same generator nothing need be registered, else retire"
        " the other first"
    ) in refused(found)


def test_a_model_that_is_taken_for_another_after_jpeg_alone_is_registered_with_a_limit() -> None:
    registered = [model_of(FAR, "far", 32)]
    samples = ONE.samples(60, seed=33)
    found = enrolled(samples_of({**samples.vectors, JPEG: FAR.draw(60, 34)}), registered)
    assert found.model is not None
    rows = {row.condition: row for row in found.report.conditions}
    assert rows[FIRST].nearest_confusion == 0.0
    after = rows[JPEG]
    assert after.nearest_model == "far"
    assert f"{after.nearest_confusion:.0%} likelier under 'far' (at most 30%)" in after.limits
    assert Worst("nearest_confusion", JPEG, after.nearest_confusion) in found.report.worst


def test_a_model_of_another_codec_cannot_be_confused() -> None:
    other = model_of(ONE, "one", 20)
    partial = replace(other, statistics=tuple(s for s in other.statistics if s.condition == JPEG))
    found = enrolled(samples_of({FIRST: ONE.draw(60, 19)}), [partial], name="again")
    assert found.model is not None


@pytest.mark.parametrize("seed", range(8))
def test_photographs_of_one_source_are_refused(seed: int) -> None:
    """Also of one that stands out somewhat further than a usual source does."""
    for far in (1.0, 1.2):
        vectors = photographs_of_one_source(60, 700 + seed)
        vectors += np.float32(far - 1) * vectors.mean(0)
        assert refused(enrolled(samples_of({FIRST: vectors})))


def test_photographs_with_one_palette_are_refused_by_others_of_their_kind() -> None:
    """Those of the cohort that were given a palette lie where the samples do."""
    shift, kind = along(3, 8.0).astype(np.float32), along_kind(7, 6.0)
    space = BACKGROUND.codecs["lossless"]
    given = space.cohort.photographs % 25 == 3  # one photograph of each source
    altered = replace(
        space.cohort,
        vectors=space.cohort.vectors + given[:, None] * shift,
        kinds=space.cohort.kinds + given[:, None] * kind,
    )
    background = replace(BACKGROUND, codecs={"lossless": replace(space, cohort=altered)})
    vectors = np.concatenate([photographs_of_one_source(1, 900 + i) for i in range(60)]) + shift
    samples = samples_of({FIRST: vectors}, kinds_of(60, 5) + kind)
    found = enrol(
        samples,
        registration("palette"),
        background,
        (),
        alpha_name=0.05,
        alpha_source=0.2,
        alpha_alike=0.1,
    )
    assert any(
        reason.startswith("like real photographs of their kind") for reason in refused(found)
    )


def test_pictures_of_no_known_kind_are_refused_and_what_is_odd_is_named() -> None:
    names = (*(f"number {i}" for i in range(13)), "comb", "colours")
    odd = kinds_of(60, 6) + along_kind(13, 40.0)
    found = enrolled(
        replace(samples_of({FIRST: ONE.draw(60, 60)}, odd), kind_names=names), name="odd"
    )
    (reason,) = refused(found)
    assert reason.startswith("pictures of no known kind: 100% of the samples are unlike all")
    assert "comb 39.7 deviations above" in reason


def test_pictures_of_a_kind_of_which_photographs_are_few_give_a_warning() -> None:
    odd = kinds_of(60, 6) + along_kind(13, 17.0)
    found = enrolled(samples_of({FIRST: ONE.draw(60, 60)}, odd), name="odd")
    assert found.model is not None
    (warning,) = found.report.warnings
    assert "of the samples are of a kind of which the bundle knows few photographs" in warning
    assert "number 13" in warning


def along_kind(number: int, far: float) -> Floats:
    """A kind (15,) that is odd in one number."""
    kind = np.zeros(15, np.float32)
    kind[number] = far
    return kind
