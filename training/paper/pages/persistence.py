"""The page of persistence: accuracy by one part of the images, beside the paper's."""

from collections.abc import Sequence

from training.paper import published
from training.paper.networks.component_networks import Component, Kind, receptive_field
from training.paper.pages import attribution
from training.paper.pages.curves import Curve, Panel, curves
from training.paper.pages.tables import NOT_MEASURED, mean_accuracy, provenance, spread, table
from training.paper.pages.tables import published as paper
from training.paper.studies.fingerprints.persistence import measurement
from training.paper.studies.lab import SETUPS, Lab
from training.paper.studies.measured import Measured

HEADINGS: dict[Kind, str] = {
    "low": "Low frequencies (pre-downsampling)",
    "band": "One band (pre-downsampling residual)",
    "patch": "Patches (post-pooling)",
}
SHORT: dict[Kind, str] = {"low": "low frequencies", "band": "one band", "patch": "patches"}

ASKED: dict[Kind, int] = {"low": 32, "band": 8}
"""The sides at which the seeds are to come as far above chance as in the paper, as a share."""


def found(lab: Lab, name: str, component: Component) -> list[Measured]:
    """What was measured of a component in a set-up, by training seed."""
    setup = lab.setup_named(name)
    seeds = range(lab.effort.seeds)
    all_seeds = [lab.results.current(measurement(lab, setup, component, seed)) for seed in seeds]
    return [one for one in all_seeds if one is not None]


def shares(measured: Sequence[Measured]) -> list[float]:
    """Their accuracies, 0 to 1."""
    return [float(one.result["accuracy"]) for one in measured]


def above_chance(accuracy: float, whole: float, sources: int) -> float:
    """How much of the way from chance to the whole image's accuracy is left, 0 to 1."""
    chance = 1 / sources
    return (accuracy - chance) / (whole - chance)


def range_kept(lab: Lab, kind: Kind, side: int) -> tuple[float | None, float]:
    """`above_chance` of the seeds, faces: ours (None: not measured) and the paper's."""
    ours = mean_accuracy(found(lab, "seeds", Component(kind, side)))
    whole = mean_accuracy(attribution.networks(lab, "seeds"))
    sources = len(lab.setup_named("seeds").sources)
    place = 0 if kind == "low" else 2
    theirs = published.FREQUENCIES[side][place] / 100, published.FREQUENCIES[128][place] / 100
    paper_s = above_chance(*theirs, sources)
    if ours is None or whole is None:
        return None, paper_s
    return above_chance(ours, whole, sources), paper_s


def page(lab: Lab, command: str) -> str:
    """The page as Markdown; draws its figure."""
    steps = lab.effort.component_steps
    every = [Component(kind, side) for kind in steps for side in steps[kind]]
    known = [one for name in SETUPS for component in every for one in found(lab, name, component)]
    _draw(lab)
    return "\n".join(
        [
            "# Persistence over frequencies and patches",
            "",
            provenance(known, command),
            "",
            "How much of an image is needed to tell its source?",
            "Each line is a network of its own that sees nothing else"
            " (`training/paper/networks/component_networks.py`).",
            "Accuracy is the mean of the sources' own shares of right answers, in percent, with"
            " the standard deviation over the training seeds.",
            "In brackets: the paper's for the seeds, CelebA / LSUN bedrooms, at the same side or"
            " patch; its whole image has 128 pixels a side.",
            "",
            "![accuracy over frequencies and patches](figures/persistence.svg)",
            "",
            "The dotted lines mark chance of the seeds; that of five sources is 20.",
            "",
            *(line for kind in steps for line in _section(lab, kind)),
            *_range(lab),
            *_differences(lab),
            published.NOTE,
            "",
        ]
    )


def _section(lab: Lab, kind: Kind) -> list[str]:
    side = lab.setup_named("seeds").side
    patches = kind == "patch"
    header = ["patch, pixels" if patches else "side, pixels", "steps", *SETUPS, "paper, seeds"]
    whole = [_cell(attribution.networks(lab, name)) for name in SETUPS]
    rows = [[f"{side}, the whole image", "", *whole, _paper(kind, 128)]]
    for own, steps in lab.effort.component_steps[kind].items():
        cells = [_cell(found(lab, name, Component(kind, own))) for name in SETUPS]
        size = receptive_field(side, own) if patches else own
        rows.append([str(size), f"{steps:,}", *cells, _paper(kind, size)])
    return [f"## {HEADINGS[kind]}", "", *_meaning(kind, side), "", *table(header, rows)]


