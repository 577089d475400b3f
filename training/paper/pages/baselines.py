"""What was measured of the baselines, which is the best, and what they chose from."""

from collections.abc import Sequence

from training.paper.baselines import eigenface, knn, prnu
from training.paper.pages.tables import table
from training.paper.studies.attribution import BASELINES, WIDER, baseline_measurement
from training.paper.studies.lab import SETUPS, Lab
from training.paper.studies.measured import Measured

NAMES = {
    "knn": "kNN",
    "eigenface": "Eigenface",
    "prnu": "PRNU",
    "eigenface-wider": "Eigenface, wider grid",
    "prnu-wider": "PRNU, wider grid",
}


def baseline(lab: Lab, setup_name: str, method: str) -> Measured | None:
    """What was measured of a baseline in a set-up."""
    return lab.results.current(baseline_measurement(lab, lab.setup_named(setup_name), method))


def best_baseline(lab: Lab, name: str) -> tuple[str, Measured] | None:
    """The name and the measurement of the strongest; None until all are measured."""
    found = {NAMES[method]: baseline(lab, name, method) for method in BASELINES}
    known = {label: one for label, one in found.items() if one is not None}
    if len(known) < len(BASELINES):
        return None
    label = max(known, key=lambda key: float(known[key].result["accuracy"]))
    return label, known[label]


def settings(lab: Lab) -> list[str]:
    """What the baselines chose, and from what."""
    rows = []
    for name in SETUPS:
        for method in (*BASELINES, *WIDER):
            measured = baseline(lab, name, method)
            if measured is not None:
                chosen = measured.result["settings"]
                rows.append(
                    [name, NAMES[method], ", ".join(f"{k} {v:g}" for k, v in chosen.items())]
                )
    return [
        "The baselines chose their settings on the validation images:",
        "",
        *table(["set-up", "baseline", "chosen"], rows),
        "The grids are those of the GANDCT analysis, as numbers of neighbours"
        f" {_listed(knn.NEIGHBOURS)} for kNN; shares of variance {_listed(eigenface.VARIANCES)}"
        f" and C {_listed(eigenface.COSTS)} for Eigenface, compared on {eigenface.SEARCHED}"
        f" images of a source; levels {_listed(prnu.LEVELS)} and every second sigma,"
        f" {_listed(prnu.SIGMAS)}, for PRNU, compared on {prnu.SEARCHED}.",
        "The wider grids go on beyond their edges: shares of variance"
        f" {_listed(eigenface.WIDER_VARIANCES)} of at most {eigenface.COMPONENTS} components"
        f" and C {_listed(eigenface.WIDER_COSTS)}; sigma {_listed(prnu.WIDER_SIGMAS)}.",
        "",
    ]


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
