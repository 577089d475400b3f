"""When nothing is decided: a registry that is stale or missing, images that say too little."""

import pytest

from tests.worker.extractor.tiny_bundle import (
    jpeg_in_png,
    made_png,
    real_jpeg,
    real_png,
)
from tests.worker.judge.judging import FILES, Bench, items, judged, verdicts
from worker.judge.policy import load_policy
from worker.registry.view import RegistryView


def test_a_stale_registry_gives_undetermined_and_never_no_evidence(bench: Bench) -> None:
    fresh = verdicts(bench, *FILES, age_s=60.0)
    assert "no_evidence" in {v.outcome for v in fresh}
    for verdict in verdicts(bench, *FILES, age_s=60.5):
        assert (verdict.outcome, verdict.reasons) == ("undetermined", ("registry_stale",))
        assert not verdict.flagged
        assert (verdict.registry_revision, verdict.registry_age_s) == (2, 60.5)


def test_a_registry_that_was_never_loaded_gives_undetermined(bench: Bench) -> None:
    results = bench.pipeline().judge(items(*FILES), RegistryView(None, 0.0))
    assert len(results) == len(FILES)
    for result in results:
        verdict = judged(result).verdict
        assert (verdict.outcome, verdict.reasons) == ("undetermined", ("registry_never_loaded",))
        assert (verdict.registry_revision, verdict.registry_root) == (None, None)
        assert verdict.registry_age_s is None
        assert judged(result).fingerprint is None


def test_an_empty_registry_is_valid_since_the_generic_test_needs_no_model(bench: Bench) -> None:
    empty = Bench(bench.bundle, bench.extractor)
    assert [v.outcome for v in verdicts(empty, *FILES)] == [
        "no_evidence",
        "unknown_generator",
        "unknown_generator",
        "no_evidence",
    ]


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        (real_png(16, 23), ("too_small",)),
        (made_png("checks", 16, 20), ("too_small",)),
        (real_jpeg(17, 29), ("jpeg_quality_too_low",)),
        (real_jpeg(17, 10, 20), ("too_small", "jpeg_quality_too_low")),
    ],
)
def test_an_image_that_says_too_little_is_undetermined(
    data: bytes, reasons: tuple[str, ...], bench: Bench
) -> None:
    (verdict,) = verdicts(bench, data)
    assert (verdict.outcome, verdict.reasons) == ("undetermined", reasons)
    assert verdict.real_test is None
    assert verdict.name_test is None
    assert verdict.evidence is None
    assert verdict.candidates == ()
    assert verdict.crop_agreement is None


@pytest.mark.parametrize("quality", [10, 20, 28])
def test_a_jpeg_of_too_low_a_quality_says_as_little_when_it_is_saved_as_png(
    quality: int, bench: Bench
) -> None:
    """Its quality is told, and nothing that could be pooled, followed or calibrated by."""
    (result,) = bench.pipeline().judge(items(jpeg_in_png(17, quality)), bench.view())
    found = judged(result)
    verdict = found.verdict
    assert (verdict.outcome, verdict.reasons) == ("undetermined", ("jpeg_quality_too_low",))
    assert not verdict.flagged
    assert verdict.image.jpeg_quality is None
    assert verdict.evidence is not None
    assert verdict.evidence.earlier_jpeg_quality == quality
    assert verdict.evidence.blocks == {}
    assert (verdict.real_test, verdict.name_test, verdict.candidates) == (None, None, ())
    assert (found.fingerprint, found.alert) == (None, None)


def test_a_jpeg_of_a_quality_that_is_enough_is_judged_when_it_is_saved_as_png(bench: Bench) -> None:
    (verdict,) = verdicts(bench, jpeg_in_png(17, 30))
    assert verdict.reasons != ("jpeg_quality_too_low",)
    assert verdict.evidence is not None
    assert verdict.evidence.earlier_jpeg_quality == 30
    assert verdict.real_test is not None


def test_a_level_that_the_calibration_cannot_reach_is_undetermined(bench: Bench) -> None:
    policy = load_policy().model_copy(update={"alpha_name": 0.001})
    (result,) = bench.pipeline(policy).judge(items(made_png("checks", 18)), bench.view())
    verdict = judged(result).verdict
    assert (verdict.outcome, verdict.reasons) == ("undetermined", ("calibration_too_small",))
    assert verdict.evidence is not None
    assert verdict.evidence.blocks == {}
