"""A verdict in plain words: what was found, how often that is wrong, and what it does not say."""

import math

from worker.explain.explanation import Explanation, Measured
from worker.explain.held import Held

HEADLINES = {
    "attributed": "Attributed",
    "unknown_generator": "Made, by a generator that is not named",
    "undetermined": "Undetermined",
    "no_evidence": "No evidence",
}

REASONS = {
    "too_small": "A side is shorter than 24 pixels, too short to be read.",
    "flat_or_saturated": "No part of the picture carries evidence: it is flat or clipped.",
    "transparent": "The picture is not wholly opaque, and what is opaque has too few pixels.",
    "greyscale": "The picture has no colour, and half of the evidence is in the colour.",
    "jpeg_quality_too_low": "The picture is, or was before, a JPEG of so low a quality that too"
    " little is left to decide.",
    "registry_never_loaded": "No copy of the registry could be had, so that nothing is compared.",
    "registry_stale": "The copy of the registry is too old to decide by.",
    "calibration_too_small": "Too few real photographs of this codec and size stand behind the"
    " test of registered generators, so that no level can be held.",
    "unfamiliar_picture": "The picture is of a kind, or a JPEG of a quality, that the calibration's"
    " photographs do not show, so that a comparison with them says less.",
    "usual_for_its_kind": "Few real photographs score as high, but among those most like this"
    " picture in sharpness and noise some do: for a picture of its kind the score is usual.",
    "real_test_not_passed": "Neither a registered generator nor the test with nothing registered"
    " tells this picture from real photographs.",
    "generic_test": "No registered generator explains this picture; the test with nothing"
    " registered tells it from real photographs all the same.",
    "best_not_typical": "Registered generators explain this picture better than photographs are"
    " explained, but it is not typical of the likeliest of them.",
    "best_not_passed": "Registered generators explain this picture, but the likeliest of them"
    " alone does not pass the level.",
    "models_tie": "Generators of different families explain this picture too equally to name one.",
    "models_of_one_family_tie": "Generators of one family explain this picture too equally to name"
    " one of them; the family stands.",
    "provisional_model": "The likeliest generator rests on few samples, so that its family alone is"
    " named.",
    "model_accepts": "One registered generator explains this picture, the picture is typical of"
    " it, and it leads all others.",
    "shadow_match": "A generator on trial (shadow) would explain it too; it decides nothing.",
}
"""One for each reason that the decision gives."""

NOT_SAID = (
    "A p-value is not the probability that the picture is real. It says how many real photographs"
    " score as high; how many of the pictures that you see are made, it does not know.",
    "The rates hold for photographs like those of the calibration. Of another kind of picture, and"
    " of a camera or an editor that was never seen, more may pass: the rate by source says how"
    " much more was measured.",
    "No evidence is not proof of a photograph. A generator that is not registered, heavy"
    " compression, or a small picture can leave nothing to find.",
    "A name says which registered generator explains the picture best. A sibling of it that is not"
    " registered may be taken for it; who used it, when, and on what, no pixel says.",
    "The verdict is about the pixels that were read, as a whole. Whether one part was inserted or"
    " repainted was not asked; parts that disagree are a reason to look, not a finding.",
    "The residual and the spectrum are drawn for the eye. What decided are the block statistics"
    " and the registry; a peak that is seen, or not seen, overrules nothing.",
)


def headline(explanation: Explanation) -> str:
    """The outcome in a few words, with the name or the family where there is one."""
    verdict = explanation.verdict
    words = HEADLINES[verdict.outcome]
    if verdict.outcome == "attributed":
        return f"{words} to {verdict.model}"
    if verdict.family is not None:
        return f"Made, by a generator of the family {verdict.family}"
    return words


def reasons(explanation: Explanation) -> tuple[str, ...]:
    """A sentence for each reason of the verdict; one that is not known is given as it is."""
    found = []
    for reason in explanation.verdict.reasons:
        name, _, model = reason.partition(":")
        words = REASONS.get(name, reason)
        found.append(f"{words} ({model})" if model else words)
    return tuple(found)


