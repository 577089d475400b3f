"""What the corpus holds: how many pictures of whom, at which sides, under which conditions.

A choice of cost: half an hour on two cores. Families over photographs are slow to draw (a network
takes a second for 512 pixels), so that a few members stand for each; simulated ones are many.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.fetch import cache_folder
from training.data.manifest import Manifest
from training.data.roles import Role
from training.generators.catalogue import generators
from training.generators.generator import Generator
from training.open_set.classes import SIDES, made_classes, real_classes
from training.open_set.corpus import PictureClass
from worker.enrol.recompress import Picture, from_pil

ARRIVALS = ("clean", "jpeg90", "jpeg75", "half", "jpeg85_then_75")
"""Names in training/histories/conditions.py."""

HISTORIES_OF: dict[Role, int] = {"learn": 2, "held_out": 4}
"""Drawn for each photograph and side, beside the native and the reduced view."""

MEMBERS_OF_SIMULATED, PICTURES_OF_SIMULATED = 6, 6
MEMBERS_OF_NETWORKS, PICTURES_OF_NETWORKS = 2, 90
_CONTENT = 110
"""Photographs that generators over photographs are given."""
_CONTENT_SIDE = 1600


def classes(manifest: Manifest, role: Role) -> Iterator[PictureClass]:
    """All classes of a role: photographs by source, then generators, the quick ones first."""
    yield from real_classes(manifest, role, histories=HISTORIES_OF[role])
    content = _content(manifest)
    for generator in chosen(role):
        simulated = generator.kind == "simulated"
        count = PICTURES_OF_SIMULATED if simulated else PICTURES_OF_NETWORKS
        yield from made_classes([generator], content, role, count=count)


def folder(given: Path | None = None) -> Path:
    """Where the corpus lies: `given`, or beside the photographs in the cache folder."""
    return given or cache_folder() / "open_set"


def chosen(role: Role) -> list[Generator]:
    """The generators drawn: so many of each family, whose sides are among SIDES."""
    by_family: dict[str, list[Generator]] = defaultdict(list)
    for generator in generators(role):
        sides = tuple(side for side in generator.sides if side in SIDES)
        if sides:
            by_family[generator.family].append(dataclasses.replace(generator, sides=sides))
    found = []
    for members in by_family.values():
        many = MEMBERS_OF_SIMULATED if members[0].kind == "simulated" else MEMBERS_OF_NETWORKS
        # Spread over the list, in which siblings stand side by side.
        at = np.linspace(0, len(members) - 1, min(many, len(members))).round().astype(int)
        found += [members[i] for i in at]
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
