"""No image reaches a disk by a core file: a process that dies writes none of its memory."""

import resource

_LESS_THAN_ANY_CORE = 1
"""Byte. Linux takes 0 for a file alone, and still hands the memory to a program that the machine
names in `core_pattern`; of 1 byte it says that neither is possible (core(5), fs/coredump.c)."""


def forbid_core_dumps() -> None:
    """From now on, for this process and all that it starts; a limit of 0 that is there stays."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = _LESS_THAN_ANY_CORE if hard == resource.RLIM_INFINITY else min(hard, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
