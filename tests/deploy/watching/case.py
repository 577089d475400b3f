"""What a case of an alarm is: figures at which it must fire, or must be silent.

Series are in promtool's notation, one value a minute, of a long case one in ten: `0+3x10` begins at
0 and rises ten times by 3, `1x10` stays at 1, `_` is no value.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fires:
    """Figures at which an alarm fires at a time, with which labels, saying what."""

    alarm: str
    at: str
    series: dict[str, str]
    description: str
    labels: dict[str, str] = field(default_factory=dict)
    long: bool = False


@dataclass(frozen=True, slots=True)
class Silent:
    """Figures at which it does not, though the eye might think so."""

    alarm: str
    at: str
    series: dict[str, str]
    because: str
    long: bool = False


NO_CHANGE = "7x1500"


def of(name: str, **labels: str) -> str:
    """The series of a figure of slot 0."""
    own = ", ".join(f'{k}="{v}"' for k, v in {"slot": "0", **labels}.items())
    return f"latentprint_{name}{{{own}}}"
