"""Generators whose whole family nothing learned from, with samples to register them from.

Those that make their pictures from photographs are registered from one set of photographs and
tested on another: samples are made from the sources that learning may see, since whoever registers
a generator brings content of his own, and tests from the sources held out. The pictures of both
are new, for the generator is.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial

import numpy as np
from PIL import Image

from training.data.manifest import Manifest
from training.data.roles import Role
from training.evaluation.plan import LARGEST_SIDE, MANY_SAMPLES_AT, SIMULATED_SIDES, Plan
from training.evaluation.subjects import Group, Shown, Subject, arriving, number_of
from training.generators.catalogue import generators
from training.generators.generator import Generator
from training.histories.encodings import PNG, write
from worker.enrol.recompress import Picture, from_pil

Content = Callable[[Role], list[Picture]]
_CONTENT, _CONTENT_SIDE = 80, 1024
_SPARE = 10  # one sample in so many may be left out, as a copy of another
_MOST_SIDE = 512  # photographs alone are shown larger


def made_subjects(manifest: Manifest, plan: Plan) -> Iterator[Subject]:
    """Every chosen generator at each of its sides that the plan has."""
    content = cache(partial(_content, manifest))
    for generator in chosen(generators("held_out"), plan):
        for side in sides_of(generator, plan):
            yield subject_of(generator, side, plan, content)


def chosen(found: Sequence[Generator], plan: Plan) -> list[Generator]:
    """So many members of each family; of simulated families siblings, of others spread ones."""
    by_family: dict[str, list[Generator]] = defaultdict(list)
    for generator in found:
        by_family[generator.family].append(generator)
    picked = []
    for members in by_family.values():
        kind = members[0].kind
        quick = [one for one in members if one.name not in LARGEST_SIDE]
        many = min(plan.members[kind], len(quick))
        if kind == "simulated":
            picked += quick[:many]  # they share an architecture and differ by their weights
        else:
            picked += [quick[i] for i in np.linspace(0, len(quick) - 1, many).round().astype(int)]
        if many > 1:
            picked += [one for one in members if one.name in LARGEST_SIDE][:1]
    return picked


def sides_of(generator: Generator, plan: Plan) -> list[int]:
    """At which sides a generator is asked for pictures."""
    most = LARGEST_SIDE.get(generator.name, _MOST_SIDE)
    sides = [side for side in plan.sides if side in generator.sides and side <= most]
    if generator.kind == "simulated":
        return [side for side in sides if side in SIMULATED_SIDES]
    return sides


def group_of(generator: Generator) -> Group:
    """How its figures are counted together."""
    if generator.kind == "simulated":
        return "simulated"
    return "noise" if generator.draws_from_noise else "photographs"


def subject_of(generator: Generator, side: int, plan: Plan, content: Content) -> Subject:
    """A generator at one side."""
    many = MANY_SAMPLES_AT.get(generator.kind) == side
    count = max(plan.samples, plan.many_samples) if many else plan.samples
    count += count // _SPARE
    seed = number_of(f"evaluate {generator.name} {side}") % (1 << 30)

    def samples() -> Iterator[bytes]:
        given = [] if generator.draws_from_noise else content("learn")
        for picture in generator.make(count, side, 2 * seed, given):
            yield write(picture, PNG)

    def draw() -> Iterator[Shown]:
        given = [] if generator.draws_from_noise else content("held_out")
        # As the generator takes them: picture i is of photograph i of those that are large enough.
        usable = sum(min(picture.shape[1:]) >= side for picture in given)
        if not usable and not generator.draws_from_noise:
            return
        made = generator.make(plan.tested, side, 2 * seed + 1, given)
        for number, picture in enumerate(made):
            owner = number % usable if usable else number
            yield from arriving(picture, plan.arrivals_at(side), owner, [seed, number])

    version = f"{count} {plan.tested} {plan.arrivals_at(side)}"
    return Subject(
        "generator",
        generator.name,
        generator.family,
        group_of(generator),
        side,
        draw,
        version,
        samples,
    )


def _content(manifest: Manifest, role: Role) -> list[Picture]:
    """Photographs without faces, evenly over the list; large ones made smaller."""
    entries = [one for one in manifest.pictures("photo", role) if one.kind == "photo"]
    count = min(_CONTENT, len(entries))
    pictures = []
    for i in np.linspace(0, len(entries) - 1, count).round().astype(int):
        with Image.open(manifest.path(entries[i])) as opened:
            image = opened.convert("RGB")
        image.thumbnail((_CONTENT_SIDE, _CONTENT_SIDE), Image.Resampling.LANCZOS)
        pictures.append(from_pil(image))
    return pictures
