"""What cores and memory this process may use, and so how many decoders a slot starts.

A container's limits are read as cgroup v2 tells them; under v1 the machine's own count.
"""

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_LIMIT = Path("/sys/fs/cgroup/memory.max")
_BESIDE_MIB = 2048
"""Of a slot, beside its decoders: it at work, images in flight, and room
(docs/operations/deploy.md, How large); with two decoders of 1 GiB each this is 4 GiB."""
_MOST = 16
"""Decoders of a slot; more feed more than one slot (docs/operations/gpu.md). Each is a process.
On two cores one is best: with two, extraction waits for a core (docs/decisions/0036)."""


def usable_cores(quota: Path = _QUOTA) -> int:
    """Those that the scheduler gives this process, or fewer where its container may use fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        share, period = quota.read_text().split()
        allowed = int(share) // int(period)
    except (OSError, ValueError):  # no container, no limit ("max"), or cgroup v1
        return cores or 1
    return max(1, min(cores or 1, allowed))


def usable_memory_mib(limit: Path = _LIMIT) -> int | None:
    """What its container may use at most; None where there is no limit, or cgroup v2 tells none."""
    try:
        return int(limit.read_text()) >> 20
    except (OSError, ValueError):  # no container, no limit ("max"), or cgroup v1
        return None


def decoders_for(
    cores: int, slots: int = 1, *, memory_mib: int | None = None, each_mib: int = 1024
) -> int:
    """How many each of so many slots starts: all cores but one, between them.

    Fewer where not all of them could decode a very large image of `each_mib` at once.
    """
    share = (cores - 1) // slots
    if memory_mib is not None:
        share = min(share, (memory_mib // slots - _BESIDE_MIB) // each_mib)
    return min(_MOST, max(1, share))
