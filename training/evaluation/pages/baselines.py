"""The page of the baselines beside the product, on the same pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.pages.figures import GROUP_NAMES
from training.evaluation.pages.tables import Document, Rows, made_by, percent, table

_SAME = ("samples", "tested", "cuts", "most_of_a_source", "members")
"""What of a plan makes the pictures those of another run."""

BEFORE = (
    ("nine small generators", "right", "54", "25", "7"),
    ("photographs of 17 sources", "flagged", "3.7", "6.3", "0.7"),
)
"""The previous bundle as issue 15 states it in its first lines: clean, JPEG 90, JPEG 75; percent.
Its space is no longer read, so that it cannot be asked again."""


def baselines_page(baselines: Document, product: Document | None) -> str:
    """Right, wrong and photographs flagged, of the product (where it was measured) and of each."""
    beside = product if product is not None and _same_pictures(baselines, product) else None
    lines = [
        "# Baselines on the same pictures",
        "",
        made_by(baselines),
        _ABOUT.format(
            level=percent(baselines["level"]), samples=baselines["plan"]["samples"]
        ).strip(),
        "",
        _product(product, beside),
        "",
    ]
    for side in dict.fromkeys(cell["side"] for cell in baselines["cells"]):
        lines += _of_side(side, baselines, beside)
    lines += ["## What each is", ""]
    for one in baselines["baselines"].values():
        lines += [f"**{one['title']}.** {one['about']}", ""]
    lines += [
        "## The previous bundle",
        "",
        "Its verdicts cannot be computed by today's code, so that it has no row above. These"
        " figures were measured then, on another set of generators and photographs, and are those"
        " that issue 15 opens with; four of the nine generators, and each of six networks over"
        " photographs, were refused at registration. In percent:",
        "",
        *table(("pictures", "", "clean", "JPEG 90", "JPEG 75"), BEFORE),
    ]
    return "\n".join(lines)


_ABOUT = """
Each baseline is registered from the {samples} samples that the product is registered from, at each
size and under each arrival for itself: it is told how a file arrived, and its samples come the same
way, where the product has to find that out. It names the generator of the highest score, where that
is above the score that {level} % of photographs reach with all generators of the size registered.
These photographs are of sources that may be learned from, one half of them, by source; a method
that learns from photographs has the other half. No held-out photograph took part in any threshold.
There is no gate: every generator is registered. What is not named counts as a photograph, since no
baseline knows `unknown_generator` or `undetermined`.
"""


def _product(product: Document | None, beside: Document | None) -> str:
    if product is None:
        return "The product was not measured into this folder; its rows are missing."
    if beside is None:
        return (
            "The product's figures in this folder are of other pictures (its plan differs), so that"
            " they are not set beside these."
        )
    levels = beside["made_by"]["policy"]
    return (
        f"The product's rows are those of [README.md](README.md), bundle"
        f" `{beside['made_by']['bundle'][:12]}`: names at alpha_name"
        f" {levels.get('alpha_name', '-')}, and what is flagged holds `unknown_generator` as well,"
        f" at alpha_unknown {levels.get('alpha_unknown', '-')}."
    )


def _same_pictures(baselines: Document, product: Document) -> bool:
    plans = baselines["plan"], product["made_by"].get("plan", {})
    return all(plans[0][name] == plans[1].get(name) for name in _SAME)


def _of_side(side: int, baselines: Document, beside: Document | None) -> list[str]:
    cells = [cell for cell in baselines["cells"] if cell["side"] == side]
    arrivals = [cell["arrival"] for cell in cells]
    groups = [row for row in baselines["groups"] if row["side"] == side]
    real = [row for row in baselines["photographs"] if row["side"] == side]
    first = cells[0]
    lines = [
        f"## {side} pixels",
        "",
        f"{len(first['generators'])} generators registered; thresholds on"
        f" {first['calibrating']} views of photographs, and {first['learned']} to learn from.",
        "",
    ]
    for group in dict.fromkeys(row["group"] for row in groups):
        own = [row for row in groups if row["group"] == group]
        count = next(row["generators"] for row in own)
        lines += [
            f"Generators that: {GROUP_NAMES[group]} ({count}). Right / wrong, in percent:",
            "",
        ]
        lines += _table(
            arrivals,
            None if beside is None else _product_names(beside, cells, side, group),
            own,
            baselines,
            lambda row: f"{percent(row['right']['share'])} / {percent(row['wrong']['share'])}",
        )
    if real:
        count = next(row["photographs"] for row in real)
        lines += [f"{count} photographs of sources left out. Flagged, in percent:", ""]
        lines += _table(
            arrivals,
            None if beside is None else _product_flags(beside, side),
            real,
            baselines,
            lambda row: percent(row["flagged"]["share"]),
        )
    return lines


def _table(
    arrivals: Sequence[str],
    product: Mapping[str, str] | None,
    rows: Rows,
    baselines: Document,
    told: Any,
) -> list[str]:
    """A row for the product and for each baseline, a column for each arrival."""
    by_place = {(row["baseline"], row["arrival"]): told(row) for row in rows}
    lines = (
        [] if product is None else [("**Latentprint**", *(product.get(a, "-") for a in arrivals))]
    )
    lines += [
        (one["title"], *(by_place.get((name, arrival), "-") for arrival in arrivals))
        for name, one in baselines["baselines"].items()
    ]
    return table(("", *arrivals), lines)


def _product_names(beside: Document, cells: Rows, side: int, group: str) -> dict[str, str]:
    """Right and wrong of the same generators, by arrival; of other generators nothing."""
    found = {}
    for cell in cells:
        rows = [
            row
            for row in beside["generators"]
            if (row["side"], row["arrival"]) == (side, cell["arrival"])
        ]
        if {row["generator"] for row in rows} != set(cell["generators"]):
            continue
        own = [row for row in rows if row["group"] == group]
        pictures = sum(row["pictures"] for row in own)
        right, wrong = (
            sum(row[name] * row["pictures"] for row in own) / pictures
            for name in ("right", "wrong")
        )
        found[cell["arrival"]] = f"{percent(right)} / {percent(wrong)}"
    return found


def _product_flags(beside: Document, side: int) -> dict[str, str]:
    return {
        row["arrival"]: percent(row["flagged"]["share"])
        for row in beside["photographs"]
        if row.get("side") == side and row["registered"] == "all"
    }