def rates(explanation: Explanation) -> tuple[tuple[str, str], ...]:
    """Both rates of the test that decided, by photograph and by source, each with its limits."""
    measured, test = explanation.measured, explanation.verdict.name_test
    if measured is None or test is None:
        return ()
    held = measured.names if measured.by_name else measured.generic
    policy = explanation.policy
    alpha = policy.alpha_name if measured.by_name else policy.alpha_unknown
    bound, unseen, worst = _stated(explanation, measured)
    like = "" if measured.by_name else _names_not_passed(measured)
    which = "registered generators" if measured.by_name else "nothing registered"
    like += (
        f"In the test with {which}, {as_high(held)} score at least as high as this picture"
        f" (p = {held.p_value:.2g}). The level is {alpha:.2g}: it lets at"
        f" most about one photograph in {1 / alpha:,.0f} pass by chance; with 95\u00a0% confidence"
        f" the rate is below {percent(bound)}. Both tests together let at most"
        f" {percent(policy.alpha_name + policy.alpha_unknown)} pass."
    )
    never = (
        f"Of the source that scores highest, {percent(held.standing.worst_share)} of the"
        f" photographs score as high; at most {percent(policy.alpha_source)} may."
    )
    if held.standing.alike_p_value > 0:
        allowed = percent(max(alpha, policy.alpha_alike))
        like += (
            " Among the photographs most like the picture in sharpness and noise"
            f" p = {held.standing.alike_p_value:.2g}; at most {allowed} is allowed."
        )
    if unseen is not None:
        never += (
            f" Where a source's own photographs calibrate nothing, {percent(unseen)} of them pass"
            " on average over the sources"
        )
        never += f", and {percent(worst)} of the worst one's." if worst is not None else "."
    if measured.by_name:
        least = 1 / (test.source_count + 1)
        never += (
            f" With one vote a source p = {test.source_p_value:.2g}; {test.source_count} sources"
            f" allow no less than {least:.2g}."
        )
    return (("photographs like those of the calibration", like), ("a source never seen", never))


def _names_not_passed(measured: Measured) -> str:
    held = measured.names
    if measured.likeliest is None:
        return "No registered generator could be asked. "
    if held.score == -math.inf:
        return (
            "The picture lies beyond the reach of every registered generator, so that none of them"
            " is asked further. "
        )
    return (
        f"In the test with registered generators, {as_high(held)} score at least as high"
        f" (p = {held.p_value:.2g}): not passed. "
    )


def _stated(
    explanation: Explanation, measured: Measured
) -> tuple[float, float | None, float | None]:
    """The bound by photograph, and the rates where a source calibrates nothing: mean and worst."""
    verdict = explanation.verdict
    assert verdict.name_test is not None
    assert verdict.real_test is not None
    if measured.by_name:
        test = verdict.name_test
        return measured.name_bound, test.unseen_source_rate, test.unseen_source_worst
    return verdict.real_test.false_positive_bound, verdict.real_test.false_positive_rate, None


def as_high(held: Held) -> str:
    """How many of the photographs score as high: 3 of 840 photographs."""
    number = held.standing.p_value * (held.count + 1) - 1
    shown = f"{number:.0f}" if abs(number - round(number)) < 1e-6 else f"{number:.1f}"
    return f"{shown} of {held.count:,} photographs"


def told_photographs(held: Held) -> str:
    """How many there are, and whose: 840 photographs, 40 of them your own."""
    words = f"{held.count:,} photographs"
    if held.alone:
        return f"{words}, all of them your own"
    if held.own:
        return f"{words}, {held.own:,} of them your own"
    return f"{words} of {held.sources} sources"


def percent(share: float) -> str:
    """A share with two digits that count: 0.21 %, 4.5 %, 12 %; the space does not break."""
    value = 100 * share
    digits = f"{value:.0f}" if value >= 9.95 or value == 0 else f"{max(value, 0.001):.2g}"
    return f"{digits}\u00a0%"
