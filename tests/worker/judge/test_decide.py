"""The decision: its fixed order, every branch, and that nothing but its arguments enters it."""

from collections.abc import Sequence

import numpy as np
import pytest

from fingerprint_db.matching.levels import Level, Standing
from fingerprint_db.matching.photographs import PhotographScores, SourceScores, by_source
from fingerprint_db.model_fingerprint import Status
from tests.fingerprint_db.matching.small_spaces import CONSTANTS, entry, mean_of, model, small_space
from worker.decoder.decode import ImageFacts
from worker.judge.attribute import Match, NameFindings, ReadingFindings
from worker.judge.decide import Decision, Evidence, RegistryState, before_extraction, decide
from worker.judge.policy import Policy

POLICY = Policy(
    alpha_name=0.01,
    alpha_unknown=0.005,
    alpha_source=0.1,
    minimum_jpeg_quality=30,
    maximum_registry_age_s=60.0,
    candidates_shown=3,
    flag=("attributed", "unknown_generator"),
)
FRESH = RegistryState(0.5)
PASSING, FAILING = Standing(0.004, 0.05), Standing(0.3, 0.4)
NEAR, FAR = 1.0, CONSTANTS.unfamiliar_distance + 0.1
ENTRY = entry(small_space(), mean_of(1), "lossless")


def facts(jpeg_quality: int | None = None) -> ImageFacts:
    if jpeg_quality is None:
        return ImageFacts("0" * 64, 9, "png", 64, 64, None, False, False, "0" * 64)
    return ImageFacts("0" * 64, 9, "jpeg", 64, 64, jpeg_quality, True, False, "0" * 64)


def match(
    name: str,
    likelihood: float = -50.0,
    *,
    typical: bool = True,
    standing: Standing = PASSING,
    status: Status = "live",
    family: str | None = None,
    samples: int = 60,
    score: float = 8.0,
) -> Match:
    made = model(name, ENTRY, status=status, family=family, samples=samples)
    return Match(made, "lossless", score, 4.0, 8.0, 50, typical, likelihood, None, standing)


def level(count: int) -> Level:
    """The photographs of a size class; only their number matters to the decision."""
    scores, numbers = np.zeros(count, np.float32), np.arange(count)
    return Level(
        PhotographScores.of(scores, numbers),
        by_source(scores, numbers % 9, numbers),
        SourceScores.of(scores, numbers, numbers % 9),
    )


def evidence(
    *matches: Match,
    names: Standing = PASSING,
    generic: Standing = FAILING,
    unfamiliarity: float = NEAR,
    count: int = 600,
    earlier_quality: int | None = None,
) -> Evidence:
    """Of a file that is read in one space."""
    only = ReadingFindings("jpeg75", matches, None, 8.0)
    found = NameFindings(names, 0.1, level(count), (only,))
    return Evidence(found, generic, unfamiliarity, earlier_quality)


def decided(
    *matches: Match,
    names: Standing = PASSING,
    generic: Standing = FAILING,
    unfamiliarity: float = NEAR,
    count: int = 600,
) -> Decision:
    given = evidence(
        *matches, names=names, generic=generic, unfamiliarity=unfamiliarity, count=count
    )
    return decide(given, POLICY, CONSTANTS)


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


def test_a_jpeg_of_too_low_a_quality_decides_nothing_in_a_lossless_file_either() -> None:
    low = evidence(match("one"), generic=PASSING, unfamiliarity=FAR, count=9, earlier_quality=29)
    assert decide(low, POLICY, CONSTANTS) == Decision("undetermined", ("jpeg_quality_too_low",))
    least = evidence(match("one"), earlier_quality=30)
    assert decide(least, POLICY, CONSTANTS).outcome == "attributed"


def test_too_few_photographs_decide_nothing_however_strong_the_evidence() -> None:
    """With n photographs no p-value is below 1/(n + 1); 99 are the fewest for a level of 0.01."""
    few = decided(match("one"), generic=PASSING, count=98)
    assert few == Decision("undetermined", ("calibration_too_small",))
    assert decided(match("one"), count=99).outcome == "attributed"


def test_names_come_first_and_need_no_generic_test() -> None:
    best = match("one")
    for generic in (PASSING, FAILING):
        found = decided(best, match("two", -56.1), generic=generic)
        assert found == Decision("attributed", ("model_accepts",), best, "one")


def test_what_no_test_tells_from_photographs_is_no_evidence() -> None:
    nothing = Decision("no_evidence", ("real_test_not_passed",))
    assert decided(match("one"), names=FAILING) == nothing
    assert decided(names=Standing(1.0, 1.0)) == nothing


def test_the_generic_test_finds_generators_that_nobody_registered() -> None:
    found = Decision("unknown_generator", ("generic_test",))
    assert decided(names=FAILING, generic=PASSING) == found
    assert decided(match("one"), names=FAILING, generic=PASSING) == found


