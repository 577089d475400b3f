"""The pictures on disk: faces, scenes, further sources, generators, and who may see which.

`training.data.fill` fills the cache folder; `load_manifest` finds it filled. Both give the
`Manifest`, the only place that knows the splits and the roles.

Splits are by photograph, of faces and scenes, for generators and for the paper's studies: what
learns takes "train", what is tuned takes "validation", and "test" is for the final figures.
"calibration" holds further photographs, of one package, that none of these sees.

Roles are by source, of all pictures, for the extractor: "learn" for statistics, calibration and
choice, "held_out" for figures alone (`training.data.roles`).

    cache/downloads/                     packages as fetched
    cache/faces/000001.jpg ...           999 CelebA faces, original bytes
    cache/photos/PACKAGE/NAME.jpg ...    173 photographs and 159 further ones, original bytes
    cache/pictures/SOURCE/NAME.jpg ...   photographs of further sources, and what is no photograph
    cache/networks/PACKAGE/...           networks over photographs (`training.data.networks`)
    cache/manifest.json
"""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from training.data import fetch
from training.data.pictures import Kind
from training.data.roles import Role
from worker.errors import StopError

Split = Literal["train", "validation", "test", "calibration"]

HELD_OUT_PHOTOS = 26
"""Photographs for validation, and as many for test; the other 121 are for training."""


@dataclass(frozen=True)
class Entry:
    """One file: path below the cache folder, digest, origin, and who may see it.

    Pictures that are neither faces nor scenes have a role and no split.
    """

    file: str
    sha256: str
    kind: Kind
    package: str
    split: Split | None
    source: str
    role: Role


@dataclass(frozen=True)
class Manifest:
    """All pictures, sorted by path; `missing` are packages whose pictures could not be had."""

    root: Path
    entries: tuple[Entry, ...]
    missing: tuple[str, ...] = ()

    def faces(self, split: Split) -> list[Path]:
        """Paths of the faces of a split, by number."""
        return [self.root / entry.file for entry in self._chosen("face", split)]

    def photos(self, split: Split, package: str | None = None) -> list[Path]:
        """Paths of the photographs of a split; of one package, where given.

        A photograph's folder is its package (`path.parent.name`).
        """
        chosen = self._chosen("photo", split)
        return [self.root / e.file for e in chosen if package is None or e.package == package]

    def pictures(self, kind: Kind, role: Role) -> list[Entry]:
        """The pictures of a kind that a role may see, sorted by path; faces are photographs too.

        StopError when sources are missing: what is learned or reported would not be repeatable.
        """
        if self.missing:
            raise StopError(
                f"no pictures of {', '.join(self.missing)} are in {self.root}, so that cohorts"
                " would differ from the published ones; run `latentprint train data` again"
            )
        kinds = ("photo", "face") if kind == "photo" else (kind,)
        return [entry for entry in self.entries if entry.kind in kinds and entry.role == role]

    def path(self, entry: Entry) -> Path:
        """Where a picture is."""
        return self.root / entry.file

    def counts(self) -> dict[str, dict[str, int]]:
        """Files per package and split, of faces and scenes."""
        found = Counter((entry.package, entry.split) for entry in self.entries if entry.split)
        packages = sorted({package for package, _ in found})
        return {name: {s: found[name, s] for s in get_args(Split)} for name in packages}

    def counts_by_source(self) -> dict[tuple[str, Kind, Role], int]:
        """Files per source, kind and role."""
        found = Counter((entry.source, entry.kind, entry.role) for entry in self.entries)
        return dict(sorted(found.items()))

    def _chosen(self, kind: Kind, split: Split) -> list[Entry]:
        if split not in get_args(Split):
            raise ValueError(f"split {split!r} is none of {', '.join(get_args(Split))}")
        return [entry for entry in self.entries if entry.kind == kind and entry.split == split]


def load_manifest(cache: Path | None = None) -> Manifest:
    """The manifest of a filled cache; StopError when there is none or it cannot be read."""
    root = cache or fetch.cache_folder()
    path = root / "manifest.json"
    try:
        listed = json.loads(path.read_text())
        entries = tuple(Entry(**entry) for entry in listed["files"])
        return Manifest(root, entries, tuple(listed["missing"]))
    except FileNotFoundError:
        raise StopError(
            f"no manifest at {path}, so that there is nothing to learn from;"
            " run `latentprint train data` first, or set LATENTPRINT_CACHE"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise StopError(
            f"{path} is not a manifest of this version ({error});"
            " run `latentprint train data` to write it again"
        ) from error


def save_manifest(manifest: Manifest) -> None:
    """Write it into its cache, in one step."""
    files = [asdict(entry) for entry in manifest.entries]
    text = json.dumps({"missing": manifest.missing, "files": files}, indent=1) + "\n"
    fetch.write_once(manifest.root / "manifest.json", text.encode())


def split_photos(names: dict[str, list[str]]) -> dict[tuple[str, str], Split]:
    """(package, name) -> split; each package gets its share, its members by a hash of the name.

    The shares of the held-out photographs are rounded by largest remainder. The hash makes the
    split independent of the order and of the other packages' names.
    """
    total = sum(len(members) for members in names.values())
    exact = {package: HELD_OUT_PHOTOS * len(m) / total for package, m in names.items()}
    quota = {package: int(share) for package, share in exact.items()}
    by_remainder = sorted(exact, key=lambda package: (quota[package] - exact[package], package))
    for package in by_remainder[: HELD_OUT_PHOTOS - sum(quota.values())]:
        quota[package] += 1
    splits: dict[tuple[str, str], Split] = {}
    for package, members in names.items():
        held = quota[package]
        shuffled = sorted(
            members, key=lambda name: hashlib.sha256(f"{package}/{name}".encode()).hexdigest()
        )
        for rank, name in enumerate(shuffled):
            split: Split = "train"
            if rank < 2 * held:
                split = "validation" if rank < held else "test"
            splits[package, name] = split
    return splits
