"""The page of the visible fingerprint: both variants, and the grid figure of each."""

from training.paper import published
from training.paper.networks.visualisation_network import Variant
from training.paper.pages.tables import accuracy, percent, provenance, table
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measured
from training.paper.studies.visualisation import SETUP, VARIANTS, measurement_of

TITLES: dict[Variant, str] = {
    "inner": "A, inner product (released code)",
    "correlation": "B, normalised correlation with a learned scale (paper)",
}


def found(lab: Lab, variant: Variant) -> Measured | None:
    """What was measured of a variant."""
    return lab.results.current(measurement_of(lab, lab.setup_named(SETUP), variant))


def _shortfalls(lab: Lab) -> list[str]:
    lines = []
    for variant in VARIANTS:
        share = accuracy(found(lab, variant))
        if share is not None and 100 * share < published.VISUALISATION:
            lines.append(
                f"{TITLES[variant]} is {published.VISUALISATION - 100 * share:.2f} points below; a"
                " likely reason is the short training, in which real faces are the hardest."
            )
    return lines


def _what_is_seen(lab: Lab) -> list[str]:
    """What a person sees in the figures of the small size."""
    return [
        f"After {lab.effort.visualisation_steps:,} steps the autoencoder gives back coarse shapes"
        " alone, so that image fingerprints hold the edges of faces, and model fingerprints look"
        " like faces.",
        "They show where the sources' faces differ, not a trace that is free of content.",
    ]


def _per_source(lab: Lab) -> list[str]:
    known = [(v, one) for v in VARIANTS if (one := found(lab, v)) is not None]
    sources = lab.setup_named(SETUP).sources
    rows = [
        [source, *(percent(one.result["per_source"][source]) for _, one in known)]
        for source in sources
    ]
    return table(["source", *(TITLES[v] for v, _ in known)], rows)


def page(lab: Lab, command: str) -> str:
    """The page as Markdown."""
    setup = lab.setup_named(SETUP)
    rows = [[TITLES[v], percent(accuracy(found(lab, v)))] for v in VARIANTS]
    lines = [
        "# The visible fingerprint",
        "",
        provenance([found(lab, variant) for variant in VARIANTS], command),
        "",
        "An image fingerprint is the image less what an autoencoder makes of it; a model"
        " fingerprint is a learned picture; their product, pixel by pixel, is the response.",
        "The sum of a response decides which source the image is given to.",
        "",
        *table(["variant", "accuracy, %, five sources, faces"], rows),
        f"The paper's, on ten seeds of ProGAN: about {published.VISUALISATION:.2f}.",
        *_shortfalls(lab),
        published.NOTE,
        "",
        "Each source by itself:",
        "",
        *_per_source(lab),
        *(_what_is_seen(lab) if lab.size == "small" else []),
        "",
        "In each figure: the model fingerprints in the first row; below, an image of each source,"
        " its fingerprint and its responses; the true source's cell is framed.",
        "The row of the real photographs shows averages over the test set, because the faces must"
        " not be reproduced.",
        "",
    ]
    for variant in VARIANTS:
        if found(lab, variant) is not None:
            lines += [
                f"## {TITLES[variant]}",
                "",
                f"![responses](figures/responses-{setup.name}-{variant}.png)",
                "",
            ]
    lines += [
        "`latentprint train visualise IMAGE…` draws the same for images of your own.",
        "",
    ]
    return "\n".join(lines)
