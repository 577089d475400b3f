"""The page of the attribution study: accuracy and FD ratio, ours beside the paper's."""

from fingerprint_db.matching.photographs import clopper_pearson_upper
from training.paper import published
from training.paper.images import SetUp
from training.paper.pages.baselines import NAMES, baseline, best_baseline, settings
from training.paper.pages.curves import Line, powers
from training.paper.pages.margins import beyond_chance, made_alone, margin
from training.paper.pages.plots import bars, confusion
from training.paper.pages.tables import (
    NOT_MEASURED,
    accuracy,
    percent,
    provenance,
    spread,
    table,
)
from training.paper.pages.tables import published as paper
from training.paper.studies.attribution import (
    BASELINES,
    WIDER,
    network_measurement,
    reference_measurement,
)
from training.paper.studies.attribution_run import base_run
from training.paper.studies.fingerprints import ratio
from training.paper.studies.lab import SETUPS, Lab
from training.paper.studies.measured import Measured

_CHANGED_AFTER_TEST = (
    "- The steps and the random light of the five sources' network were changed after test"
    " accuracies had been seen that lay below Eigenface's; the choice among the remedies was"
    " made on validation images (`training/LOG.md`). So the comparison with Eigenface there is"
    " not blind."
)


_COPY = (
    "; of the five sources by a copy of it as whole numbers, which the project had then"
    " (training/LOG.md)."
)

PAPERS_COUNT = 10_000
"""Test images of each class in the paper."""


def networks(lab: Lab, setup_name: str) -> list[Measured]:
    """What was measured of the network's seeds in a set-up of that name."""
    return networks_of(lab, lab.setup_named(setup_name))


def networks_of(lab: Lab, setup: SetUp) -> list[Measured]:
    """What was measured of the network's seeds in a set-up, under its control if it has one."""
    runs = [base_run(lab, setup, seed) for seed in range(lab.effort.seeds)]
    found = [lab.results.current(network_measurement(lab, run)) for run in runs]
    return [one for one in found if one is not None]


def page(lab: Lab, command: str) -> str:
    """The page as Markdown; draws its plots."""
    size = lab.setup_named("seeds").side
    _draw(lab)
    known = [one for name in SETUPS for one in networks(lab, name)]
    methods = (*BASELINES, *WIDER)
    known += [m for name in SETUPS for b in methods if (m := baseline(lab, name, b)) is not None]
    return "\n".join(
        [
            "# Attribution",
            "",
            provenance(known, command),
            "",
            f"Which source did an image of {size}x{size} come from?",
            "Accuracy is the mean of the sources' own shares of right answers, in percent.",
            "The network's is the mean over its training seeds, whose number is given, with their"
            " standard deviation, which says nothing of other photographs or generators.",
            "In brackets: the paper's.",
            "",
            *_accuracy_table(lab),
            "![accuracy](figures/attribution.svg)",
            "",
            "The dashed lines mark chance.",
            "",
            "## How sure the order is",
            "",
            *margins(lab),
            "",
            "The published grids end where the best choice may lie beyond them. With wider ones:",
            "",
            *_wider_table(lab),
            *_ratios(lab),
            *_limits(lab),
            *_per_source(lab),
            "## Images",
            "",
            *_image_counts(lab),
            published.NOTE,
            "",
            *settings(lab),
        ]
    )


def margins(lab: Lab) -> list[str]:
    """A line for each set-up: what the network and the best baseline get wrong."""
    lines = []
    for name in SETUPS:
        measured, best = networks(lab, name), best_baseline(lab, name)
        if measured and best is not None:
            lines.append(margin(name, measured, *best))
    return lines


def _wider_table(lab: Lab) -> list[str]:
    rows = []
    for name in SETUPS:
        ours = networks(lab, name)
        cells = []
        for method in WIDER:
            theirs = baseline(lab, name, method)
            cell = percent(accuracy(theirs))
            if theirs is not None and ours and beyond_chance(ours, theirs):
                mean = sum(one.result["accuracy"] for one in ours) / len(ours)
                above = theirs.result["accuracy"] > mean
                cell += ", above the network" if above else ", below the network"
            elif theirs is not None:
                cell += ", level with the network"
            cells.append(cell)
        rows.append([name, *cells, spread([one.result["accuracy"] for one in ours])])
    return table(["set-up", *(NAMES[method] for method in WIDER), "network"], rows)


def _accuracy_table(lab: Lab) -> list[str]:
    rows = []
    for name in SETUPS:
        theirs = published.SET_UPS[name]
        ours = [accuracy(baseline(lab, name, method)) for method in BASELINES]
        cells = [f"{percent(share)} ({paper(theirs[place])})" for place, share in enumerate(ours)]
        shares = [one.result["accuracy"] for one in networks(lab, name)]
        count = len(lab.setup_named(name).sources)
        rows.append(
            [
                name,
                str(count),
                f"{100 / count:.2f}",
                *cells,
                f"**{spread(shares)}** ({paper(theirs[published.NETWORK])})",
            ]
        )
    return table(["set-up", "sources", "chance", *(NAMES[b] for b in BASELINES), "network"], rows)


