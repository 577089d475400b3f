"""How many processor cores this process may use, and so how many decoders a slot starts."""

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_FEWEST, _MOST = 2, 16
"""Decoders of a slot alone: two, as before there was a rule; more than 16 feed more slots than one
(docs/operations/gpu.md), and each is a process."""


def usable_cores(quota: Path = _QUOTA) -> int:
    """Those that the scheduler gives this process, or fewer where its container may use fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        share, period = quota.read_text().split()
        allowed = int(share) // int(period)
    except (OSError, ValueError):  # not in a container, or without a limit ("max")
        return cores or 1
    return max(1, min(cores or 1, allowed))


def decoders_for(cores: int, slots: int = 1) -> int:
    """How many each of so many slots starts: all cores but one, between them."""
    share = (cores - 1) // slots
    return min(_MOST, max(_FEWEST if slots == 1 else 1, share))