@pytest.mark.parametrize(
    ("standing", "outcome"),
    [
        (Standing(0.01, 0.1), "attributed"),
        (Standing(0.0101, 0.0), "no_evidence"),
        (Standing(0.001, 0.101), "no_evidence"),
    ],
)
def test_names_pass_both_levels_or_not_at_all(standing: Standing, outcome: str) -> None:
    """By photograph at alpha_name, and in the worst source at alpha_source; equal is enough."""
    assert decided(match("one"), names=standing).outcome == outcome


@pytest.mark.parametrize(
    ("standing", "outcome"),
    [
        (Standing(0.005, 0.1), "unknown_generator"),
        (Standing(0.0051, 0.0), "no_evidence"),
        (Standing(0.001, 0.101), "no_evidence"),
    ],
)
def test_the_generic_test_passes_both_of_its_levels_or_not_at_all(
    standing: Standing, outcome: str
) -> None:
    assert decided(names=FAILING, generic=standing).outcome == outcome


@pytest.mark.parametrize("alike", [0.021, 0.5])
def test_what_is_usual_for_its_kind_is_undetermined_by_either_test(alike: float) -> None:
    usual = Decision("undetermined", ("usual_for_its_kind",))
    assert decided(match("one"), names=Standing(0.001, 0.0, alike)) == usual
    assert decided(names=FAILING, generic=Standing(0.001, 0.0, alike)) == usual
    assert decided(match("one"), names=Standing(0.001, 0.0, 0.02)).outcome == "attributed"
    generic = decided(names=FAILING, generic=Standing(0.001, 0.0, 0.02))
    assert generic.outcome == "unknown_generator"
    strange = decided(match("one"), names=Standing(0.001, 0.0, alike), unfamiliarity=FAR)
    assert strange.reasons == ("usual_for_its_kind", "unfamiliar_picture")


def test_the_likeliest_live_model_is_named_only_where_the_image_is_typical_of_it() -> None:
    odd = match("one", -40.0, typical=False)
    assert decided(odd, match("two", -50.0)) == Decision("unknown_generator", ("best_not_typical",))


def test_the_likeliest_live_model_is_named_only_where_its_own_score_passes() -> None:
    """Another one's may be the highest."""
    for own in (Standing(0.011, 0.0), Standing(0.001, 0.2)):
        found = decided(match("one", -40.0, standing=own), match("two", -50.0))
        assert found == Decision("unknown_generator", ("best_not_passed",))


def test_models_of_different_families_that_tie_name_nothing() -> None:
    assert decided(match("one"), match("two", -55.9)) == Decision(
        "unknown_generator", ("models_tie",)
    )
    odd = match("two", -55.9, typical=False)
    assert decided(match("one"), odd).reasons == ("models_tie",)


def test_models_of_one_family_that_tie_name_the_family() -> None:
    tied = match("one", family="gan"), match("two", -55.9, family="gan")
    assert decided(*tied) == Decision(
        "unknown_generator", ("models_of_one_family_tie",), family="gan"
    )
    assert decided(*tied, match("three", -55.95)).reasons == ("models_tie",)
    assert decided(*tied, match("three", -56.5)).reasons == ("models_of_one_family_tie",)


def test_a_lead_equal_to_the_margin_is_enough() -> None:
    assert decided(match("one"), match("two", -50.0 - CONSTANTS.margin)).outcome == "attributed"


def test_a_model_of_few_samples_names_its_family_only() -> None:
    assert decided(match("one", samples=39)) == Decision(
        "unknown_generator", ("provisional_model",), family="one"
    )
    assert decided(match("one", samples=40)).outcome == "attributed"


def test_how_many_samples_name_a_model_is_the_policy_s_to_say_and_in_its_digest() -> None:
    strict = POLICY.model_copy(update={"minimum_samples_to_name": 61})
    found = decide(evidence(match("one", samples=60)), strict, CONSTANTS)
    assert found.reasons == ("provisional_model",)
    assert POLICY.minimum_samples_to_name == 40
    assert strict.digest != POLICY.digest


def test_that_names_pass_without_a_live_model_names_nothing() -> None:
    assert decided() == Decision("unknown_generator", ("best_not_typical",))


# Two readings of a lossless file ----------------------------------------------------------------


def read_twice(
    shown: Sequence[Match], further: Sequence[Match], highest: tuple[float, float] = (8.0, 8.0)
) -> Decision:
    """The decision on a file that is read as it is, and as halved."""
    readings = (
        ReadingFindings("lossless", tuple(shown), None, highest[0]),
        ReadingFindings("half_lossless", tuple(further), None, highest[1]),
    )
    found = NameFindings(PASSING, 0.1, level(99), readings)
    return decide(Evidence(found, FAILING, NEAR, None), POLICY, CONSTANTS)


NO_NAMES = [
    (),
    (match("odd", typical=False),),
    (match("weak", standing=FAILING),),
    (match("tied"), match("other", -50.5)),
    (match("few", samples=39),),
]


