"""Markdown tables and the words that pages share."""

from collections.abc import Iterable, Sequence

import numpy as np

from training.paper.studies.measured import Measured

NOT_MEASURED = "not measured"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table, and an empty one behind it."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def percent(share: float | None) -> str:
    """0.9876 as 98.76."""
    return NOT_MEASURED if share is None else f"{100 * share:.2f}"


def spread(shares: Sequence[float]) -> str:
    """Mean and standard deviation of several seeds, in percent: 98.76 ± 0.12, 3 seeds."""
    if not shares:
        return NOT_MEASURED
    seeds = counted(len(shares))
    if len(shares) == 1:
        return f"{percent(shares[0])}, {seeds}"
    return f"{100 * np.mean(shares):.2f} ± {100 * np.std(shares, ddof=1):.2f}, {seeds}"


def counted(seeds: int) -> str:
    """1 seed, 3 seeds."""
    return f"{seeds} seed{'' if seeds == 1 else 's'}"


def published(value: float | None, form: str = ".2f") -> str:
    """A number of the paper, or a dash where it gives none."""
    return "-" if value is None else format(value, form)


def accuracy(measured: Measured | None) -> float | None:
    """Of a measurement that has one."""
    return None if measured is None else float(measured.result["accuracy"])


def mean_accuracy(measured: Sequence[Measured]) -> float | None:
    """Over training seeds, 0 to 1; None where nothing is measured."""
    shares = [float(one.result["accuracy"]) for one in measured]
    return sum(shares) / len(shares) if shares else None


def provenance(measured: Iterable[Measured | None], command: str) -> str:
    """The command, the dates, commits and machines behind a page, and the time it took."""
    known = [one for one in measured if one is not None]
    if not known:
        return f"Not measured yet; `{command}` does it."
    dates, commits, machines = (
        sorted({getattr(one, key) for one in known}) for key in ("date", "commit", "machine")
    )
    hours = sum(one.seconds for one in known) / 3600
    return (
        f"Made by `{command}` on {', '.join(dates)}; {'; '.join(machines)}; at commit"
        f" {', '.join(commits)} (+ means with changes on top); {hours:.1f} hours of one process."
    )
