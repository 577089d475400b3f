"""The decision: what was measured, the policy and the bundle's constants, to an outcome. Pure.

The order is fixed (each step ends the decision):

1. the image cannot be judged, or the registry copy is missing or too old (`before_extraction`)
   -> undetermined
2. its pixels tell of a JPEG below the policy's least quality, which says no more in another file
   -> undetermined
3. too few photographs of its codec and size are there for `alpha_name` -> undetermined
4. the highest score of a live model within whose reach the image lies passes `alpha_name`
   -> undetermined where it is usual among the photographs most like the image (`alpha_alike`), or
   where the image is of a kind that the photographs do not show; attributed to the likeliest live
   model where the image is typical of it, its own score passes too, and it leads every other by the
   margin; else unknown_generator, with the family where only models of one family tie, or where the
   model rests on few samples
5. the test with nothing registered passes `alpha_unknown` -> unknown_generator; undetermined where
   its score is usual among the photographs most like the image, and where the picture is of a kind
   that the photographs do not show
6. else -> no_evidence

The registry is asked first: a verdict from a stale registry must not look clean.
"""

from dataclasses import dataclass, replace

from fingerprint_db.background import DecisionConstants
from fingerprint_db.matching.levels import Standing
from worker.decoder.decode import ImageFacts
from worker.events.records import Outcome
from worker.judge.attribute import Match, NameFindings, ReadingFindings
from worker.judge.policy import Policy


@dataclass(frozen=True, slots=True)
class RegistryState:
    """What the decision needs to know of the registry copy; `age_s` is None if never loaded."""

    age_s: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the stages measured of one image that could be fingerprinted.

    `generic` is how the score of the test with nothing registered stands; `unfamiliarity` the
    distance, in deviations, of the picture's kind from the tenth nearest photograph's;
    `earlier_quality` that of a JPEG found in the pixels of a lossless file, None without one.
    """

    names: NameFindings
    generic: Standing
    unfamiliarity: float
    earlier_quality: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, the model or family named, and machine-readable reasons."""

    outcome: Outcome
    reasons: tuple[str, ...]
    match: Match | None = None
    family: str | None = None


def before_extraction(
    facts: ImageFacts, problem: str | None, registry: RegistryState, policy: Policy
) -> Decision | None:
    """Reasons not to decide at all (step 1); None where extraction is worth while."""
    reasons = []
    if problem is not None:
        reasons.append(problem)
    if _too_low(facts.jpeg_quality, policy):
        reasons.append("jpeg_quality_too_low")
    if registry.age_s is None:
        reasons.append("registry_never_loaded")
    elif registry.age_s > policy.maximum_registry_age_s:
        reasons.append("registry_stale")
    return Decision("undetermined", tuple(reasons)) if reasons else None


def decide(evidence: Evidence, policy: Policy, constants: DecisionConstants) -> Decision:
    """The rest of the module's order, for an image that has evidence."""
    if _too_low(evidence.earlier_quality, policy):
        return Decision("undetermined", ("jpeg_quality_too_low",))
    names = evidence.names
    if not names.level.reaches(policy.alpha_name):
        return Decision("undetermined", ("calibration_too_small",))
    unfamiliar = evidence.unfamiliarity > constants.unfamiliar_distance
    if names.standing.passes(policy.alpha_name, policy.alpha_source):
        doubts = _doubts(names.standing, policy.alpha_name, policy, unfamiliar)
        found = doubts or _named(names, policy, constants.margin)
    elif evidence.generic.passes(policy.alpha_unknown, policy.alpha_source):
        doubts = _doubts(evidence.generic, policy.alpha_unknown, policy, unfamiliar)
        found = doubts or Decision("unknown_generator", ("generic_test",))
    else:
        found = Decision("no_evidence", ("real_test_not_passed",))
    return replace(found, reasons=(*found.reasons, *_shadows(names, policy)))


def _doubts(standing: Standing, alpha: float, policy: Policy, unfamiliar: bool) -> Decision | None:
    """Why what passes `alpha` may be the picture's kind and not who made it; None without a doubt.

    Few photographs score as high, but of those as sharp and as noisy as the picture some do; or
    there is hardly any that is like it.
    """
    reasons = []
    if not standing.unusual(alpha, policy.alpha_alike):
        reasons.append("usual_for_its_kind")
    if unfamiliar:
        reasons.append("unfamiliar_picture")
    return Decision("undetermined", tuple(reasons)) if reasons else None


def _too_low(jpeg_quality: int | None, policy: Policy) -> bool:
    return jpeg_quality is not None and jpeg_quality < policy.minimum_jpeg_quality


def _named(names: NameFindings, policy: Policy, margin: float) -> Decision:
    """Which registered generator, of an image that some of them explain (step 4)."""
    answers = {one.codec: _named_in(one, policy, margin) for one in names.readings}
    naming = [one for one in answers.values() if one.match is not None]
    if not naming:
        return answers[names.telling.codec]
    return max(naming, key=_score)


def _score(decision: Decision) -> float:
    """In deviations of photographs: of two readings that name, the one decides that stands out."""
    assert decision.match is not None, "a reading that names nobody"
    return decision.match.score


def _named_in(reading: ReadingFindings, policy: Policy, margin: float) -> Decision:
    """The same by one reading."""
    live = [match for match in reading.ranked if match.model.status == "live"]
    if not live:
        return Decision("unknown_generator", ("best_not_typical",))
    best = live[0]
    if not best.typical:
        return Decision("unknown_generator", ("best_not_typical",))
    if not best.standing.passes(policy.alpha_name, policy.alpha_source):
        return Decision("unknown_generator", ("best_not_passed",))
    family = best.model.family
    rivals = [match for match in live[1:] if best.likelihood - match.likelihood < margin]
    if any(rival.model.family != family for rival in rivals):
        return Decision("unknown_generator", ("models_tie",))
    if rivals:
        return Decision("unknown_generator", ("models_of_one_family_tie",), family=family)
    if best.model.sample_count < policy.minimum_samples_to_name:
        return Decision("unknown_generator", ("provisional_model",), family=family)
    return Decision("attributed", ("model_accepts",), match=best, family=family)


def _shadows(names: NameFindings, policy: Policy) -> tuple[str, ...]:
    """Shadow models that would have passed; they are told and decide nothing."""
    found = (
        f"shadow_match:{match.model.model_id}"
        for reading in names.readings
        for match in reading.ranked
        if match.model.status == "shadow"
        and match.typical
        and match.standing.passes(policy.alpha_name, policy.alpha_source)
    )
    return tuple(dict.fromkeys(found))
