"""What the demo sends, in which order, and what each answer ought to be.

The plan stays in the demo: an event's subject is a bare number, so that nothing but the image
tells the worker where it came from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.demo.files import (
    DemoFile,
    broken_files,
    enlarged_views,
    made_files,
    noisy_views,
    photo_paths,
    photo_views,
    sample_pngs,
)

DEMO_SEED = 900_000
"""Seeds from here on belong to the demo; training, enrolment and evaluation stay below."""

MADE_PER_GENERATOR = 100
ENROLMENT_SAMPLES = 60
"""The 50 that `latentprint register` asks for to name a model, and some that it may set aside."""

HELD_BACK_PHOTOS = 48
"""Views of photographs kept for asking, event by event, whether the worker knows a new model."""

NO_EVIDENCE, DEAD_LETTER = "no_evidence", "dead_letter"
REAL, ENLARGED, NOISY, BROKEN = "real", "real_enlarged", "real_noisy", "broken"


@dataclass(frozen=True, slots=True)
class TrueSource:
    """Where images really came from, and the outcome (and model named) that is right for them."""

    name: str
    outcome: str
    model: str | None = None

    @property
    def is_real(self) -> bool:
        """Whether these are photographs, whatever was done to them."""
        return self.outcome == NO_EVIDENCE


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """One event to send."""

    subject: str
    file: DemoFile
    source: TrueSource


def _place_in_story(source: TrueSource) -> tuple[int, str]:
    """Real, registered by name, the newcomer before and after, broken."""
    if source.outcome == "attributed":
        return (1 if source.name == source.model else 3, source.name)
    return ({NO_EVIDENCE: 0, "unknown_generator": 2}.get(source.outcome, 4), source.name)


@dataclass(frozen=True, slots=True)
class Plan:
    """All events. `held_back` may be sent at any time: real photographs, before or after.

    `samples` are the newcomer's PNG files for `latentprint register`, and `other_samples` those of
    the generator that is registered before the worker starts.
    """

    before: tuple[PlannedEvent, ...]
    held_back: tuple[PlannedEvent, ...]
    samples: tuple[bytes, ...]
    other_samples: tuple[bytes, ...]
    after: tuple[PlannedEvent, ...]

    @property
    def sources(self) -> tuple[TrueSource, ...]:
        """Every true source once, in the order of the story."""
        found = {e.source for e in (*self.before, *self.held_back, *self.after)}
        return tuple(sorted(found, key=_place_in_story))

    @property
    def event_count(self) -> int:
        return len(self.before) + len(self.held_back) + len(self.after)


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Images of the generators, each uint8 (N,3,R,R).

    `registered` maps the name that verdicts must give to images; of these the bundle brings all
    but `other`, which is enrolled from `other_samples` before the worker starts. The newcomer's are
    of the one generator that nobody has registered yet: sent before, enrolled, and sent after.
    """

    registered: Mapping[str, NDArray[np.uint8]]
    other: str
    other_samples: NDArray[np.uint8]
    newcomer: str
    newcomer_before: NDArray[np.uint8]
    newcomer_samples: NDArray[np.uint8]
    newcomer_after: NDArray[np.uint8]


def make_plan(made: Made, photos: Sequence[Path] | None = None) -> Plan:
    """The plan over these images and the committed photographs; the same for the same input."""
    rng = np.random.default_rng(DEMO_SEED)
    paths = photo_paths() if photos is None else photos
    real = TrueSource(REAL, NO_EVIDENCE)
    views = _shuffled([(view, real) for p in paths for view in photo_views(p, rng)], rng)
    # No more than half: the first part is to show real photographs as well.
    held_back = views[: min(HELD_BACK_PHOTOS, len(views) // 2)]
    before = views[len(held_back) :]
    for name, processed in ((ENLARGED, enlarged_views), (NOISY, noisy_views)):
        source = TrueSource(name, NO_EVIDENCE)
        before += [(view, source) for p in paths for view in processed(p, rng)]
    for name, images in made.registered.items():
        source = TrueSource(name, "attributed", name)
        before += [(file, source) for file in made_files(images, rng)]
    unknown = TrueSource(f"{made.newcomer}_before_registration", "unknown_generator")
    before += [(file, unknown) for file in made_files(made.newcomer_before, rng)]
    with Image.open(paths[0]) as opened:
        whole = opened.convert("RGB")
        whole.thumbnail((640, 640))
    broken = TrueSource(BROKEN, DEAD_LETTER)
    before += [(file, broken) for file in broken_files(whole)]
    known = TrueSource(f"{made.newcomer}_after_registration", "attributed", made.newcomer)
    after = [(file, known) for file in made_files(made.newcomer_after, rng)]
    before, after = _shuffled(before, rng), _shuffled(after, rng)
    numbered = _numbered([*before, *held_back, *after])
    return Plan(
        before=numbered[: len(before)],
        held_back=numbered[len(before) : len(before) + len(held_back)],
        samples=tuple(sample_pngs(made.newcomer_samples)),
        other_samples=tuple(sample_pngs(made.other_samples)),
        after=numbered[len(before) + len(held_back) :],
    )


_Pair = tuple[DemoFile, TrueSource]


def _shuffled(pairs: Sequence[_Pair], rng: np.random.Generator) -> list[_Pair]:
    return [pairs[i] for i in rng.permutation(len(pairs))]


def _numbered(pairs: Sequence[_Pair]) -> tuple[PlannedEvent, ...]:
    return tuple(
        PlannedEvent(f"demo/{number:04d}.{file.suffix}", file, source)
        for number, (file, source) in enumerate(pairs)
    )
