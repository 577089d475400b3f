"""The first page: what was asked, what came out, in a table that is read in two minutes."""

from dataclasses import dataclass

from training.paper import published
from training.paper.images import DRAWN, SetUp
from training.paper.networks.component_networks import Component, Kind
from training.paper.pages import (
    attacks,
    attribution,
    controls,
    persistence,
    realism,
    subsets,
    visualisation,
)
from training.paper.pages.baselines import best_baseline
from training.paper.pages.claims import claims
from training.paper.pages.margins import beyond_chance
from training.paper.pages.tables import (
    NOT_MEASURED,
    accuracy,
    counted,
    percent,
    spread,
    table,
)
from training.paper.studies.fingerprints.controls import SETUPS as CONTROLLED
from training.paper.studies.lab import SETUPS, SHIFTED, Effort, Lab
from training.paper.studies.visualisation import VARIANTS

READING = [
    "## How to read it",
    "",
    "- Size `paper`, 128x128, has the same code and was never run: no GPU was at hand.",
    "- On faces the network, Eigenface and PRNU know the generators apart nearly without error,"
    " which Eigenface and PRNU do not in the paper. Generators that were trained for minutes leave"
    " a pattern in the same place of every image, which a linear method sees: these set-ups are"
    " easier than the paper's, and a high accuracy says less; where places mean nothing Eigenface"
    " is far below the network ([controls](controls.md)). Where chance can explain the"
    " order of two methods, the table says so; on the seeds the network is ahead by the real faces"
    " alone, and Eigenface and PRNU tell the generators apart better"
    " ([attribution](attribution.md)).",
    "- The baselines have the grids that were published. With wider ones Eigenface is above the"
    " network on the seeds and level with it on the five sources, so that the network's lead there"
    " is owed to the published grid.",
    "- On scenes, whose pictures have no common place and colour, the baselines fall back,"
    " Eigenface with a wider grid least. But the scenes that were drawn are little more than"
    " coloured patches, two of the four with a grid that the eye sees.",
    "- Noise hardly hurts here, crop and light do: patterns in fixed places carry much of the"
    " attribution ([attacks](attacks.md)).",
    "- The visible fingerprints look like faces: after so few steps they show where the sources'"
    " faces differ, not a trace that is free of content.",
    "- Weights of the networks do not come with the project, but a small copy of one"
    " ([why](../decisions/0033-small-copies.md)), so that"
    " `--check` finds less than the page for it; one and a half points are allowed, and half a"
    " point for what is fitted anew.",
    "",
]
"""What a person says of the small size; numbers stand in the pages, where the results make them."""


@dataclass(frozen=True)
class Goal:
    """A number that was to be reached; `seen` is None where it is not measured."""

    what: str
    wanted: str
    seen: str
    paper: str
    reached: bool | None

    def row(self) -> list[str]:
        """As a line of the table."""
        answer = NOT_MEASURED if self.reached is None else "yes" if self.reached else "**no**"
        return [self.what, self.wanted, self.seen, self.paper, answer]


def goals(lab: Lab) -> list[Goal]:
    """The goals of this reproduction, against what was measured."""
    found = []
    for name, least in (
        ("architectures", 0.99),
        ("seeds", 0.97),
        ("shifted subsets", subsets.GOAL),
    ):
        shares = [one.result["accuracy"] for one in attribution.networks(lab, name)]
        reached = sum(shares) / len(shares) >= least if shares else None
        paper = f"{published.SET_UPS[name][published.NETWORK]:.2f}"
        what = f"attribution, {name}, faces"
        found.append(Goal(what, f"≥ {100 * least:.0f}", spread(shares), paper, reached))
    found += [_above_baselines(lab, name) for name in SETUPS]
    found += [_hard(lab, name, one) for name in CONTROLLED for one in controls.under(lab, name)]
    found += [_persists(lab, kind, side) for kind, side in persistence.ASKED.items()]
    found.append(_realistic(lab))
    shares = [one.result["after"]["accuracy"] for one in attacks.combined(lab)]
    reached = sum(shares) / len(shares) >= 0.8 if shares else None
    what = "combination attack, immunised, seeds"
    found.append(Goal(what, "≥ 80", spread(shares), "72.64 or 84.1", reached))
    return found


