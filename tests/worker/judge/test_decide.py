"""The decision: its fixed order, every branch, and that nothing but its arguments enters it."""

import numpy as np
import pytest

from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint, Status
from tests.fingerprint_db.spaces import SPACE, registration
from worker.decoder.decode import ImageFacts
from worker.judge.attribute import Match
from worker.judge.decide import Decision, Evidence, RegistryState, before_extraction, decide
from worker.judge.policy import Policy

POLICY = Policy(
    alpha=0.005,
    minimum_margin=2.0,
    minimum_jpeg_quality=30,
    maximum_registry_age_s=60.0,
    candidates_shown=3,
    flag=("attributed", "unknown_generator"),
)
FRESH = RegistryState(0.5)


def facts(jpeg_quality: int | None = None) -> ImageFacts:
    if jpeg_quality is None:
        return ImageFacts("0" * 64, 9, "png", 64, 64, None, False, False, "0" * 64)
    return ImageFacts("0" * 64, 9, "jpeg", 64, 64, jpeg_quality, True, False, "0" * 64)


def match(
    name: str,
    similarity: float = 50.0,
    *,
    accepted: bool = True,
    status: Status = "live",
    family: str | None = None,
    samples: int = 60,
) -> Match:
    who = registration(name)
    zeros = np.zeros(2, np.float32), np.zeros((2, 2), np.float32)
    entry = ConditionStatistics("as_received", samples, *zeros, 9.0, samples)
    made = ModelFingerprint(
        name, name, family or name, SPACE, status, (entry,), samples, who.at, who.by, who.reason
    )
    return Match(made, "as_received", similarity, 3.0, 9.0, samples, accepted)


def decided(*matches: Match, p_value: float = 0.001, count: int = 600) -> Decision:
    return decide(Evidence(p_value, count, matches), POLICY)


# Before extraction ------------------------------------------------------------------------------


def test_an_image_without_problems_and_a_fresh_registry_are_worth_extracting() -> None:
    assert before_extraction(facts(), None, FRESH, POLICY) is None
    assert before_extraction(facts(30), None, RegistryState(60.0), POLICY) is None


@pytest.mark.parametrize(
    ("jpeg_quality", "problem", "age_s", "reason"),
    [
        (None, "too_small", 0.0, "too_small"),
        (None, "greyscale", 0.0, "greyscale"),
        (None, "flat_or_saturated", 0.0, "flat_or_saturated"),
        (29, None, 0.0, "jpeg_quality_too_low"),
        (None, None, 60.001, "registry_stale"),
        (None, None, None, "registry_never_loaded"),
    ],
)
def test_what_cannot_be_judged_is_undetermined_for_one_reason(
    jpeg_quality: int | None, problem: str | None, age_s: float | None, reason: str
) -> None:
    found = before_extraction(facts(jpeg_quality), problem, RegistryState(age_s), POLICY)
    assert found == Decision("undetermined", (reason,))


def test_all_reasons_are_given_at_once() -> None:
    found = before_extraction(facts(10), "too_small", RegistryState(None), POLICY)
    assert found is not None
    assert found.reasons == ("too_small", "jpeg_quality_too_low", "registry_never_loaded")


# With evidence ----------------------------------------------------------------------------------


def test_too_few_calibration_photos_decide_nothing_however_strong_the_evidence() -> None:
    """With n photos no p-value is below 1/(n + 1); 199 are the fewest for a level of 0.005."""
    assert decided(match("one"), count=198).reasons == ("calibration_too_small",)
    assert decided(match("one"), count=198).outcome == "undetermined"
    assert decided(match("one"), count=199).outcome == "attributed"


def test_the_real_test_comes_before_attribution() -> None:
    found = decided(match("one"), p_value=0.0051)
    assert found == Decision("no_evidence", ("real_test_not_passed",))


def test_a_p_value_equal_to_alpha_passes() -> None:
    assert decided(match("one"), p_value=1 / 200, count=199).outcome == "attributed"


def test_the_best_accepting_live_model_is_named() -> None:
    best, second = match("one"), match("two", 47.9)
    found = decided(best, second, match("three", 90.0, accepted=False))
    assert found == Decision("attributed", ("model_accepts",), best, "one")


@pytest.mark.parametrize("matches", [(), (match("one", accepted=False),)])
def test_without_an_accepting_model_the_generator_is_unknown(matches: tuple[Match, ...]) -> None:
    assert decided(*matches) == Decision("unknown_generator", ("no_model_accepts",))


def test_models_of_different_families_that_tie_name_nothing() -> None:
    assert decided(match("one"), match("two", 48.1)) == Decision(
        "unknown_generator", ("models_tie",)
    )


def test_models_of_one_family_that_tie_name_the_family() -> None:
    tied = match("one", family="gan"), match("two", 48.1, family="gan")
    assert decided(*tied) == Decision(
        "unknown_generator", ("models_of_one_family_tie",), family="gan"
    )
    assert decided(*tied, match("three", 48.5)).reasons == ("models_tie",)


def test_a_lead_equal_to_the_margin_is_enough() -> None:
    assert decided(match("one"), match("two", 48.0)).outcome == "attributed"


def test_a_model_of_few_samples_names_its_family_only() -> None:
    assert decided(match("one", samples=49)) == Decision(
        "unknown_generator", ("provisional_model",), family="one"
    )
    assert decided(match("one", samples=50)).outcome == "attributed"


def test_how_many_samples_name_a_model_is_the_policy_s_to_say_and_in_its_digest() -> None:
    strict = POLICY.model_copy(update={"minimum_samples_to_name": 61})
    found = decide(Evidence(0.001, 600, (match("one", samples=60),)), strict)
    assert found.reasons == ("provisional_model",)
    assert POLICY.minimum_samples_to_name == 50
    assert strict.digest != POLICY.digest


def test_a_shadow_model_is_reported_and_never_named() -> None:
    shadow = match("watched", 99.0, status="shadow")
    assert decided(shadow) == Decision(
        "unknown_generator", ("no_model_accepts", "shadow_match:watched")
    )
    live = match("one")
    assert decided(shadow, live) == Decision(
        "attributed", ("model_accepts", "shadow_match:watched"), live, "one"
    )


def test_a_shadow_model_never_ties_with_a_live_one() -> None:
    assert decided(match("one"), match("watched", 49.9, status="shadow")).outcome == "attributed"


def test_the_same_evidence_gives_the_same_decision_and_is_left_as_it_was() -> None:
    matches = [match("one"), match("two", 48.5), match("watched", 99.0, status="shadow")]
    before = list(matches)
    evidence = Evidence(0.001, 600, matches)
    assert decide(evidence, POLICY) == decide(evidence, POLICY)
    assert matches == before
