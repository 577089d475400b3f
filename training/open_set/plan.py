"""What the corpus holds: how many pictures of whom, at which sides, under which conditions.

A choice of cost. Families over photographs are slow to draw (a network
takes a second for 512 pixels), so that a few members stand for each; simulated ones are many.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fingerprint_db.conditions import CONDITIONS
from training.data.fetch import cache_folder
from training.data.manifest import Manifest
from training.data.roles import Role
from training.generators.catalogue import generators
from training.generators.generator import Generator
from training.generators.roles import Kind
from training.histories.conditions import arrival_of
from training.open_set.classes import made_class, real_classes
from training.open_set.corpus import PictureClass
from worker.enrol.recompress import Picture, from_pil

ARRIVALS: dict[str, str] = {condition.name: arrival_of(condition) for condition in CONDITIONS}
"""For each enrolled condition the name of its arrival in training/histories/conditions.py."""

HISTORIES_OF: dict[Role, int] = {"learn": 8, "held_out": 4}
"""Drawn for each photograph and side, beside the native and the reduced view."""

PICTURES: dict[Kind, dict[int, int]] = {
    "simulated": {64: 8, 128: 8, 256: 6, 512: 6},
    "network": {128: 90, 256: 90, 512: 70},
    "gan": {64: 150},
    "trained": {64: 150, 128: 90, 256: 90},
}
"""How many of each generator, by side; fifty of those that can be registered are its samples."""

MEMBERS: dict[Kind, int] = {"simulated": 6, "network": 2, "gan": 4, "trained": 4}
_NOT_DRAWN = {("realsr_df2k", 512)}
"""Eight seconds a picture, and a sibling of the same architecture stands for it."""
_CONTENT = 110
"""Photographs that generators over photographs are given."""
_CONTENT_SIDE = 1600


def classes(manifest: Manifest, role: Role) -> Iterator[PictureClass]:
    """All classes of a role: photographs by source, then generators, the quick ones first."""
    yield from real_classes(manifest, role, histories=HISTORIES_OF[role])
    content = _content(manifest)
    for generator in chosen(role):
        for side, count in PICTURES[generator.kind].items():
            if side in generator.sides and (generator.name, side) not in _NOT_DRAWN:
                yield made_class(generator, content, role, side, count)


def folder(given: Path | None = None) -> Path:
    """Where the corpus lies: `given`, or beside the photographs in the cache folder."""
    return given or cache_folder() / "open_set"


def chosen(role: Role) -> list[Generator]:
    """So many members of each family."""
    by_family: dict[str, list[Generator]] = defaultdict(list)
    for generator in generators(role):
        by_family[generator.family].append(generator)
    found = []
    for members in by_family.values():
        many = min(MEMBERS[members[0].kind], len(members))
        # Spread over the list, in which siblings stand side by side.
        found += [members[i] for i in np.linspace(0, len(members) - 1, many).round().astype(int)]
    return found


def _content(manifest: Manifest) -> list[Picture]:
    """Of the learning sources for both roles: of those held out too few are large enough."""
    entries = [e for e in manifest.pictures("photo", "learn") if e.kind == "photo"]
    step = max(1, len(entries) // _CONTENT)
    pictures = []
    for entry in entries[::step][:_CONTENT]:
        with Image.open(manifest.path(entry)) as opened:
            image = opened.convert("RGB")
        image.thumbnail((_CONTENT_SIDE, _CONTENT_SIDE), Image.Resampling.LANCZOS)
        pictures.append(from_pil(image))
    return pictures
