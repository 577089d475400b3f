"""The evaluation as a page: tables, bounds and plots, with the command that made them."""

import json
import math
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")  # files only, no window

import numpy as np
from matplotlib import pyplot as plt

from training.extractor.evaluate import MEASURED, Evaluation, Row
from worker.extractor.calibration import clopper_pearson_upper

OUTCOMES = ("no_evidence", "attributed", "unknown_generator", "undetermined")


def write_report(result: Evaluation, folder: Path, *, command: str, commit: str) -> None:
    """Write README.md, results.json and the plots into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(result.document(), indent=1) + "\n")
    _plot_accuracy(result, folder / "accuracy.svg")
    _plot_confusion(result, folder / "confusion.svg")
    (folder / "README.md").write_text(_page(result, command, commit))


def _page(result: Evaluation, command: str, commit: str) -> str:
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    lines = [
        "# Evaluation of a bundle",
        "",
        f"Made by `{command}` on {datetime.now(UTC).date()} ({machine}, commit {commit});"
        f" bundle `{result.bundle[:12]}`, level of the real test {result.alpha:g},"
        f" {result.seconds:.0f} s.",
        "Test split only: faces 850-999, 26 photos, zoo images of seeds used nowhere else.",
        "The generators are small and self-trained: an easier set than real uploads.",
        "Half size is made with the kernel of enrolment (bicubic); images halved by another kernel"
        " are recognised less often (training/LOG.md).",
        "",
        "## False positives on real pictures",
        "",
        "Flagged means any outcome that raises an alert."
        " Rate and bound are of photographs, not of pictures: the rate is the mean, over"
        " photographs, of the share of a photograph's pictures that was flagged, and the bound"
        " the one-sided 95 % Clopper-Pearson limit for as many trials as there are photographs,"
        " with the sum of these shares rounded up.",
        "",
        "| source | condition | pictures | flagged | photographs | rate | bound | undetermined |",
        "|---|---|---|---|---|---|---|---|",
    ]
    real = [row for row in result.rows if row.truth == "real"]
    for row in real:
        lines.append(_false_positive_line(row))
    lines += [_false_positive_line(row) for row in result.all_real]
    lines += [
        "",
        "## Right attribution",
        "",
        "Right means `attributed` to the model by name, or `unknown_generator` while it is not"
        " registered.",
        "",
        "| source | condition | images | right | wrong name | no evidence | unknown |"
        " undetermined |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in result.rows:
        if row.truth != "real":
            count = row.outcomes.get
            lines.append(
                f"| {row.source} | {row.condition} | {row.images} |"
                f" {row.right / row.images:.1%} | {row.wrong_name / row.images:.1%} |"
                f" {count('no_evidence', 0)} | {count('unknown_generator', 0)} |"
                f" {count('undetermined', 0)} |"
            )
    enrolment = result.enrolment
    lines += [
        "",
        f"The held-out generator was registered from {enrolment.samples} samples:"
        f" spread {enrolment.spread:.2f}, real photos inside its threshold"
        f" {enrolment.real_inside:.1%}, nearest model {enrolment.nearest_model}"
        f" ({enrolment.nearest_confusion:.0%} confused),"
        f" refusals: {'; '.join(enrolment.refusals) or 'none'}.",
        "What the gate found under every condition, with the confusion with the nearest model:",
        "",
        "| condition | recognised | spread | real photos inside | nearest model | confused |"
        " expect little, because |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {row.condition} | {row.recognised:.0%} | {row.spread:.2f} | {row.real_inside:.1%} |"
            f" {row.nearest_model or 'none'} | {row.nearest_confusion:.0%} |"
            f" {'; '.join(row.limits)} |"
            for row in enrolment.conditions
        ),
        "",
        "![share right per source](accuracy.svg)",
        "",
        "![outcomes per source](confusion.svg)",
        "",
    ]
    return "\n".join(lines)


def _false_positive_line(row: Row) -> str:
    rate, bound = rate_of_photographs(row.flagged_photographs, row.photographs)
    return (
        f"| {row.source} | {row.condition} | {row.images} | {row.flagged} | {row.photographs} |"
        f" {rate:.2%} | {bound:.2%} | {row.outcomes.get('undetermined', 0)} |"
    )


def rate_of_photographs(flagged: float, photographs: int) -> tuple[float, float]:
    """The rate of a sum of shares among photographs, and its upper bound."""
    rounded = math.ceil(round(flagged, 9))
    return flagged / photographs, clopper_pearson_upper(rounded, photographs)


def readme_table(document: Mapping[str, Any]) -> str:
    """The table of the project's README, from results.json: one column for each condition."""
    labels = [label for label, _ in MEASURED]
    real = {row["condition"]: row for row in document["all_real"]}
    rates = [
        rate_of_photographs(real[name]["flagged_photographs"], real[name]["photographs"])
        for name in labels
    ]
    count = real[labels[0]]["photographs"]
    lines = [
        "| | " + " | ".join(labels) + " |",
        "|---" * (len(labels) + 1) + "|",
        f"| held-out real photographs flagged, of {count} | "
        + " | ".join(f"{100 * rate:.2f} %" for rate, _ in rates)
        + " |",
        "| upper bound of that rate (95 %) | "
        + " | ".join(f"{100 * bound:.2f} %" for _, bound in rates)
        + " |",
    ]
    made = [row for row in document["rows"] if row["truth"] != "real"]
    for source in dict.fromkeys(row["source"] for row in made):
        of_source = {row["condition"]: row for row in made if row["source"] == source}
        shares = [of_source[name]["right"] / of_source[name]["images"] for name in labels]
        cells = " | ".join(f"{100 * share:.1f} %" for share in shares)
        lines.append(f"| {_due(source)} | {cells} |")
    return "\n".join(lines)


def _due(source: str) -> str:
    """What is right of a made source, in the words of the README."""
    name, _, how = source.partition(", ")
    if how.startswith("not"):
        return f"`{name}` found to be unregistered"
    after = how.replace("registered from ", " after registration from ") + " images" if how else ""
    return f"`{name}` named right{after}"


def _plot_accuracy(result: Evaluation, path: Path) -> None:
    sources = list(dict.fromkeys(row.source for row in result.rows))
    figure, axes = plt.subplots(figsize=(9, 0.45 * len(sources) + 1.5))
    for position, (label, _) in enumerate(MEASURED):
        shares = [
            next(r.right / r.images for r in result.rows if (r.source, r.condition) == (s, label))
            for s in sources
        ]
        places = np.arange(len(sources)) + 0.27 * (position - 1)
        axes.barh(places, shares, height=0.25, label=label)
    axes.set_yticks(np.arange(len(sources)), sources)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of images with the right outcome")
    axes.legend(loc="lower left")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _plot_confusion(result: Evaluation, path: Path) -> None:
    figure, panels = plt.subplots(1, len(MEASURED), figsize=(13, 5), sharey=True)
    for axes, (label, _) in zip(panels, MEASURED, strict=True):
        rows = [row for row in result.rows if row.condition == label]
        shares = np.array([[r.outcomes.get(o, 0) / r.images for o in OUTCOMES] for r in rows])
        axes.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        for y, x in np.ndindex(shares.shape):
            if shares[y, x] > 0:
                colour = "white" if shares[y, x] > 0.5 else "black"
                axes.text(x, y, f"{shares[y, x]:.0%}", ha="center", va="center", color=colour)
        axes.set_title(label)
        axes.set_xticks(range(len(OUTCOMES)), OUTCOMES, rotation=30, ha="right")
        axes.set_yticks(range(len(rows)), [row.source for row in rows])
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