def ratio_over_counts(lab: Lab, setup_name: str) -> Measured | None:
    """What was measured of the ratio over the number of images in a set-up."""
    return lab.results.current(ratio.measurement(lab, lab.setup_named(setup_name)))


def _ratios(lab: Lab) -> list[str]:
    """How far the fingerprints lie apart; draws the figure."""
    return [
        "## How far the fingerprints lie apart",
        "",
        "The FD ratio is the Fréchet distance between classes over that between random halves"
        " of one class: larger is better.",
        "Reference features stand in for the paper's Inception features"
        " (`training/paper/studies/reference_features.py`).",
        "",
        *_ratio_table(lab),
        *_ratio_reason(lab),
    ]


def _ratio_table(lab: Lab) -> list[str]:
    rows = []
    for name in SETUPS:
        theirs, setup = published.SET_UPS[name], lab.setup_named(name)
        reference = lab.results.current(reference_measurement(lab, setup))
        ratios = [one.result["fd_ratio"] for one in networks(lab, name)]
        fingerprints = f"{min(ratios):.1f} to {max(ratios):.1f}" if ratios else NOT_MEASURED
        rows.append(
            [
                name,
                f"{reference.result['fd_ratio']:.2f}" if reference else NOT_MEASURED,
                paper(theirs[published.REFERENCE]),
                fingerprints,
                paper(theirs[published.FINGERPRINT]),
            ]
        )
    header = ["set-up", "reference features", "paper, Inception", "fingerprints", "paper"]
    return table(header, rows)


def _ratio_reason(lab: Lab) -> list[str]:
    known = {name: one for name in SETUPS if (one := ratio_over_counts(lab, name)) is not None}
    if not known:
        return []
    path = lab.figures / "fd-ratio.svg"
    drawn = [line for place, name in enumerate(known) for line in _lines(name, known[name], place)]
    powers(drawn, "images of each generator", "FD ratio of fingerprints", path)
    return [
        "### The ratio is a matter of how many images it is taken of",
        "",
        "The two halves of a class differ by chance alone, so that their distance falls with the"
        " number of images, in the end like one over it; the distance between classes stays.",
        "So the ratio grows with the number of images, with the same network and the same"
        " generators.",
        f"The paper has {PAPERS_COUNT:,} test images of each class, our test sets have 500 of each"
        " generator and fewer real ones, and the real class, with the fewest, rules the mean over"
        " the halves.",
        "Here are further images of the same generators, by the network of training seed 0"
        f"{_COPY if lab.size == 'small' else '.'}",
        "",
        f"![the FD ratio over the number of images](figures/{path.name})",
        "",
        *(line for name, one in known.items() for line in _ratio_curve(name, one)),
    ]


def _ratio_curve(name: str, one: Measured) -> list[str]:
    curve = one.result["curve"]
    rows = [
        [
            f"{int(count):,}",
            f"{point['between']:.4g}",
            f"{point['within']:.4g}",
            f"**{point['made_alone']:.1f}**",
            f"{point['with_real']:.1f}",
        ]
        for count, point in curve.items()
    ]
    led, last = ratio.at(curve, PAPERS_COUNT), list(curve)[-2:]
    rows.append([f"{PAPERS_COUNT:,}, extrapolated", "", "", f"**{led:.0f}**", ""])
    theirs = published.SET_UPS[name][published.FINGERPRINT]
    rows.append([f"{PAPERS_COUNT:,}, paper", "", "", "", paper(theirs)])
    header = ["images a generator", "between generators", "within", "ratio, generators", "and real"]
    real = one.result["test_images"]["real"]
    within, counts = one.result["within"], one.result["test_images"]
    made = [within[source] for source in list(counts)[1:]]
    share = within["real"] / (within["real"] + sum(made))
    from_real = list(one.result["from_real"].values())
    pairs = one.result["between"]
    return [
        f"#### {name.capitalize()}",
        "",
        *table(header, rows),
        f"- From {int(last[0]):,} to {int(last[1]):,} images the distance within goes with their"
        f" number to the power {ratio.exponent(curve):.2f}, by which the line is led on; of a"
        " distance by chance alone that tends to -1.",
        f"- The real class has {real} images in every line; in the last, its halves make"
        f" {share:.0%} of the sum of the distances within, though it is one of"
        f" {len(counts)} classes.",
        f"- In the last line generators lie {pairs['least']:,.0f} to {pairs['most']:,.0f} apart,"
        f" and {min(from_real):,.0f} to {max(from_real):,.0f} from the real class.",
        *_ratio_verdict(led, theirs),
        "",
    ]


