"""The page of the most realistic tenth: attribution where a generator's failures are fewest."""

from training.paper import published
from training.paper.pages import attribution
from training.paper.pages.baselines import NAMES, baseline
from training.paper.pages.margins import generators_alone
from training.paper.pages.tables import NOT_MEASURED, accuracy, percent, provenance, spread, table
from training.paper.pages.tables import published as paper
from training.paper.studies.attribution import BASELINES
from training.paper.studies.attribution_run import base_run
from training.paper.studies.fingerprints import realism as study
from training.paper.studies.fingerprints.realism import PARTS, SETUP, Part
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measured, Result

GOAL = 0.01
"""Of the most realistic tenth's accuracy from that of all images."""

_BY_EYE = (
    "By eye: above the usual face before a dark ground, but also three or four of twenty that are"
    " hardly faces, dark on dark; below light grounds, blotches and missing hair."
    " None passes for a photograph. So the distance orders the failures in part: its two ends"
    " differ in light and ground as much as in what a person would call realistic."
)
"""What a person said of the small size's sheet."""

_ROWS: dict[Part, str] = {
    "any": "any tenth",
    "most": "**the most realistic tenth**",
    "least": "the least realistic tenth",
}


def networks(lab: Lab) -> list[Measured]:
    """What was measured of the network's training seeds."""
    runs = [base_run(lab, lab.setup_named(SETUP), seed) for seed in range(lab.effort.seeds)]
    found = [lab.results.current(study.network_measurement(lab, run)) for run in runs]
    return [one for one in found if one is not None]


def chosen(lab: Lab) -> Measured | None:
    """How far the tenths lie from photographs."""
    return lab.results.current(study.chosen_measurement(lab, lab.setup_named(SETUP)))


def lead_of_all(lab: Lab) -> float | None:
    """Accuracy on all images less that on the most realistic tenth, mean over training seeds."""
    every, most = mean_of(lab, "all"), mean_of(lab, "most")
    return None if every is None or most is None else every - most


def mean_of(lab: Lab, part: str) -> float | None:
    """Accuracy on a part, mean over training seeds, 0 to 1; None where nothing is measured."""
    known = networks(lab)
    return _mean(known, part) if known else None


def page(lab: Lab, command: str) -> str:
    """The page as Markdown."""
    known, tenths = networks(lab), chosen(lab)
    others = [one for name in BASELINES if (one := _baseline(lab, name)) is not None]
    head = [
        "# The most realistic images",
        "",
        provenance([*known, *others, tenths], command),
        "",
        "Does a network know a generator by its failures?",
        "If so, it would know the images best that look least like photographs.",
        "Of the images of each generator (ten seeds of one architecture, faces) the tenth nearest"
        " to any training photograph, and the tenth farthest from all of them, are attributed by"
        " the networks of [the page of attribution](attribution.md).",
        "",
    ]
    if tenths is None:
        return "\n".join(head)
    return "\n".join(
        [
            *head,
            *_distance(tenths.result),
            *_accuracies(lab, known),
            *_verdict(lab),
            *_ratios(known),
            *_sheet(lab),
            *_limits(tenths.result),
            published.NOTE,
            "",
        ]
    )


def _baseline(lab: Lab, name: str) -> Measured | None:
    return lab.results.current(study.baseline_measurement(lab, lab.setup_named(SETUP), name))


def _mean(known: list[Measured], part: str) -> float:
    return sum(float(one.result[part]["accuracy"]) for one in known) / len(known)


def _distance(result: Result) -> list[str]:
    rows = [
        ["photographs that no generator saw", f"{result['unseen_photographs']:.3f}"],
        ["all images of the generators", f"{result['all']:.3f}"],
        *([_ROWS[part], f"{result[part]:.3f}"] for part in PARTS),
    ]
    return [
        "The distance is a stand-in for the paper's perceptual one"
        " (`training/paper/studies/fingerprints/likeness.py`), to the nearest training photograph:",
        "",
        *table(["images", "mean distance"], rows),
    ]