def _meaning(kind: Kind, side: int) -> list[str]:
    if kind == "low":
        return [
            "The image halved again and again by a Gaussian pyramid: all frequencies up to the"
            " side's own."
        ]
    if kind == "band":
        return [
            "What one halving takes away: the frequencies between those of a side and those of"
            " half of it, without the colour and light that lie below."
        ]
    return [
        "Every place of the network sees a patch of so many pixels, wherever it lies; the logits"
        " are the mean of the patches' own.",
        f"The patch of the next side is larger than the image of {side} pixels.",
    ]


def _cell(measured: Sequence[Measured]) -> str:
    return spread(shares(measured))


def _paper(kind: Kind, size: int) -> str:
    if kind == "patch":
        faces, scenes = published.PATCHES[size]
    else:
        row = published.FREQUENCIES[size]
        faces, scenes = row[:2] if kind == "low" else row[2:]
    return f"({paper(faces)} / {paper(scenes)})"


def _range(lab: Lab) -> list[str]:
    """The goal: as much of the way from chance to the whole image as in the paper."""
    rows = []
    for kind, side in ASKED.items():
        ours, theirs = range_kept(lab, kind, side)
        reached = NOT_MEASURED if ours is None else "yes" if ours >= theirs else "**no**"
        kept = NOT_MEASURED if ours is None else f"{100 * ours:.1f}"
        rows.append([f"{SHORT[kind]}, {side}", kept, f"{100 * theirs:.1f}", reached])
    return [
        "## What is left of the way from chance to the whole image",
        "",
        "Seeds, faces, in percent of the accuracy above chance that the whole image has.",
        "",
        *table(["network", "ours", "paper", "as much as the paper"], rows),
    ]


def _differences(lab: Lab) -> list[str]:
    side = lab.setup_named("seeds").side
    if side == 128:
        return []
    return [
        "## What differs, and why",
        "",
        f"- The images have {side} pixels a side, so that a side of 32 is one halving here and two"
        " in the paper: beside a line stands the paper's at the same side, not at the same number"
        " of halvings.",
        "- Generators that were trained for minutes leave a pattern in the same place of every"
        " image ([controls](controls.md)). Networks of low frequencies and of bands see places;"
        " those of patches do not.",
        "- The networks are trained for the steps that the tables name, the small ones longer since"
        " theirs are cheap; the whole image's for"
        f" {' or '.join(f'{steps:,}' for steps in _whole_steps(lab))}.",
        "- Networks of patches, and of sides of 4, are short of steps, not of images: they know"
        " hardly more of what they were trained on (training/LOG.md).",
        "- The paper's networks of single bands were not released; ours follow its figure 2.",
        "",
    ]


def _whole_steps(lab: Lab) -> list[int]:
    return sorted({lab.effort.attribution_steps[lab.setup_named(name).which] for name in SETUPS})


def _draw(lab: Lab) -> None:
    panels = []
    for kind in lab.effort.component_steps:
        ours = [Curve(name, _points(lab, kind, name)) for name in SETUPS]
        theirs = _papers(kind)
        axis = "patch, pixels a side" if kind == "patch" else "side, pixels"
        chance = 1 / len(lab.setup_named("seeds").sources)
        panels.append(Panel(HEADINGS[kind], axis, (*ours, *theirs), chance))
    curves(panels, lab.figures / "persistence.svg")


def _points(lab: Lab, kind: Kind, name: str) -> dict[int, list[float]]:
    """By side or patch: the accuracies of the training seeds; the whole image is no band."""
    side = lab.setup_named(name).side
    points = {} if kind == "band" else {side: shares(attribution.networks(lab, name))}
    for own in lab.effort.component_steps[kind]:
        size = receptive_field(side, own) if kind == "patch" else own
        points[size] = shares(found(lab, name, Component(kind, own)))
    return {size: values for size, values in points.items() if values}


def _papers(kind: Kind) -> list[Curve]:
    place = 2 if kind == "band" else 0
    rows: dict[int, tuple[float, ...]] = dict(
        published.PATCHES if kind == "patch" else published.FREQUENCIES
    )
    names = ("paper, seeds, CelebA", "paper, seeds, LSUN")
    return [
        Curve(name, {size: [row[place + i] / 100] for size, row in rows.items()}, published=True)
        for i, name in enumerate(names)
    ]
