"""Run or resume every study, and write the pages: what `latentprint train reproduce` does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from training.paper.images import SetUp
from training.paper.pages import (
    attacks,
    attribution,
    controls,
    persistence,
    realism,
    subsets,
    summary,
    visualisation,
    zoo,
)
from training.paper.studies import immunisation as study_attacks
from training.paper.studies import visualisation as study_visualisation
from training.paper.studies import zoo as study_zoo
from training.paper.studies.fingerprints import controls as study_controls
from training.paper.studies.fingerprints import persistence as study_persistence
from training.paper.studies.fingerprints import ratio as study_ratio
from training.paper.studies.fingerprints import realism as study_realism
from training.paper.studies.fingerprints import subsets as study_subsets
from training.paper.studies.lab import SETUPS, SHIFTED, Lab
from training.paper.studies.measured import Measurement

Study = Literal[
    "zoo",
    "attribution",
    "controls",
    "persistence",
    "subsets",
    "realism",
    "attacks",
    "visualisation",
]
STUDIES: tuple[Study, ...] = get_args(Study)

COMMAND = "latentprint train reproduce"


@dataclass(frozen=True)
class Chapter:
    """A study: the set-ups whose generators it needs, what it measures, and its page."""

    setups: tuple[str, ...]
    measurements: Callable[[Lab, SetUp], list[Measurement]]
    page: Callable[[Lab, str], str]
    file: str


CHAPTERS: dict[Study, Chapter] = {
    "zoo": Chapter(tuple(SETUPS), study_zoo.measurements, zoo.page, "gan-zoo.md"),
    "attribution": Chapter(
        tuple(SETUPS), study_ratio.measurements, attribution.page, "attribution.md"
    ),
    "controls": Chapter(
        study_controls.SETUPS, study_controls.measurements, controls.page, "controls.md"
    ),
    "persistence": Chapter(
        ("seeds", "architectures", "architectures, scenes"),
        study_persistence.measurements,
        persistence.page,
        "persistence.md",
    ),
    "subsets": Chapter(
        tuple(SHIFTED), study_subsets.measurements, subsets.page, "shifted-subsets.md"
    ),
    "realism": Chapter(
        (study_realism.SETUP,), study_realism.measurements, realism.page, "realism.md"
    ),
    "attacks": Chapter(
        (study_attacks.SETUP,), study_attacks.measurements, attacks.page, "attacks.md"
    ),
    "visualisation": Chapter(
        (study_visualisation.SETUP,),
        study_visualisation.measurements,
        visualisation.page,
        "visualisation.md",
    ),
}


def reproduce(lab: Lab, studies: Sequence[Study], setups: Sequence[str]) -> list[Path]:
    """Train and measure what is missing of the studies, then write their pages and the summary.

    Only the set-ups named are trained and measured, of those that a study has. Interrupted, it
    goes on where it stopped, at most two minutes of a training earlier. Returns the pages written
    (none by other processes of `torchrun` than the first).
    """
    for study in studies:
        chapter = CHAPTERS[study]
        for name in chapter.setups:
            if name not in setups:
                continue
            setup = lab.setup_named(name)
            study_zoo.train_zoo(lab, setup)
            lab.measure(chapter.measurements(lab, setup))
    return write_pages(lab) if lab.place.first else []


def write_pages(lab: Lab) -> list[Path]:
    """The pages of the studies that were measured, and the summary, from the results alone."""
    written = []
    command = COMMAND if lab.size == "small" else f"{COMMAND} --size {lab.size}"
    lab.folder.mkdir(parents=True, exist_ok=True)
    for chapter in CHAPTERS.values():
        path = lab.folder / chapter.file
        path.write_text(chapter.page(lab, command))
        written.append(path)
    path = lab.folder / "README.md"
    path.write_text(summary.page(lab, command))
    return [path, *written]
