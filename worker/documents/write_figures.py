"""Writes the table of docs/operations/seeing.md from worker/metrics.py: `make schemas`.

A test keeps the page equal to what is written here, so that no figure is undocumented.
"""

from pathlib import Path

from worker.metrics import NOTIFY, SUPERVISOR, WORKER

FILE = Path(__file__).resolve().parents[2] / "docs" / "operations" / "seeing.md"
BEGIN = "<!-- figures: written by `make schemas` -->\n"
END = "<!-- end of figures -->\n"

_OF = (
    (WORKER, "Of a worker, each with the label `slot` besides:"),
    (SUPERVISOR, "Of `run --slots`:"),
    (NOTIFY, "Of `notify`:"),
)


def document(page: str) -> str:
    """The page with its table written anew."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{FILE.name} has lost the lines between which the figures stand")
    return "".join([before, begin, _tables(), end, after])


def _tables() -> str:
    lines = []
    for declared, whose in _OF:
        lines += ["", whose, "", "| figure | kind, unit | labels | meaning |", "|---|---|---|---|"]
        for metric in declared:
            labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
            lines.append(
                f"| `{metric.exposed_name}` | {metric.kind}, {metric.unit} | {labels}"
                f" | {metric.meaning} |"
            )
    return "\n".join([*lines, "", ""])


if __name__ == "__main__":
    FILE.write_text(document(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    print(FILE.name)
