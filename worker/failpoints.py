"""Places where a scenario may kill or stop the worker; off unless LATENTPRINT_FAILPOINT arms one.

The format is `NAME:ACTION` or `NAME:ACTION@N`, the N-th time the place is reached; ACTION is `kill`
(SIGKILL) or `stop` (SIGSTOP, until someone sends SIGCONT). It is a tool of the scenario tests, so
that the hardest moments of a transaction are hit on purpose and not by luck.
"""

import os
import signal
import threading
from collections.abc import Callable, Mapping

from worker.errors import StopError

NAMES = (
    "before_begin",  # finished events are taken, nothing is sent
    "after_fetch",  # events were read and admitted, none of them is committed
    "after_begin",
    "after_first_send",  # records written, neither flushed nor offset
    "after_flush",  # all records acknowledged, no offset
    "after_offsets",  # offsets pending, not committed: the next producer must settle it
    "during_commit",  # the commit was asked for and has not answered
    "after_commit",  # committed, but the worker never learned of it
    "in_revoke",  # partitions are being taken away
)
ACTIONS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
DURING_S = 0.001
"""`during_` places act so long after they are reached, on a thread of their own, while the call
that follows them is under way."""

Failpoint = Callable[[str], None]
Send = Callable[[signal.Signals], None]


def _to_this_process(action: signal.Signals) -> None:
    os.kill(os.getpid(), action)


def from_environment(
    environment: Mapping[str, str], *, allowed: bool, send: Send = _to_this_process
) -> Failpoint:
    """The function to call at each named place; it does nothing unless a place is armed.

    Raises StopError (exit code 2) for what is armed where it is not `allowed`, or unknown.
    """
    armed = environment.get("LATENTPRINT_FAILPOINT", "")
    if not armed:
        return lambda name: None
    if not allowed:
        raise StopError(
            f"LATENTPRINT_FAILPOINT={armed!r} would kill or stop this worker on purpose, which is"
            " for scenario tests on one machine alone; unset it (profile=local allows it)",
            exit_code=2,
        )
    name, _, what = armed.partition(":")
    action, _, number = what.partition("@")
    if name not in NAMES or action not in ACTIONS or not (number == "" or number.isdigit()):
        raise StopError(
            f"LATENTPRINT_FAILPOINT={armed!r}: expected NAME:ACTION or NAME:ACTION@N with a name of"
            f" {', '.join(NAMES)} and an action of {', '.join(ACTIONS)}; unset it outside the"
            " scenario tests",
            exit_code=2,
        )
    left = int(number or 1)

    def reach(reached: str) -> None:
        nonlocal left
        if reached == name:
            left -= 1
            if left == 0 and name.startswith("during_"):
                threading.Timer(DURING_S, send, [ACTIONS[action]]).start()
            elif left == 0:
                send(ACTIONS[action])

    return reach