def _above_baselines(lab: Lab, name: str) -> Goal:
    measured, best = attribution.networks(lab, name), best_baseline(lab, name)
    what = f"above every baseline, published grids, {name}"
    if not measured or best is None:
        return Goal(what, "above", NOT_MEASURED, "yes", None)
    label, theirs = best
    mean = sum(one.result["accuracy"] for one in measured) / len(measured)
    chance = "" if beyond_chance(measured, theirs) else "; within what chance allows"
    seen = f"{percent(mean)} against {label} {percent(accuracy(theirs))}{chance}"
    return Goal(what, "above", seen, "yes", mean > theirs.result["accuracy"])


def _hard(lab: Lab, name: str, setup: SetUp) -> Goal:
    """How far the wide-grid Eigenface lies below the network: a set-up is to be hard for it."""
    below = controls.gap(lab, setup)
    seen = NOT_MEASURED if below is None else f"{100 * below:.2f}"
    reached = None if below is None else below >= controls.ASKED
    what = f"Eigenface, wider grid, below the network, {name}, {controls.TITLES[setup.control]}"
    return Goal(what, f"≥ {100 * controls.ASKED:.0f}", seen, "-", reached)


def _realistic(lab: Lab) -> Goal:
    """The most realistic tenth is to be known as well as all images."""
    lead, seeds = realism.lead_of_all(lab), counted(len(realism.networks(lab)))
    seen = NOT_MEASURED if lead is None else f"{100 * lead:.2f}, {seeds}"
    every, most = (
        published.SET_UPS[name][published.NETWORK] for name in ("seeds", "most realistic")
    )
    theirs = "-" if every is None or most is None else f"{every - most:.2f}"
    what = "accuracy on all images less that on the most realistic tenth, seeds"
    return Goal(
        what,
        f"≤ {100 * realism.GOAL:.0f}",
        seen,
        theirs,
        None if lead is None else lead <= realism.GOAL,
    )


def _persists(lab: Lab, kind: Kind, side: int) -> Goal:
    """Of the way from chance to the whole image's accuracy, as much as in the paper."""
    ours, theirs = persistence.range_kept(lab, kind, side)
    seeds = counted(len(persistence.found(lab, "seeds", Component(kind, side))))
    seen = NOT_MEASURED if ours is None else f"{100 * ours:.1f}, {seeds}"
    what = f"share of the range, {persistence.SHORT[kind]} at {side}, seeds"
    reached = None if ours is None else ours >= theirs
    return Goal(what, f"≥ {100 * theirs:.1f}", seen, f"{100 * theirs:.1f}", reached)


