"""The gate's report for people: one line a condition, then what was found."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fingerprint_db.gate.refusals import SIBLING_SAMPLES, STANDARD_SAMPLES
from fingerprint_db.gate.report import EnrolmentReport, Grade
from fingerprint_db.names import printable
from worker.enrol.hints import LeftOut

_ALLOWS: dict[Grade, str] = {
    "family": f"provisional: below {STANDARD_SAMPLES} samples, verdicts name the family only",
    "model": (
        f"enough samples for the model's name; with {SIBLING_SAMPLES} and more, siblings of its"
        " family are told apart better"
    ),
    "sibling": "enough samples for the model's name, among siblings of its family too",
}
"""What the number of samples allows."""


def print_gate(report: EnrolmentReport, left_out: Sequence[LeftOut], hints: Sequence[str]) -> None:
    """What the gate found, on standard output; names and paths never act on the terminal."""
    console = Console(soft_wrap=True, highlight=False)

    def say(text: str, style: str = "") -> None:
        # As Text: in a plain string rich would take what stands in brackets for its markup.
        console.print(Text(printable(text), style))

    for sample in left_out:
        say(f"left out {sample.subject}: {sample.why}", "yellow")
    for hint in hints:
        say(f"unusual: {hint}", "yellow")
    table = Table(title=Text(f"{printable(report.name)}: {report.samples} distinct samples"))
    table.add_column("condition", no_wrap=True)
    for heading in ("samples", "recognised", "95 %", "nearest model", "likelier"):
        table.add_column(heading, justify="right")
    for row in report.conditions:
        table.add_row(
            row.condition,
            str(row.samples),
            f"{row.recognised:.0%}",
            f"{row.at_least:.0%}-{row.at_most:.0%}",
            Text(printable(row.nearest_model or "none")),
            f"{row.nearest_confusion:.0%}",
        )
    console.print(table)
    say(
        f"spread {report.spread:.2f}; real photos inside {report.real_inside:.1%};"
        f" nearest registered model: {report.nearest_model or 'none'}"
        f" ({report.nearest_confusion:.0%} confused)"
    )
    if report.likeness is not None:
        group = report.likeness.standing
        say(
            f"as a group {group.standing_out:.1f} deviations from the means of {group.sources}"
            f" sources of photographs (the furthest source: {group.furthest_source:.1f});"
            f" {report.likeness.told:.0%} of the samples told from photographs of their kind"
        )
    for row in report.conditions:
        for limit in row.limits:
            say(f"expect little under {row.condition}: {limit}", "yellow")
    by_reason: dict[str, list[str]] = {}
    for absent in report.not_enrolled:
        by_reason.setdefault(absent.why, []).append(absent.condition)
    for reason, conditions in by_reason.items():
        say(f"not enrolled under {', '.join(conditions)}: {reason}", "yellow")
    for subject in report.set_aside:
        say(f"set aside {subject}: too far from the other samples to be of one origin", "yellow")
    for warning in report.warnings:
        say(f"unusual: {warning}", "yellow")
    say(_ALLOWS[report.grade])
    for refusal in report.refusals:
        say(f"refused: {refusal}", "red")
