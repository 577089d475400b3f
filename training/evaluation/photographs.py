"""Real pictures that nothing learned from, and pictures that are neither real nor generated.

Photographs are those of the sources held out, by source; of each a cut at its own size, and one of
the picture made smaller, where it has room. Kinds are photographs after each history, and damaged
files, as field-faults lists them.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import zip_longest

import numpy as np
from PIL import Image

from training.data.manifest import Entry, Manifest
from training.data.pictures import Kind
from training.data.roles import Role
from training.evaluation.plan import Plan
from training.evaluation.subjects import Shown, Subject, arriving, number_of
from training.histories.history import DAMAGED_FILES, HISTORIES
from training.histories.pictures import KERNELS, resize, tile
from worker.enrol.recompress import Picture, from_pil

NO_PHOTOGRAPHS: tuple[Kind, ...] = ("render", "drawing", "telescope", "cutout")
KIND_HEIGHT, KIND_WIDTH, _LEAST_OF_KINDS = 360, 480, 128
AS_RECEIVED = "as_received"
_MOST = 2048  # pixels a side; of larger photographs the middle is seen
_ROOM = 1.2  # a picture is made smaller only where it is so much larger than the side


def real_subjects(manifest: Manifest, plan: Plan) -> Iterator[Subject]:
    """Sources at each side, whole files, kinds, and what is no photograph."""
    by_source = _by_source(manifest, "photo", plan)
    yield from photograph_subjects(manifest, plan, "held_out")
    for source, entries in by_source.items():
        whole = partial(_whole, manifest, entries)
        yield Subject("whole", source, "", "", 0, whole, _version(entries, plan))
    same = _for_kinds(manifest, list(by_source.values()), plan)
    for name in (*HISTORIES, *DAMAGED_FILES):
        group = HISTORIES[name].group if name in HISTORIES else "damaged"
        of_kind = partial(_of_kind, manifest, same, name, plan)
        yield Subject("kind", name, group, "", 0, of_kind, _version(same, plan))
    for kind in NO_PHOTOGRAPHS:
        for source, entries in _by_source(manifest, kind, plan).items():
            whole = partial(_whole, manifest, entries)
            yield Subject("other", source, kind, "", 0, whole, _version(entries, plan))


def photograph_subjects(manifest: Manifest, plan: Plan, role: Role) -> Iterator[Subject]:
    """Every source of photographs of a role at each side."""
    for source, entries in _by_source(manifest, "photo", plan, role).items():
        for side in plan.sides:
            draw = partial(_cuts, manifest, entries, side, plan)
            yield Subject("photographs", source, "", "", side, draw, _version(entries, plan))


def _by_source(
    manifest: Manifest, kind: Kind, plan: Plan, role: Role = "held_out"
) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in manifest.pictures(kind, role):
        found.setdefault(entry.source, []).append(entry)
    return {name: _spread(found[name], plan.most_of_a_source) for name in sorted(found)}


def _spread(entries: list[Entry], most: int) -> list[Entry]:
    """At most so many, evenly over the list, in which pictures of one series stand together."""
    if len(entries) <= most:
        return entries
    return [entries[i] for i in np.linspace(0, len(entries) - 1, most).round().astype(int)]


def _cuts(manifest: Manifest, entries: Sequence[Entry], side: int, plan: Plan) -> Iterator[Shown]:
    for entry in entries:
        owner = number_of(entry.file)
        picture = middle(manifest, entry)
        least = min(picture.shape[1:])
        if least < side:
            continue
        rng = np.random.default_rng([owner, side])
        views = [tile(picture, side, side, rng)]
        if least > _ROOM * side:
            views.append(_reduced(picture, side, rng))
        for number, view in enumerate(views[: plan.cuts]):
            yield from arriving(view, plan.arrivals_at(side), owner, [owner, side, number])


def _reduced(picture: Picture, side: int, rng: np.random.Generator) -> Picture:
    """Made smaller by a random kernel, as far as leaves room for the side, and cut."""
    least = min(picture.shape[1:])
    scale = float(np.exp(rng.uniform(np.log((side + 1) / least), np.log(1 / _ROOM))))
    scale = max(scale, (side + 1) / least)
    return tile(resize(picture, scale, KERNELS[rng.integers(len(KERNELS))]), side, side, rng)


def _whole(manifest: Manifest, entries: Sequence[Entry]) -> Iterator[Shown]:
    for entry in entries:
        yield Shown(AS_RECEIVED, number_of(entry.file), manifest.path(entry).read_bytes())


def _for_kinds(manifest: Manifest, sources: Sequence[Sequence[Entry]], plan: Plan) -> list[Entry]:
    """One photograph of each source after another, those with room for something to be seen."""
    in_turn = [entry for row in zip_longest(*sources) for entry in row if entry is not None]
    found: list[Entry] = []
    for entry in in_turn:
        if len(found) == plan.of_a_kind:
            break
        with Image.open(manifest.path(entry)) as opened:
            if min(opened.size) >= _LEAST_OF_KINDS:
                found.append(entry)
    return found


def _of_kind(
    manifest: Manifest, entries: Sequence[Entry], name: str, plan: Plan
) -> Iterator[Shown]:
    for entry in entries:
        owner = number_of(entry.file)
        # The same cut for every kind: kinds differ by what was done, not by what is shown.
        cut = tile(
            middle(manifest, entry), KIND_HEIGHT, KIND_WIDTH, np.random.default_rng([owner, 1])
        )
        rng = np.random.default_rng([owner, number_of(name)])
        if name in DAMAGED_FILES:
            yield Shown(AS_RECEIVED, owner, DAMAGED_FILES[name](cut, rng))
        else:
            changed = HISTORIES[name].apply(cut, rng)
            yield from arriving(changed, plan.kind_arrivals, owner, [owner, 2])


def middle(manifest: Manifest, entry: Entry) -> Picture:
    """The middle of a photograph, at its own size."""
    with Image.open(manifest.path(entry)) as opened:
        width, height = opened.size
        left, top = max(0, width - _MOST) // 2, max(0, height - _MOST) // 2
        box = (left, top, min(width, left + _MOST), min(height, top + _MOST))
        return from_pil(opened.convert("RGB").crop(box))


def _version(entries: Sequence[Entry], plan: Plan) -> str:
    files = " ".join(entry.sha256[:12] for entry in entries)
    return f"{files} {plan.cuts} {plan.arrivals} {plan.kind_arrivals}"
