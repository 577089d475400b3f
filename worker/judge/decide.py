"""The decision: what was measured, and the policy, to an outcome with its reasons. Pure.

The order is fixed (each step ends the decision):

1. the image cannot be judged, or the registry copy is missing or too old (`before_extraction`),
   or too few photographs stand behind its bin -> undetermined
2. the test against real photos is not passed at alpha -> no_evidence
3. the best live model accepts the image and leads by the margin -> attributed
4. else -> unknown_generator; where only models of one family tie, that family is named

The registry is asked before the real test: a verdict from a stale registry must not look clean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.decoder.decode import ImageFacts
from worker.events.records import Outcome
from worker.judge.attribute import Match
from worker.judge.policy import Policy


@dataclass(frozen=True, slots=True)
class RegistryState:
    """What the decision needs to know of the registry copy; `age_s` is None if never loaded."""

    age_s: float | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the stages measured of one image that could be fingerprinted.

    `calibration_count` is how many distinct real photographs stand behind `p_value`.
    """

    p_value: float
    calibration_count: int
    matches: Sequence[Match]


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
    if facts.jpeg_quality is not None and facts.jpeg_quality < policy.minimum_jpeg_quality:
        reasons.append("jpeg_quality_too_low")
    if registry.age_s is None:
        reasons.append("registry_never_loaded")
    elif registry.age_s > policy.maximum_registry_age_s:
        reasons.append("registry_stale")
    return Decision("undetermined", tuple(reasons)) if reasons else None


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """The rest of the module's order, for an image that has evidence."""
    if evidence.calibration_count + 1 < 1 / policy.alpha:
        return Decision("undetermined", ("calibration_too_small",))
    if evidence.p_value > policy.alpha:
        return Decision("no_evidence", ("real_test_not_passed",))
    accepted = [match for match in evidence.matches if match.accepted]
    live = [match for match in accepted if match.model.status == "live"]
    shadow = tuple(
        f"shadow_match:{match.model.model_id}"
        for match in accepted
        if match.model.status == "shadow"
    )
    if not live:
        return Decision("unknown_generator", ("no_model_accepts", *shadow))
    best = live[0]
    rivals = [m for m in live[1:] if best.similarity - m.similarity < policy.minimum_margin]
    if any(rival.model.family != best.model.family for rival in rivals):
        return Decision("unknown_generator", ("models_tie", *shadow))
    if rivals:
        return Decision(
            "unknown_generator", ("models_of_one_family_tie", *shadow), family=best.model.family
        )
    if best.model.sample_count < policy.minimum_samples_to_name:
        return Decision(
            "unknown_generator", ("provisional_model", *shadow), family=best.model.family
        )
    return Decision("attributed", ("model_accepts", *shadow), match=best, family=best.model.family)
