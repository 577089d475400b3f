"""The page of the controls: attribution without the cues of colour and place, beside that with."""

from dataclasses import replace

from training.paper import published
from training.paper.controls import CONTROLS, SHIFT, Control
from training.paper.images import SetUp
from training.paper.pages.attribution import networks_of
from training.paper.pages.baselines import NAMES
from training.paper.pages.margins import generators_alone, made_alone
from training.paper.pages.tables import (
    NOT_MEASURED,
    accuracy,
    mean_accuracy,
    percent,
    provenance,
    spread,
    table,
)
from training.paper.pages.tables import published as paper
from training.paper.studies.attribution import (
    BASELINES,
    WIDER,
    baseline_measurement,
)
from training.paper.studies.fingerprints import lengths
from training.paper.studies.fingerprints.controls import SETUPS
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measured

ASKED = 0.05
"""By how much the wide-grid Eigenface is to lie below the network."""

TITLES: dict[Control | None, str] = {
    None: "as drawn",
    "colours": "colours matched",
    "both": "colours matched, places shifted",
}


def baseline(lab: Lab, setup: SetUp, method: str) -> Measured | None:
    """What was measured of a baseline in a set-up, under its control if it has one."""
    return lab.results.current(baseline_measurement(lab, setup, method))


def gap(lab: Lab, setup: SetUp) -> float | None:
    """How far the wide-grid Eigenface lies below the network, 0 to 1; None: not measured."""
    ours = mean_accuracy(networks_of(lab, setup))
    theirs = accuracy(baseline(lab, setup, "eigenface-wider"))
    return None if ours is None or theirs is None else ours - theirs


def page(lab: Lab, command: str) -> str:
    """The page as Markdown."""
    every = [setup for name in SETUPS for setup in under(lab, name)]
    known = [one for setup in every for one in networks_of(lab, setup)]
    methods = (*BASELINES, *WIDER)
    known += [one for setup in every for m in methods if (one := baseline(lab, setup, m))]
    side = lab.setup_named("seeds").side
    return "\n".join(
        [
            "# Without colour and place",
            "",
            provenance(known, command),
            "",
            "On faces the wide-grid Eigenface comes up to the network, which it does not in the"
            " paper ([attribution](attribution.md)).",
            "What of that is owed to coarse cues, which generators trained for minutes give away?",
            "Every image is changed once, before anything is fitted; networks and baselines are"
            " those of the attribution study, fitted anew (`training/paper/controls.py`).",
            "",
            "- **Colours matched:** an affine map of RGB for each generator gives its training"
            " images the mean and the covariance of the real ones' colours; its other images get"
            " the same map.",
            f"- **Places shifted:** besides, every image of every source is moved by a random"
            f" number of pixels, up to {side // SHIFT} each way, and mirrored beyond its border.",
            "",
            "Accuracy is the mean of the sources' own shares of right answers, in percent.",
            "",
            *(line for name in SETUPS for line in _section(lab, name)),
            *_goal(lab),
            *_lengths(lab),
            *_limits(),
            published.NOTE,
            "",
        ]
    )


def under(lab: Lab, name: str) -> list[SetUp]:
    """A set-up as drawn, and under every control."""
    setup = lab.setup_named(name)
    return [setup, *(replace(setup, control=control) for control in CONTROLS)]


def _section(lab: Lab, name: str) -> list[str]:
    setups = under(lab, name)
    theirs = dict(zip(BASELINES, published.SET_UPS[name], strict=False))  # the network's comes next
    rows = [
        [
            NAMES[method],
            *(_both_shares(baseline(lab, setup, method)) for setup in setups),
            paper(theirs.get(method)),
        ]
        for method in (*BASELINES, *WIDER)
    ]
    found = [networks_of(lab, setup) for setup in setups]
    network = [spread([one.result["accuracy"] for one in ours]) for ours in found]
    made = [spread([made_alone(one) for one in ours]) for ours in found]
    cells = [
        NOT_MEASURED if a == NOT_MEASURED else f"**{a}** / {b}"
        for a, b in zip(network, made, strict=True)
    ]
    header = ["method", *(TITLES[setup.control] for setup in setups), "paper, as drawn"]
    last = ["network", *cells, paper(published.SET_UPS[name][published.NETWORK])]
    return [
        f"## {name.capitalize()}",
        "",
        f"All sources / the generators alone; chance is {100 / len(setups[0].sources):.2f}.",
        "",
        *table(header, [*rows, last]),
    ]


def _both_shares(measured: Measured | None) -> str:
    if measured is None:
        return NOT_MEASURED
    return f"{percent(accuracy(measured))} / {percent(made_alone(measured))}"


def _goal(lab: Lab) -> list[str]:
    """Whether the wide-grid Eigenface lies as far below the network as was asked."""
    rows = []
    for name in SETUPS:
        for setup in under(lab, name):
            found = gap(lab, setup)
            below = NOT_MEASURED if found is None else f"{100 * found:.2f}"
            reached = NOT_MEASURED if found is None else "yes" if found >= ASKED else "**no**"
            rows.append([name, TITLES[setup.control], below, reached])
    header = ["set-up", "images", "Eigenface, wider grid, below the network by", "reached"]
    return [
        "## Is the set-up as hard as it ought to be?",
        "",
        f"Asked: the wide-grid Eigenface lies at least {100 * ASKED:.0f} points below the network.",
        "",
        *table(header, rows),
    ]


def _lengths(lab: Lab) -> list[str]:
    """Baselines on generators of growing length; nothing where none was measured."""
    setup = lab.setup_named("seeds")
    rows = []
    for one in lengths.measurements(lab, setup):
        found = lab.results.current(one)
        results = [None if found is None else found.result[method] for method in lengths.METHODS]
        cells = [
            NOT_MEASURED
            if result is None
            else f"{percent(result['accuracy'])} / {percent(generators_alone(result))}"
            for result in results
        ]
        rows.append([f"{int(one.name.rpartition('/')[2]):,}", *cells])
    if not rows:
        return []
    return [
        "## Generators that are trained for longer",
        "",
        f"Real faces and the first {lengths.SEEDS} seeds, trained on beyond their"
        f" {setup.models[0].iterations:,} iterations; chance is {100 / (lengths.SEEDS + 1):.2f}.",
        "All sources / the generators alone.",
        "",
        *table(["iterations", *(NAMES[method] for method in lengths.METHODS)], rows),
    ]


def _limits() -> list[str]:
    return [
        "## What this does not show",
        "",
        "- The maps stretch what a generator drew too flat: its grain grows with it, and what is"
        " mapped beyond black or white is clipped; the real pictures are not mapped.",
        "- Mean and covariance are all that is matched: the colours' other moments, and where in"
        " the image a colour lies, are not.",
        "- A pattern that lies in the same place of every image is a mark of its generator too, not"
        " only a weakness of a short training: shifts take it from the network as well, and make"
        " the set-up harder than the paper's.",
        "- A shifted image has a mirrored border, in all sources alike; the network gets no more"
        " steps than without, though it has more to learn.",
        "",
    ]
