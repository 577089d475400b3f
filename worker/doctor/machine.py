"""This machine: the client of Kafka, open files, and where compiled loops are kept."""

import os
import re
import resource
import shutil
import stat
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from worker.compiled_loops import VARIABLE, places
from worker.doctor.findings import Finding

ENOUGH_FILES = 1024
"""What Linux gives by default; a worker holds a few dozen: connections, pipes to its decoders."""

ENOUGH_BYTES = 100 * 1024 * 1024
"""The compiled loops take a few MB; a disk with less left than this is about to be full."""


def examine_machine(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Everything about this machine that needs no service and loads nothing heavy."""
    from worker.stream.start_checks import check_client

    wrong = check_client()
    yield from (Finding("client", "wrong", text) for text in wrong)
    if not wrong:
        yield Finding("client", "good", f"kafka-python {version('kafka-python')}, with crc32c in C")
    yield _torch()
    yield _open_files()
    yield _place_for_compiled_loops(environment)


def _torch() -> Finding:
    """Whether torch and torchvision are of one build; not loaded, which takes seconds.

    torchvision is compiled against one torch: beside one for another device it does not load.
    """
    torch, vision = build_of("torch"), build_of("torchvision")
    text = f"torch {torch} and torchvision {vision}"
    if torch.partition("+")[2] != vision.partition("+")[2]:
        remedy = "install both by one command, from one index"
        return Finding("torch", "wrong", f"{text} are of two builds and do not fit: {remedy}")
    return Finding("torch", "good", text)


def build_of(package: str) -> str:
    """The version with its build, such as 2.15.0+cpu, which the package's metadata leaves out."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return "none"
    text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    found = re.search(r"^__version__\b.*?= *['\"](.+?)['\"]", text, re.MULTILINE)
    return found[1] if found else "unknown"


def _open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= ENOUGH_FILES:
        return Finding("open files", "good", f"{soft} may be open")
    raised = "" if hard == resource.RLIM_INFINITY or hard >= ENOUGH_FILES else ", and the hard one"
    return Finding(
        "open files",
        "wrong",
        f"only {soft} files may be open, expected {ENOUGH_FILES}; raise the limit{raised}"
        " (`ulimit -n`, LimitNOFILE of systemd)",
    )


def _place_for_compiled_loops(environment: Mapping[str, str]) -> Finding:
    """Where what is compiled would be kept: the first of the places that can be written."""
    named = environment.get(VARIABLE)
    check = "compiled loops"
    if named and not _writable(Path(named)):
        return Finding(
            check,
            "wrong",
            f"NUMBA_CACHE_DIR={named} cannot be written by this user; every start would compile"
            " again for the better part of a minute, or fail: set it to a folder that this user"
            " can write, and no other user",
        )
    place = next(filter(_writable, places(environment)), None)
    if place is None:
        beside, home = places({**environment, VARIABLE: ""})
        return Finding(
            check,
            "wrong",
            f"neither {beside} nor {home} can be written: set NUMBA_CACHE_DIR to a folder that this"
            " user can write, and no other user",
        )
    there = _nearest(place)
    if place.exists() and stat.S_IMODE(place.stat().st_mode) & stat.S_IWOTH:
        return Finding(
            check,
            "wrong",
            f"everybody may write to {place}, and what lies there is run as code: `chmod go-w"
            f" {place}`",
        )
    free = shutil.disk_usage(there).free
    if free < ENOUGH_BYTES:
        return Finding(
            check,
            "wrong",
            f"{there} has {free >> 20} MiB left, expected {ENOUGH_BYTES >> 20}: free some, or set"
            " NUMBA_CACHE_DIR to a folder on another disk",
        )
    return Finding(check, "good", f"kept in {place}")


def _writable(folder: Path) -> bool:
    """Whether the folder is there or can be made; asked without making it."""
    nearest = _nearest(folder)
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _nearest(path: Path) -> Path:
    """The path, or the closest above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
