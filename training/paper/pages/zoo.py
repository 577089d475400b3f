"""The page of the generators: samples, quality, and how long each was trained."""

import math

from training.paper.pages.tables import provenance, table
from training.paper.studies.lab import SETUPS, Lab
from training.paper.studies.measured import Measured
from training.paper.studies.zoo import COMPARED, measurements, sheet_of


def found(lab: Lab, setup_name: str) -> Measured | None:
    """What was measured of a set-up's generators."""
    (quality,) = measurements(lab, lab.setup_named(setup_name))
    return lab.results.current(quality)


def page(lab: Lab, command: str) -> str:
    """The page as Markdown."""
    header = ["generator", "distance", "authentic", "parameters", "iterations", "minutes", "date"]
    lines = [
        "# The generators",
        "",
        provenance([found(lab, name) for name in SETUPS], command),
        "",
        "Each generator was trained by this project on the training photographs only;"
        " the recipes and their deviations from the papers stand in `training/zoo`.",
        f"Distance: Fréchet distance of {COMPARED} images from the training photographs, in the"
        " features of a fixed random network that stand in for Inception's"
        " (`training/paper/studies/reference_features.py`); smaller is better.",
        "It is given in multiples of the distance of as many photographs that no generator saw,"
        " and is no FID: mean colour and texture rule it, and it need not follow the eye (of the"
        " small size's faces CramerGAN's, gridded and coarse, look worse than SNGAN's).",
        "Authentic: share of the same images that repeat no training photograph, that is, that lie"
        " farther from the nearest one than it lies from the nearest other one"
        " (`training/paper/studies/authenticity.py`); to be read against the share of photographs"
        " that no"
        " generator saw, which repeat none. Shares that are more than two standard errors below"
        " theirs are marked with *: such a generator probably repeats some of its few photographs"
        " in part.",
        "",
    ]
    for name in SETUPS:
        measured = found(lab, name)
        if measured is None:
            continue
        setup = lab.setup_named(name)
        rows = [
            [
                model,
                f"{facts['distance'] / measured.result['floor']:.1f}",
                _authentic(facts["authentic"], measured.result["authentic"]),
                f"{facts['parameters']:,}",
                f"{facts['iterations']:,}",
                f"{facts['minutes']}",
                str(facts["date"]),
            ]
            for model, facts in measured.result["models"].items()
        ]
        lines += [
            f"## {name.capitalize()}",
            "",
            f"{measured.result['photographs']} training photographs of {setup.side}x{setup.side};"
            f" of unseen ones {measured.result['authentic']:.1%} are authentic.",
            "",
            *table(header, rows),
            f"![samples, a row for each generator](figures/{sheet_of(lab, setup).name})",
            "",
            "Rows from the top: " + ", ".join(measured.result["models"]) + ".",
            "",
        ]
    return "\n".join(lines)


def _authentic(share: float, unseen: float) -> str:
    """With a mark where it lies clearly below that of unseen photographs."""
    error = math.sqrt((share * (1 - share) + unseen * (1 - unseen)) / COMPARED)
    return f"{share:.1%}{' *' if unseen - share > 2 * error else ''}"
