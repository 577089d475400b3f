"""The classes of the corpus: sources of photographs with their histories, and generators.

A photograph is shown as the file that it came in, and at each side that it has room for: a cut of
it as it is, the picture made smaller and then cut, and after several histories each
(training/histories): half of these from the size of the camera, half after it was made smaller,
as most pictures are before anything else befalls them. A photograph that is
smaller than the side is not enlarged for it: enlarged pictures are a history of their own.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from training.data.manifest import Entry, Manifest
from training.data.roles import Role
from training.generators.generator import Generator
from training.histories.history import HISTORIES
from training.histories.pictures import KERNELS, resize, tile
from training.open_set.corpus import Drawn, PictureClass, number_of
from worker.enrol.recompress import Picture, from_pil

SIDES = (64, 128, 256, 512)
WHOLE = 0
"""In place of a side: the whole file, as it came."""
_LARGEST = 2048  # of larger photographs the middle is seen: memory, not science
MOST_OF_A_SOURCE = 200
"""Photographs: one source of a thousand faces must not cost more than all others together."""


def real_classes(manifest: Manifest, role: Role, *, histories: int) -> list[PictureClass]:
    """A class for each source of photographs of a role and side; so many histories a photograph."""
    by_source: dict[str, list[Entry]] = {}
    for entry in manifest.pictures(kind="photo", role=role):
        by_source.setdefault(entry.source, []).append(entry)
    return [
        _real_class(manifest, source, entries[:MOST_OF_A_SOURCE], role, side, histories)
        for source, entries in sorted(by_source.items())
        for side in (WHOLE, *SIDES)
    ]


def _real_class(
    manifest: Manifest,
    source: str,
    entries: Sequence[Entry],
    role: Role,
    side: int,
    histories: int,
) -> PictureClass:
    def draw() -> Iterator[Drawn]:
        for entry in entries:
            identity = number_of(entry.file)
            if side == WHOLE:
                yield Drawn(manifest.path(entry).read_bytes(), identity, "native")
                continue
            rng = np.random.default_rng([identity, side])
            yield from _views(_read(manifest, entry), identity, side, histories, role, rng)

    files = " ".join(entry.sha256[:8] for entry in entries)
    version = f"{number_of(files)} {histories} {side} {sorted(HISTORIES)}"
    if side != WHOLE:
        version += " half of them made smaller first"
    return PictureClass(f"real {source}", source, True, role, side, draw, version)


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
    yield Drawn(tile(picture, side, side, rng), photograph, "native")
    if least > 1.2 * side:
        smaller = tile(_smaller(picture, side, rng), side, side, rng)
        yield Drawn(smaller, photograph, "native reduced")
    names = [name for name, one in HISTORIES.items() if role != "learn" or one.learned]
    for name in rng.choice(names, min(histories, len(names)), replace=False):
        before = _smaller(picture, side, rng) if rng.random() < 0.5 else picture
        room = min(2 * side, *before.shape[1:])
        larger = tile(before, room, room, rng)
        changed = HISTORIES[str(name)].apply(larger, rng)
        if min(changed.shape[1:]) < side:
            continue
        # A card or a ground is a whole: a cut of it would show one of its parts.
        if HISTORIES[str(name)].group not in ("plain_ground", "screen"):
            changed = tile(changed, side, side, rng)
        yield Drawn(changed, photograph, str(name))


def _smaller(picture: Picture, side: int, rng: np.random.Generator) -> Picture:
    """Made smaller by a random kernel, to a least side of `side` to nine tenths of its own."""
    least = min(picture.shape[1:])
    if least <= 1.2 * side:
        return picture
    scale = float(np.exp(rng.uniform(np.log(side / least), np.log(0.9))))
    scale = max(scale, (side + 1) / least)
    return resize(picture, scale, KERNELS[rng.integers(len(KERNELS))])


def made_class(
    one: Generator, photographs: Sequence[Picture], role: Role, side: int, count: int
) -> PictureClass:
    """`count` images of a generator at one of its sides."""

    def draw() -> Iterator[Drawn]:
        seed = number_of(f"{one.name} {side}") % (1 << 31)
        for number, made in enumerate(one.make(count, side, seed, photographs)):
            yield Drawn(made, number, "made")

    version = f"{count} {side} {len(photographs)}"
    return PictureClass(f"made {one.name}", one.family, False, role, side, draw, version)


def _read(manifest: Manifest, entry: Entry) -> Picture:
    """The middle of a photograph, at its own size."""
    with Image.open(manifest.path(entry)) as opened:
        width, height = opened.size
        left, top = max(0, width - _LARGEST) // 2, max(0, height - _LARGEST) // 2
        box = (left, top, min(width, left + _LARGEST), min(height, top + _LARGEST))
        return from_pil(opened.convert("RGB").crop(box))
