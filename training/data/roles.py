"""Which sources may be learned from, and which are held out until the last figures.

A source is an author, a camera or a package: pictures of one history. The new evaluation asks what
happens to sources that were never seen, so that whole sources are held out: nothing is trained,
calibrated or chosen on them, and what comes out on them is only reported.

The rule, fixed before any feature was computed: sources are put in the order of the SHA-256 of
their names, and held out from the first on until there are at least LEAST_SOURCES of them with at
least LEAST_PHOTOS photographs. Not drawn are

- faces and scenes, which everything so far was trained and tested on, and `endless-sky`, whose
  other photographs calibrate and which all went through one hand and one codec;
- `skimage`, of which the demo shows two;
- sources of fewer than LEAST_OF_A_SOURCE photographs, of which no rate can be told.

Of pictures that are no photographs the first source of each kind is held out, where a kind has two
sources of at least LEAST_OF_A_SOURCE pictures.
"""

import hashlib
from collections.abc import Mapping
from typing import Literal

Role = Literal["learn", "held_out"]

LEAST_SOURCES = 8
LEAST_PHOTOS = 150
LEAST_OF_A_SOURCE = 5

NOT_DRAWN = ("endless-sky", "skimage")
"""Beginnings of names of sources that are learned from whatever their hash."""

HELD_OUT = frozenset(
    {
        *("backstretch", "dlib-johns", "exiv2-previews", "eyes17", "freedombox", "gem"),
        *("kalzium", "libjxl", "pascal-voc", "psychtoolbox"),
        *("povray-previews", "pysiogame-fc", "stellarium-nebulae"),  # no photographs
    }
)
"""What `drawn` gave for the pictures listed in pictures.toml; a test draws again."""


def role_of(source: str) -> Role:
    """Whether a source may be learned from."""
    return "held_out" if source in HELD_OUT else "learn"


def drawn(counts: Mapping[tuple[str, str], int]) -> frozenset[str]:
    """The held-out sources; counts are of pictures by (kind, source), without faces and scenes."""
    held: set[str] = set()
    photos = _in_order(counts, "photo")
    while photos and (
        len(held) < LEAST_SOURCES or sum(counts["photo", s] for s in held) < LEAST_PHOTOS
    ):
        held.add(photos.pop(0))
    for kind in {kind for kind, _ in counts} - {"photo"}:
        sources = _in_order(counts, kind)
        if len(sources) > 1:
            held.add(sources[0])
    return frozenset(held)


def _in_order(counts: Mapping[tuple[str, str], int], kind: str) -> list[str]:
    large = [
        source
        for (its_kind, source), count in counts.items()
        if its_kind == kind and count >= LEAST_OF_A_SOURCE and not source.startswith(NOT_DRAWN)
    ]
    return sorted(large, key=lambda source: hashlib.sha256(source.encode()).hexdigest())
