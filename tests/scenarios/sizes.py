"""How large the scenarios are: a picked few minutes as a rule, the stated sizes with FULL=1."""

import os

FULL = os.environ.get("FULL", "") not in ("", "0")
"""`make scenarios FULL=1`: the sizes of the goals."""

SEED = int(os.environ.get("REPLAY") or 20261125)
"""Of every random fault; `make scenarios REPLAY=SEED` runs the same schedule again."""


def size(small: int, full: int) -> int:
    """The small number as a rule, the goal's own with FULL=1."""
    return full if FULL else small
