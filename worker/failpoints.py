"""Places where a scenario may kill the worker; off unless LATENTPRINT_FAILPOINT arms one.

The format is `NAME:kill` or `NAME:kill@N`, the N-th time the place is reached. It is a tool of the
scenario tests, so that the hardest moments of a transaction are hit on purpose and not by luck.
"""

import os
import signal
from collections.abc import Callable, Mapping

from worker.errors import StopError

NAMES = ("after_begin", "after_first_send", "after_flush", "after_offsets", "after_commit")

Failpoint = Callable[[str], None]


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def from_environment(environment: Mapping[str, str], kill: Callable[[], None] = _kill) -> Failpoint:
    """The function to call at each named place; it does nothing unless a place is armed."""
    armed = environment.get("LATENTPRINT_FAILPOINT", "")
    if not armed:
        return lambda name: None
    name, _, action = armed.partition(":")
    kind, _, number = action.partition("@")
    if name not in NAMES or kind != "kill" or not (number == "" or number.isdigit()):
        raise StopError(
            f"LATENTPRINT_FAILPOINT={armed!r}: expected NAME:kill or NAME:kill@N with a name of"
            f" {', '.join(NAMES)}; unset it outside the scenario tests",
            exit_code=2,
        )
    left = int(number or 1)

    def reach(reached: str) -> None:
        nonlocal left
        if reached == name:
            left -= 1
            if left == 0:
                kill()

    return reach
