"""Waiting for a condition, with a deadline and a description; tests never sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.02


def wait_for(condition: Callable[[], T], description: str, deadline_s: float = 30.0) -> T:
    """Call `condition` until its value is true in the boolean sense; return that value.

    Raises:
        TimeoutError: it was still false after `deadline_s` seconds; names `description` and the
            last value seen.
    """
    began = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() - began > deadline_s:
            raise TimeoutError(f"waited {deadline_s:g} s for {description}; last saw {value!r}")
        time.sleep(_POLL_S)