def page(lab: Lab, command: str) -> str:
    """The page as Markdown."""
    variants = [
        f"{visualisation.TITLES[v]}: {percent(share)}{'' if share is None else ' %'}"
        for v in VARIANTS
        for share in (accuracy(visualisation.found(lab, v)),)
    ]
    side = lab.setup_named("seeds").side
    rows = [goal.row() for goal in goals(lab)]
    return "\n".join(
        [
            "# The paper, reproduced",
            "",
            "Yu, Davis and Fritz, “Attributing Fake Images to GANs: Learning and Analyzing GAN"
            " Fingerprints”, ICCV 2019 (arXiv 1811.08180), rebuilt from its text and run on what"
            f" can be had: {side}x{side} images, {DRAWN['train']} for training and"
            f" {DRAWN['test']} for test of each generator, and generators trained for minutes.",
            "",
            f"`{command}` makes every page here; `latentprint train reproduce --check` recomputes"
            " accuracies on faces: the baselines' anew, the network's from a small copy.",
            "",
            *table(["goal, accuracy in %", "wanted", "measured", "paper", "reached"], rows),
            f"Visualisation network, five sources: {'; '.join(variants)}.",
            "",
            "## The five claims",
            "",
            *claims(lab),
            "",
            "| page | what it answers |",
            "|---|---|",
            "| [The generators](gan-zoo.md) | What do they draw, and how well? |",
            "| [Attribution](attribution.md) | Can a network tell architectures and seeds apart,"
            " and better than kNN, Eigenface and PRNU? |",
            "| [Without colour and place](controls.md) | What is left of it when sources are alike"
            " in colour, and place means nothing? |",
            "| [Persistence](persistence.md) | Does one band of frequencies, or a patch, give a"
            " source away? |",
            "| [Shifted subsets](shifted-subsets.md) | Do the training photographs alone change a"
            " fingerprint? |",
            "| [The most realistic images](realism.md) | Does a network know a generator by its"
            " failures? |",
            "| [Attacks](attacks.md) | What do noise, blur, crop, JPEG and light do, and does"
            " immunisation help? |",
            "| [The visible fingerprint](visualisation.md) | What does a fingerprint look like? |",
            "",
            *(READING if lab.size == "small" else []),
            "## Deviations from the paper",
            "",
            *_deviations(lab),
            "",
        ]
    )


def _deviations(lab: Lab) -> list[str]:
    """What differs from the paper, in this size."""
    effort, small = lab.effort, lab.size == "small"
    lengths = {effort.attribution_steps[which] for which, _ in (SETUPS | SHIFTED).values()}
    steps = " or ".join(f"{one:,}" for one in sorted(lengths))
    sizes = [
        "- Images of 64x64 instead of 128x128, so that the attribution network lacks the level of"
        " 128 pixels; the other layers are the paper's.",
        "- The ten seeds are of SNGAN, not of ProGAN, which takes several times as long to draw"
        " faces on two cores.",
        "- Generators: smaller, trained for minutes, with one critic step instead of five, MMD-GAN"
        " with two for faces; their files say what else.",
    ]
    iterations = lab.setup_named("shifted subsets").models[0].iterations
    shifted = (
        "- Shifted subsets are 349 of 699 faces with 1 to 349 exchanged, instead of 100,000 of"
        f" 200,000 with 1 to 100,000; their generators are trained for {iterations:,} iterations."
    )
    return [
        *(sizes if small else []),
        "- 999 faces of CelebA (699 for training), and tiles of 173 photographs instead of LSUN"
        " bedrooms; DiffAugment in the generators' trainings, since they are so few.",
        f"- {DRAWN['train']:,} training and {DRAWN['test']} test images of each generator instead"
        " of 100,000 and 10,000.",
        f"- The attribution network is trained for {steps} steps instead of up to 3,125,000, at a"
        f" rate of {effort.learning_rate:g} that falls to zero at the end instead of a constant"
        f" 0.001, with a beta1 of {effort.betas[0]:g} instead of 0; classes are drawn alike"
        " although there are fewer photographs.",
        *_jitter(effort),
        f"- The visualisation network is trained for {effort.visualisation_steps:,} steps instead"
        " of 781,250; its model fingerprints begin near zero and move ten times as fast as other"
        " weights.",
        "- One person may be in the training and in the test faces, since CelebA's identities are"
        " not at hand; test images of generators are of latents used nowhere else.",
        "- Relighting is a substitute; Inception's features have a stand-in.",
        "- The most realistic tenth is asked of networks that learned from all images; the paper"
        " seems to train on such a tenth too.",
        shifted,
    ]


def _jitter(effort: Effort) -> list[str]:
    names = [name for name, (which, _) in SETUPS.items() if which in effort.jitter]
    if not names:
        return []
    return [
        f"- Its training images have random light and colour ({'; '.join(names)}), since a network"
        " that sees the few photographs often knows them by heart; the tests' are untouched."
    ]