def _accuracies(lab: Lab, known: list[Measured]) -> list[str]:
    theirs, whole = published.SET_UPS["most realistic"], published.SET_UPS[SETUP]
    usual = [percent(accuracy(baseline(lab, SETUP, name))) for name in BASELINES]
    rows = [
        ["all, test images of the page of attribution", *usual, _usual(lab), ""],
        ["all", *["-"] * len(BASELINES), _spread(known, "all"), _made(known, "all")],
    ]
    for part in PARTS:
        cells = [
            NOT_MEASURED if one is None else percent(one.result[part]["accuracy"])
            for one in (_baseline(lab, name) for name in BASELINES)
        ]
        rows.append([_ROWS[part], *cells, _spread(known, part), _made(known, part)])
    for what, numbers in (("paper, all", whole), ("paper, most realistic", theirs)):
        rows.append([what, *(paper(value) for value in numbers[: published.NETWORK + 1]), ""])
    header = ["images", *(NAMES[name] for name in BASELINES), "network"]
    return [
        "## Accuracy",
        "",
        "In percent, the mean of the sources' own shares; the real class is its test photographs,"
        " the same in every line.",
        "The baselines were asked the tenths alone.",
        "",
        *table([*header, "network, generators alone"], rows),
    ]


def _usual(lab: Lab) -> str:
    return spread([float(one.result["accuracy"]) for one in attribution.networks(lab, SETUP)])


def _spread(known: list[Measured], part: str) -> str:
    return spread([float(one.result[part]["accuracy"]) for one in known])


def _made(known: list[Measured], part: str) -> str:
    return spread([generators_alone(one.result[part]) for one in known])


def _verdict(lab: Lab) -> list[str]:
    lead = lead_of_all(lab)
    if lead is None:
        return []
    known = networks(lab)
    gap = _mean(known, "most") - _mean(known, "least")
    within = "within" if abs(lead) <= GOAL else "**not** within"
    return [
        f"The most realistic tenth is {within} one point of all images"
        f" ({-100 * lead:+.2f} points); from the least realistic to the most realistic tenth the"
        f" accuracy changes by {100 * gap:+.2f} points.",
        "",
    ]


def _ratios(known: list[Measured]) -> list[str]:
    if not known:
        return []
    rows = []
    for part in PARTS:
        values = [float(one.result[part]["fd_ratio"]) for one in known]
        rows.append([_ROWS[part], f"{sum(values) / len(values):.2f}"])
    theirs, whole = published.SET_UPS["most realistic"], published.SET_UPS[SETUP]
    rows.append(["paper, all", paper(whole[published.FINGERPRINT])])
    rows.append(["paper, most realistic", paper(theirs[published.FINGERPRINT])])
    return [
        "## FD ratio of the fingerprints",
        "",
        "A tenth has a tenth of the images, and the ratio grows with their number"
        " ([attribution](attribution.md)): a tenth is to be compared with any tenth, not with all."
        " The paper's two numbers may differ for this reason alone.",
        "",
        *table(["images", "FD ratio"], rows),
    ]


def _sheet(lab: Lab) -> list[str]:
    setup = lab.setup_named(SETUP)
    return [
        "## What was chosen",
        "",
        f"![the most and the least realistic](figures/{study.sheet_of(lab, setup).name})",
        "",
        "Above two rows of the most realistic tenth, below two of the least; a column for each"
        " generator, the first images that it drew of each tenth, none of them picked.",
        *([_BY_EYE] if lab.size == "small" else []),
        "",
    ]


def _limits(result: Result) -> list[str]:
    made = list(result["images"].items())[1:]
    real = result["images"]["real"]
    return [
        "## What this does not show",
        "",
        f"- The tenths are of {made[0][1]:,} test images of each generator; the networks were"
        " trained on all kinds of images. The paper seems to train on its most realistic tenth"
        " too, which was not done here.",
        f"- The real class has {real} photographs, the same in every line: what changes between"
        " lines is the generators' part alone.",
        "- The distance has the images of the generators farther from the training photographs"
        " than other photographs are, as the eye has."
        if result["all"] > result["unseen_photographs"]
        else "- The distance has the images of the generators nearer to the training photographs"
        " than other photographs are: it asks how usual an image is rather than how real, and does"
        " not see what the eye sees.",
        "",
    ]
