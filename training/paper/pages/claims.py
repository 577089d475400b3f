"""The paper's five claims, each answered in one sentence with its number."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from training.paper.networks.component_networks import Component, Kind, receptive_field
from training.paper.pages import attacks, attribution, controls, persistence, realism
from training.paper.pages.baselines import NAMES, baseline
from training.paper.pages.margins import beyond_chance
from training.paper.pages.tables import NOT_MEASURED, accuracy, mean_accuracy, percent
from training.paper.studies.attribution import BASELINES, WIDER
from training.paper.studies.lab import SETUPS, Lab


def claims(lab: Lab) -> list[str]:
    """A line for each claim, in the paper's order."""
    answers: dict[str, Callable[[Lab], str]] = {
        "Existence": _existence,
        "Uniqueness": _uniqueness,
        "Persistence": _persistence,
        "Immunisability": _immunisability,
        "Superiority": _superiority,
    }
    return [f"- **{name}:** {answer(lab)}" for name, answer in answers.items()]


def _said(share: float | None) -> str:
    return NOT_MEASURED if share is None else f"{percent(share)} %"


def _existence(lab: Lab) -> str:
    faces, scenes = (
        mean_accuracy(attribution.networks(lab, name))
        for name in ("architectures", "architectures, scenes")
    )
    return (
        "an image of a generator, or a real one, is given to its source among five in"
        f" {_said(faces)} (faces) and {_said(scenes)} (scenes), chance being 20 %."
    )


def _uniqueness(lab: Lab) -> str:
    seeds, subsets = (
        mean_accuracy(attribution.networks(lab, name)) for name in ("seeds", "shifted subsets")
    )
    return (
        f"ten generators that differ by their training seed alone are told apart, with real faces,"
        f" in {_said(seeds)}, and eleven that differ by their training photographs alone in"
        f" {_said(subsets)}."
    )


def _persistence(lab: Lab) -> str:
    def by(kind: Kind, side: int) -> str:
        return _said(mean_accuracy(persistence.found(lab, "seeds", Component(kind, side))))

    low, band = persistence.ASKED["low"], persistence.ASKED["band"]
    patch = lab.setup_named("seeds").side // 4
    return (
        f"the seeds are told apart in {by('low', low)} by the frequencies up to {low} pixels a"
        f" side, in {by('band', band)} by the one band at {band} pixels, in {by('patch', patch)} by"
        f" patches of {receptive_field(4 * patch, patch)} pixels, and in"
        f" {_said(realism.mean_of(lab, 'most'))} where only the most realistic tenth of the images"
        " is asked."
    )


def _immunisability(lab: Lab) -> str:
    measured = attacks.combined(lab)
    before, after = (
        sum(one.result[moment]["accuracy"] for one in measured) / len(measured)
        if measured
        else None
        for moment in ("before", "after")
    )
    return (
        f"under the combination of attacks {_said(before)} of the seeds' answers are right, and"
        f" {_said(after)} once the network was fine-tuned on attacked images."
    )


def _superiority(lab: Lab) -> str:
    """Against the strongest baseline of each set-up, with the published and the wider grids."""
    above: dict[str, list[str]] = {}
    for grids, methods in (("published", BASELINES), ("wider", (*BASELINES, *WIDER))):
        for name in SETUPS:
            ours = attribution.networks(lab, name)
            known = {NAMES[m]: baseline(lab, name, m) for m in methods}
            theirs = {label: one for label, one in known.items() if one is not None}
            if not ours or len(theirs) < len(methods):
                return f"{NOT_MEASURED}."
            best = max(theirs.values(), key=lambda one: float(one.result["accuracy"]))
            mean = mean_accuracy(ours)
            assert mean is not None
            if mean > best.result["accuracy"] and beyond_chance(ours, best):
                above.setdefault(grids, []).append(name)
    named, wide = (above.get(grids, []) for grids in ("published", "wider"))
    return (
        f"the network is above kNN, Eigenface and PRNU, beyond what chance allows, in"
        f" {len(named)} of {len(SETUPS)} set-ups with the published grids, and in {len(wide)} of"
        f" {len(SETUPS)} with wider ones{_listed(wide)}: where generators leave a pattern in the"
        f" same place of every image, a linear method does as well{_without_places(lab)}."
    )


def _without_places(lab: Lab) -> str:
    """The seeds under the control that takes the places away; nothing where it is not measured."""
    setup = replace(lab.setup_named("seeds"), control="both")
    ours = mean_accuracy(attribution.networks_of(lab, setup))
    theirs = accuracy(controls.baseline(lab, setup, "eigenface-wider"))
    if ours is None or theirs is None:
        return ""
    return (
        f"; where places mean nothing the network knows {_said(ours)} of the seeds' images, and"
        f" Eigenface {_said(theirs)}"
    )


def _listed(names: Sequence[str]) -> str:
    return f" ({'; '.join(names)})" if names else ""