@pytest.mark.parametrize("silent", NO_NAMES)
@pytest.mark.parametrize("highest", [(9.0, 1.0), (1.0, 9.0)])
def test_a_name_is_given_by_whichever_reading_names(
    silent: tuple[Match, ...], highest: tuple[float, float]
) -> None:
    """Whatever the other says, and in whichever of them a generator stands out most."""
    best = match("one")
    expected = Decision("attributed", ("model_accepts",), best, "one")
    assert read_twice([best], silent, highest) == expected
    assert read_twice(silent, [best], highest) == expected


@pytest.mark.parametrize(
    ("shown", "further", "named"), [(8.0, 3.0, "shown"), (5.0, 5.0, "shown"), (3.0, 8.0, "halved")]
)
def test_of_two_readings_that_name_the_one_decides_in_which_its_model_scores_higher(
    shown: float, further: float, named: str
) -> None:
    found = read_twice([match("shown", score=shown)], [match("halved", score=further)])
    assert found.outcome == "attributed"
    assert found.match is not None
    assert (found.match.model.model_id, found.family) == (named, named)


def test_where_no_reading_names_the_one_says_why_in_which_a_generator_stands_out_most() -> None:
    odd, weak = [match("odd", typical=False)], [match("weak", standing=FAILING)]
    assert read_twice(odd, weak, (9.0, 1.0)).reasons == ("best_not_typical",)
    assert read_twice(odd, weak, (1.0, 9.0)).reasons == ("best_not_passed",)
    assert read_twice(odd, weak, (5.0, 5.0)).reasons == ("best_not_typical",), "as it is"


def test_a_shadow_of_either_reading_is_told_once() -> None:
    watched = match("watched", -9.0, status="shadow")
    note = "shadow_match:watched"
    assert read_twice([match("one"), watched], []).reasons == ("model_accepts", note)
    assert read_twice([match("one")], [watched]).reasons == ("model_accepts", note)
    assert read_twice([match("one"), watched], [watched]).reasons == ("model_accepts", note)


# Unfamiliar pictures ----------------------------------------------------------------------------


def test_what_only_the_generic_test_finds_is_undetermined_where_the_picture_is_unfamiliar() -> None:
    found = decided(match("one"), names=FAILING, generic=PASSING, unfamiliarity=FAR)
    assert found == Decision("undetermined", ("unfamiliar_picture",))
    at_limit = CONSTANTS.unfamiliar_distance
    assert decided(names=FAILING, generic=PASSING, unfamiliarity=at_limit).reasons == (
        "generic_test",
    )
    among_few = decided(names=FAILING, generic=PASSING, unfamiliarity=float("inf"))
    assert among_few.outcome == "undetermined"


def test_an_unfamiliar_picture_is_not_named_either() -> None:
    doubtful = Decision("undetermined", ("unfamiliar_picture",))
    assert decided(match("one"), unfamiliarity=FAR) == doubtful
    assert decided(match("one"), match("two", -51.0), unfamiliarity=FAR) == doubtful
    at_limit = CONSTANTS.unfamiliar_distance
    assert decided(match("one"), unfamiliarity=at_limit).outcome == "attributed"


def test_an_unfamiliar_picture_without_evidence_stays_without() -> None:
    found = decided(match("one"), names=FAILING, unfamiliarity=FAR)
    assert found == Decision("no_evidence", ("real_test_not_passed",))


# Shadows ----------------------------------------------------------------------------------------


def test_a_shadow_model_is_told_whatever_the_outcome_and_never_named() -> None:
    shadow = match("watched", -9.0, status="shadow")
    note = "shadow_match:watched"
    live = match("one")
    assert decided(shadow, live) == Decision("attributed", ("model_accepts", note), live, "one")
    assert decided(shadow, names=FAILING).reasons == ("real_test_not_passed", note)
    assert decided(shadow, names=FAILING, generic=PASSING).reasons == ("generic_test", note)
    assert decided(shadow, live, unfamiliarity=FAR).reasons == ("unfamiliar_picture", note)


@pytest.mark.parametrize(
    "shadow",
    [
        match("watched", status="shadow", typical=False),
        match("watched", status="shadow", standing=FAILING),
    ],
)
def test_a_shadow_model_that_would_not_have_passed_is_not_told(shadow: Match) -> None:
    assert decided(match("one"), shadow).reasons == ("model_accepts",)


def test_a_shadow_model_never_ties_with_a_live_one() -> None:
    found = decided(match("one"), match("watched", -50.1, status="shadow"))
    assert found.outcome == "attributed"


def test_the_same_evidence_gives_the_same_decision() -> None:
    given = evidence(match("one"), match("two", -51.0), match("watched", -9.0, status="shadow"))
    assert decide(given, POLICY, CONSTANTS) == decide(given, POLICY, CONSTANTS)
