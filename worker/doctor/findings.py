"""What one check found, and what all findings together come to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Standing = Literal["good", "note", "unchecked", "wrong", "away"]
"""`note` is worth knowing and stops nothing; `wrong` is the operator's to mend; `away` is a
service out of reach, which may come back by itself."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence on one thing: what was seen and, unless it is good, what to do."""

    check: str
    standing: Standing
    text: str


def faults(findings: Iterable[Finding]) -> list[Finding]:
    """Those that somebody must do something about."""
    return [one for one in findings if one.standing in ("wrong", "away")]


def exit_code(findings: Iterable[Finding]) -> int:
    """0 all well, 2 something to mend, 3 nothing but services out of reach."""
    standings = {one.standing for one in findings}
    if "wrong" in standings:
        return 2
    return 3 if "away" in standings else 0
