"""The classes of the corpus: sources of photographs with their histories, and generators.

A photograph is shown at each side that it has room for: a cut of it as it is, the whole picture
made smaller and then cut, and after a few histories each (training/histories). A photograph that is
smaller than the side is not enlarged for it: enlarged pictures are a history of their own.
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from training.data.manifest import Entry, Manifest
from training.data.roles import Role
from training.generators.generator import Generator
from training.histories.history import HISTORIES
from training.histories.pictures import KERNELS, resize, tile
from training.open_set.corpus import Drawn, PictureClass
from worker.enrol.recompress import Picture, from_pil

SIDES = (256, 512)
_LARGEST = 2048  # photographs are reduced to this: memory, not science
MOST_OF_A_SOURCE = 200
"""Photographs: one source of a thousand faces must not cost more than all others together."""


def real_classes(manifest: Manifest, role: Role, *, histories: int) -> list[PictureClass]:
    """One class for each source of photographs of a role; so many histories a photograph."""
    by_source: dict[str, list[Entry]] = {}
    for entry in manifest.pictures(kind="photo", role=role):
        by_source.setdefault(entry.source, []).append(entry)
    return [
        _real_class(manifest, source, entries[:MOST_OF_A_SOURCE], role, histories)
        for source, entries in sorted(by_source.items())
    ]


def _real_class(
    manifest: Manifest, source: str, entries: Sequence[Entry], role: Role, histories: int
) -> PictureClass:
    def draw() -> Iterator[Drawn]:
        for entry in entries:
            identity = _digest(entry.file)
            rng = np.random.default_rng(identity)
            picture = _read(manifest, entry)
            for side in SIDES:
                yield from _views(picture, identity, side, histories, role, rng)

    files = " ".join(entry.sha256[:8] for entry in entries)
    version = f"{_digest(files)} {histories} {SIDES} {sorted(HISTORIES)}"
    return PictureClass(f"real {source}", source, True, role, draw, version)


def _views(
    picture: Picture,
    photograph: int,
    side: int,
    histories: int,
    role: Role,
    rng: np.random.Generator,
) -> Iterator[Drawn]:
    least = min(picture.shape[1:])
    if least < side:
        return
    yield Drawn(tile(picture, side, side, rng), photograph, side, "native")
    if least > 1.2 * side:
        yield Drawn(_reduced(picture, side, rng), photograph, side, "native reduced")
    names = [name for name, one in HISTORIES.items() if role != "learn" or one.learned]
    for name in rng.choice(names, min(histories, len(names)), replace=False):
        larger = tile(picture, min(least, 2 * side), min(least, 2 * side), rng)
        changed = HISTORIES[str(name)].apply(larger, rng)
        if min(changed.shape[1:]) < side:
            continue
        # A card or a ground is a whole: a cut of it would show one of its parts.
        if HISTORIES[str(name)].group not in ("plain_ground", "screen"):
            changed = tile(changed, side, side, rng)
        yield Drawn(changed, photograph, side, str(name))


def _reduced(picture: Picture, side: int, rng: np.random.Generator) -> Picture:
    """Made smaller by a random kernel, as far as leaves room for the side, and cut."""
    least = min(picture.shape[1:])
    scale = float(np.exp(rng.uniform(np.log(side / least), np.log(0.9))))
    scale = max(scale, (side + 1) / least)
    return tile(resize(picture, scale, KERNELS[rng.integers(len(KERNELS))]), side, side, rng)


def made_classes(
    generators: Sequence[Generator], photographs: Sequence[Picture], role: Role, *, count: int
) -> list[PictureClass]:
    """One class for each generator: `count` images at each of its sides."""
    return [_made_class(one, photographs, role, count) for one in generators]


def _made_class(
    one: Generator, photographs: Sequence[Picture], role: Role, count: int
) -> PictureClass:
    def draw() -> Iterator[Drawn]:
        for side in one.sides:
            seed = _digest(f"{one.name} {side}") % (1 << 31)
            for number, made in enumerate(one.make(count, side, seed, photographs)):
                yield Drawn(made, number, side, "made")

    version = f"{count} {one.sides} {len(photographs)}"
    return PictureClass(f"made {one.name}", one.family, False, role, draw, version)


def _read(manifest: Manifest, entry: Entry) -> Picture:
    picture = from_pil(Image.open(manifest.path(entry)).convert("RGB"))
    largest = max(picture.shape[1:])
    if largest <= _LARGEST:
        return picture
    return resize(picture, _LARGEST / largest, Image.Resampling.LANCZOS)


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