def _lines(name: str, one: Measured, group: int) -> list[Line]:
    curve = one.result["curve"]
    alone = {int(count): float(point["made_alone"]) for count, point in curve.items()}
    real = {int(count): float(point["with_real"]) for count, point in curve.items()}
    last = max(alone)
    ahead = {last: alone[last], PAPERS_COUNT: ratio.at(curve, PAPERS_COUNT)}
    theirs = published.SET_UPS[name][published.FINGERPRINT]
    assert theirs is not None
    return [
        Line(f"{name}, generators", alone, group, "o-"),
        Line("extrapolated", ahead, group, ":"),
        Line("with the few real ones", real, group, ".--"),
        Line("paper", {PAPERS_COUNT: theirs}, group, "x"),
    ]


def _ratio_verdict(ours: float, theirs: float | None) -> list[str]:
    if theirs is None:
        return []
    if ours >= theirs:
        return [
            f"- At the paper's number of images the ratio among the generators would be"
            f" {ours / theirs:.1f} times the paper's: the number of images alone explains why"
            " ours is smaller."
        ]
    return [
        f"- At the paper's number of images the ratio among the generators would still be"
        f" {theirs / ours:.1f} times smaller than the paper's; what is left is not owed to the"
        " number of images."
    ]


def _limits(lab: Lab) -> list[str]:
    """What the numbers do not show."""
    lines = ["## What this does not show", ""]
    for name in SETUPS:
        for one in networks(lab, name)[:1]:
            count = one.result["test_images"]["real"]
            lines.append(
                f"- {name.capitalize()}: {count} real test pictures; even if all are right, their"
                f" true share of wrong answers may be {clopper_pearson_upper(0, count):.1%} (95 %)."
            )
    return [
        *lines,
        "- The real pictures were JPEG or WebP once and were made smaller; the made ones never"
        " were, though the generators learned from such pictures. Part of what tells them apart"
        " may be that history.",
        "- Generators trained for minutes leave a pattern in the same place of every image, which a"
        " linear method sees: where Eigenface does well, the set-up is easier than the paper's, in"
        " which it does not. What is left without such cues is on a page of its own"
        " ([controls](controls.md)).",
        *([] if lab.size != "small" else [_CHANGED_AFTER_TEST]),
        "- The sources are known ones; nothing here says what happens to others.",
        "",
    ]


def _per_source(lab: Lab) -> list[str]:
    lines = ["## Each source by itself", ""]
    for name in SETUPS:
        measured = networks(lab, name)
        if measured:
            setup = lab.setup_named(name)
            others = [baseline(lab, name, method) for method in BASELINES]
            rows = [
                [
                    source,
                    *(
                        NOT_MEASURED if one is None else percent(one.result["per_source"][source])
                        for one in others
                    ),
                    spread([one.result["per_source"][source] for one in measured]),
                ]
                for source in setup.sources
            ]
            rows.append(
                [
                    "generators alone",
                    *(NOT_MEASURED if one is None else percent(made_alone(one)) for one in others),
                    spread([made_alone(one) for one in measured]),
                ]
            )
            header = ["source", *(NAMES[method] for method in BASELINES), "network"]
            lines += [f"### {name.capitalize()}", "", *table(header, rows)]
            lines += ["Answers of the network of seed 0:", ""]
            lines += [f"![confusion](figures/confusion-{setup.name}.svg)", ""]
    return lines


def _image_counts(lab: Lab) -> list[str]:
    rows = []
    for name in SETUPS:
        for one in networks(lab, name)[:1]:
            train, test = one.result["train_images"], one.result["test_images"]
            made = [source for source in train if source != "real"]
            rows.append(
                [
                    name,
                    f"{train['real']} / {train[made[0]]}",
                    f"{test['real']} / {test[made[0]]}",
                    "100,000 / 10,000",
                ]
            )
    header = ["set-up", "training: real / of each generator", "test", "paper: training / test"]
    return table(header, rows)


def _draw(lab: Lab) -> None:
    series: dict[str, list[float | None]] = {
        NAMES[method]: [accuracy(baseline(lab, name, method)) for name in SETUPS]
        for method in BASELINES
    }
    means = []
    for name in SETUPS:
        shares = [one.result["accuracy"] for one in networks(lab, name)]
        means.append(sum(shares) / len(shares) if shares else None)
    series["network"] = means
    chance = [1 / len(lab.setup_named(name).sources) for name in SETUPS]
    groups = [name.replace(", ", ",\n") for name in SETUPS]
    bars(groups, series, lab.figures / "attribution.svg", chance=chance)
    for name in SETUPS:
        for one in networks(lab, name)[:1]:
            setup = lab.setup_named(name)
            path = lab.figures / f"confusion-{setup.name}.svg"
            confusion(one.result["confusion"], setup.sources, path)
