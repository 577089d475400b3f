"""Where compiled loops are kept: a folder for each state of all sources that they are made of.

numba holds what it kept against the file of the function alone. A loop calls others and takes in
numbers that stand in other files: after an upgrade or an edit of those the old code would run on.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
SOURCES = ("worker/extractor", "worker/extractor/blocks", "fingerprint_db/matching/rows")
"""The folders with loops, and all that loops take in beside numbers of their arguments."""
_ROOT = Path(__file__).resolve().parent.parent
_PREFIX = "loops-"
_KEPT = 4
"""Folders: this one, and three of before, which a worker of another version may be using still; the
chart's volume has room for more."""


def keep_by_sources(environment: MutableMapping[str, str]) -> None:
    """Have numba, which must not be imported yet, keep its code in the folder of these sources.

    Where none can be made the environment stays as it is, and numba says so, or the doctor. Folders
    of other sources go, but for the last few.
    """
    for place in places(environment):
        own = place / f"{_PREFIX}{sources_digest()[:16]}"
        try:
            own.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.utime(own)
        except OSError:
            continue
        if os.access(own, os.W_OK | os.X_OK):
            environment[VARIABLE] = str(own)
            _leave_the_last(place)
            return


def places(environment: Mapping[str, str]) -> Iterator[Path]:
    """Where such folders may lie, best first: as named, beside the program, in the user's home."""
    if named := environment.get(VARIABLE):
        path = Path(named)
        yield path.parent if path.name.startswith(_PREFIX) else path  # set by who started us
        return
    yield _ROOT / "worker" / "__pycache__"
    yield Path(environment.get("HOME") or Path.home()) / ".cache" / "numba"


def sources_digest(root: Path = _ROOT) -> str:
    """Of all that loops are compiled from."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((root / folder).glob("*.py")):
            digest.update(f"{folder}/{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _leave_the_last(place: Path) -> None:
    """Each start marks its folder, so that the last used are known."""
    try:
        found = sorted(place.glob(f"{_PREFIX}*"), key=lambda one: one.stat().st_mtime)
    except OSError:  # another start does the same
        return
    for old in found[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
