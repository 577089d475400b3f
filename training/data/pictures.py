"""Pictures of further sources, as listed in pictures.toml: photographs, and what is none.

`PICTURES` says which files of which pinned package are taken; `pictures_in` finds them among the
package's members. They are kept as they are, but for cut-outs, of which only the largest square
without transparency is kept: an edge of a mask is no trace of a camera.
"""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.fetch import Package
from worker.errors import StopError

LIST = Path(__file__).with_name("pictures.toml")

Kind = Literal["face", "photo", "render", "drawing", "telescope", "cutout"]
"""Faces are photographs too; renders, drawings, pictures of telescopes and cut-outs are not."""


@dataclass(frozen=True)
class Listed:
    """One file of a package: its name there, and the source and kind it has here."""

    member: str
    source: str
    kind: Kind
    name: str


@cache
def listed_pictures(path: Path = LIST) -> dict[Package, tuple[Listed, ...]]:
    """What is taken of each package, in the list's order."""
    found: dict[Package, tuple[Listed, ...]] = {}
    for package in tomllib.loads(path.read_text())["package"]:
        groups = package.pop("pictures")
        found[Package(**package)] = tuple(
            Listed(f"{group['folder']}/{name}", group["source"], group["kind"], flat(name))
            for group in groups
            for name in group["names"]
        )
    for one in (one for listed in found.values() for one in listed):
        if one.kind not in get_args(Kind):
            raise StopError(f"{path}: {one.member} is of kind {one.kind!r}, which is none")
    return found


def flat(name: str) -> str:
    """A name below a package's folder as the name of a file."""
    return name.replace("/", "-")


def pictures_in(
    members: Iterable[tuple[str, bytes]], listed: Iterable[Listed]
) -> Iterator[tuple[Listed, bytes]]:
    """The listed ones among (name, bytes) of a package's members; cut-outs as opaque squares."""
    wanted = {one.member: one for one in listed}
    for name, data in members:
        if one := wanted.get(name):
            yield one, opaque_square(data) if one.kind == "cutout" else data


def opaque_square(data: bytes) -> bytes:
    """The first of the largest squares of a picture without any transparency, as PNG."""
    with Image.open(BytesIO(data)) as image:
        rgba = image.convert("RGBA")
    opaque = np.asarray(rgba, np.uint8)[..., 3] == 255
    top, left, side = _largest_square(opaque)
    out = BytesIO()
    rgba.convert("RGB").crop((left, top, left + side, top + side)).save(out, "PNG")
    return out.getvalue()


def _largest_square(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Top, left and side of the first largest square of True in `mask`, bool (H,W)."""
    sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int64)
    sums[1:, 1:] = mask.cumsum(0).cumsum(1)  # sums[y, x] counts mask[:y, :x]
    best, low, high = (0, 0, 0), 1, min(mask.shape)
    while low <= high:  # a square holds all smaller ones, so that halving finds the largest
        side = (low + high) // 2
        inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side]
        inside = inside + sums[:-side, :-side]
        places = np.argwhere(inside == side * side)
        if len(places):
            best, low = (int(places[0][0]), int(places[0][1]), side), side + 1
        else:
            high = side - 1
    return best
