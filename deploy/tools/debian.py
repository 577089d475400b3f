"""Programs from Debian's packages: fetched by apt, unpacked into the user's cache, without root.

What is on the PATH comes first. apt checks the signatures of the archive it is set up for, so that
no digest is pinned here: security updates change them. Where there is no apt, install the program.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from deploy.tools.errors import ToolUnavailable

FETCH_DEADLINE_S: Final = 300.0

PACKAGES: Final[dict[str, tuple[str, ...]]] = {
    "prometheus": ("prometheus",),
    "promtool": ("prometheus",),
    "alertmanager": ("prometheus-alertmanager",),
    "amtool": ("prometheus-alertmanager",),
    "redis-server": ("redis-tools", "redis-server", "libjemalloc2", "liblzf1"),
}
"""By program: the packages that hold it and what it is linked to; Debian's names of them."""

_DEBIAN_NAMES: Final = {
    "alertmanager": "prometheus-alertmanager",
    "redis-server": "redis-check-rdb",  # one program under two names; the other is a link to it
}


_FIXED_PLACE: Final = b"/usr/share/prometheus/alertmanager"
_OWN_PLACE: Final = b"./" * 11 + b"alertmanager"
"""Debian's Alertmanager opens its templates at a place that only root can fill. A copy of it looks
in the working directory instead: a path of the same length, so that nothing else moves."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that runs here, and the environment that it needs beside this process's own.

    Where `beside` names a folder, a server must find it in its working directory by its own name.
    """

    path: Path
    environment: dict[str, str]
    beside: Path | None = None


def find_tool(program: str) -> Tool:
    """A program of `PACKAGES`, from the PATH or Debian's packages.

    Raises:
        KeyError: no program of that name is known here.
        ToolUnavailable: it is not on the PATH, and apt cannot bring it.
    """
    packages = PACKAGES[program]
    # The wheel's own Redis, beside `python`, has no TLS: whoever asks here wants Debian's.
    if program != "redis-server" and (found := shutil.which(program)):
        return Tool(Path(found), {})
    folder = cache_folder() / "debian" / packages[-1 if len(packages) == 1 else 1]
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_suffix(".lock")
    try:
        # The library's way out without locks is a file that outlives a killed holder.
        with FileLock(lock, timeout=FETCH_DEADLINE_S, fallback_to_soft=False):
            if not folder.exists():
                _fetch(program, packages, folder)
    except Timeout as busy:
        raise ToolUnavailable(
            f"another process has been fetching {program} for {FETCH_DEADLINE_S:g} s (lock {lock});"
            " wait for it or end it, then try again"
        ) from busy
    libraries = sorted({str(file.parent) for file in (folder / "usr/lib").rglob("*.so*")})
    path = folder / "usr/bin" / _DEBIAN_NAMES.get(program, program)
    if not path.exists():
        raise ToolUnavailable(f"Debian's {packages[0]} holds no {path.name}; remove {folder}")
    if program == "alertmanager":
        return Tool(_looking_beside(path), {}, folder / "usr/share/prometheus/alertmanager")
    if program == "redis-server":
        link = folder / "usr/bin/redis-server"
        path = link if link.exists() else path
    return Tool(path, {"LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {})


def _looking_beside(program: Path) -> Path:
    """A copy that looks for its files in the working directory; made at the first call."""
    copy = program.with_name("alertmanager")
    if not copy.exists():
        half = program.with_name(f"alertmanager.{os.getpid()}")
        half.write_bytes(program.read_bytes().replace(_FIXED_PLACE, _OWN_PLACE))
        half.chmod(0o755)
        half.replace(copy)
    return copy


def cache_folder() -> Path:
    """Where unpacked and built programs are kept, of this user alone."""
    named = os.environ.get("LATENTPRINT_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "latentprint"


def _fetch(program: str, packages: tuple[str, ...], folder: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise ToolUnavailable(
            f"{program} is not on the PATH, and there is no apt to fetch Debian's"
            f" {' and '.join(packages)} with; install {program} (any way you like)"
        )
    with tempfile.TemporaryDirectory(dir=folder.parent) as unpacked_in:
        place = Path(unpacked_in)
        lists = [f"-oDir::State::Lists={place / 'lists'}", f"-oDir::Cache={place / 'cache'}"]
        (place / "lists/partial").mkdir(parents=True)
        (place / "cache/archives/partial").mkdir(parents=True)
        _run(program, ["apt-get", "-qq", *lists, "update"], place)
        _run(program, ["apt-get", "-qq", *lists, "download", *packages], place)
        for archive in sorted(place.glob("*.deb")):
            _run(program, ["dpkg-deb", "-x", str(archive), str(place / "root")], place)
        (place / "root").rename(folder)


def _run(program: str, command: list[str], folder: Path) -> None:
    try:
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=FETCH_DEADLINE_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        last = said.strip().splitlines()[-1:] or ["it said nothing"]
        raise ToolUnavailable(
            f"{program} is not on the PATH, and `{' '.join(command[:1])}` could not fetch it"
            f" ({last[0]}); install it, or mend apt"
        ) from error
