"""All baselines on made pictures, from drawing to the page beside the product."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.evaluation.baselines.test_features import marked, new_network
from tests.training.evaluation.made_up import grey_photographs, manifest_of
from training.commands.evaluate import evaluate
from training.data.manifest import Manifest
from training.evaluation.baselines import network, run
from training.evaluation.baselines.cell import Sources, cell_of
from training.evaluation.baselines.files import draw, files_of
from training.evaluation.made import subject_of
from training.evaluation.pages.write import write_pages
from training.evaluation.photographs import photograph_subjects
from training.evaluation.plan import Plan
from training.evaluation.run import write
from training.generators.generator import Generator
from worker.enrol.recompress import Picture

PLAN = Plan(
    sides=(64,),
    arrivals=("clean", "half"),
    samples=10,
    many_samples=10,
    tested=4,
    cuts=1,
)
MARKS = {"first": 1, "second": 2, "third": 3}


def _generator(name: str) -> Generator:
    def make(count: int, side: int, seed: int, pictures: object) -> list[Picture]:
        return list(marked(count, MARKS[name], seed, side))

    return Generator(name, "mmdgan" if name == "third" else "cramergan", True, (64,), make)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    root = tmp_path_factory.mktemp("photographs")
    manifest = manifest_of(
        root,
        grey_photographs(root, {"freedombox": 5, "gem": 4}, side=70),
        grey_photographs(root, {"exiv2": 10, "dlib": 9, "kivy": 8}, side=80, role="learn"),
    )
    return Sources(
        tuple(subject_of(_generator(name), 64, PLAN, lambda role: []) for name in MARKS),
        tuple(photograph_subjects(manifest, PLAN, "learn")),
        tuple(photograph_subjects(manifest, PLAN, "held_out")),
    )


@pytest.fixture(scope="module")
def drawn(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    for subject in sources.all:
        draw(subject, PLAN, folder)
    return folder


@pytest.fixture(scope="module")
def document(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "sources_of", lambda manifest, plan: sources)
        weights = new_network(tmp_path_factory.mktemp("trained") / "network.safetensors")
        patch.setattr(network, "network_file", lambda: weights)
        work = tmp_path_factory.mktemp("work")
        found = run.measure(Manifest(work, ()), PLAN, 0.01, work, processes=1)
    assert list(work.iterdir()) == []  # what was drawn is gone
    head = {"command": "a test", "date": "2026-01-01", "commit": "abc", "machine": "none"}
    back: dict[str, Any] = json.loads(json.dumps({"made_by": head, **found}))
    return back


def test_files_are_those_that_the_evaluation_shows_and_samples_arrive_as_they_do(
    sources: Sources, drawn: Path
) -> None:
    generator = sources.generators[0]
    shown = [one for one in generator.draw() if one.arrival == "half"]
    kept = files_of(generator, drawn, "shown", "half")
    assert list(kept.data) == [one.data for one in shown]
    assert kept.owners.tolist() == [one.owner for one in shown]
    assert generator.samples is not None
    enrolled = list(generator.samples())[: PLAN.samples]
    assert list(files_of(generator, drawn, "sample", "clean").data) == enrolled
    assert len(files_of(generator, drawn, "sample", "half").data) == PLAN.samples
    assert len(files_of(sources.held_out[0], drawn, "sample", "clean").data) == 0


def test_thresholds_rest_on_photographs_of_sources_that_are_neither_learned_from_nor_asked_about(
    sources: Sources, drawn: Path
) -> None:
    cell = cell_of(sources, 64, "clean", drawn)
    assert cell is not None
    assert len(cell.learned.photographs) + len(cell.calibrating) == 27
    parts = [
        {picture.tobytes() for picture in part}
        for part in (cell.learned.photographs, cell.calibrating, cell.asked)
    ]
    assert all(one.isdisjoint(other) for one, other in combinations(parts, 2))
    assert len(cell.asked) == len(MARKS) * PLAN.tested + 9
    assert (np.bincount(cell.learned.whose) == PLAN.samples).all()


def test_a_cell_without_generators_or_with_one_source_to_learn_from_is_none(
    sources: Sources, drawn: Path
) -> None:
    alone = Sources(sources.generators, sources.learning[:1], sources.held_out)
    assert cell_of(alone, 64, "clean", drawn) is None
    assert cell_of(Sources((), sources.learning, sources.held_out), 64, "clean", drawn) is None


def test_every_baseline_is_asked_about_every_group_and_about_photographs(
    document: dict[str, Any],
) -> None:
    rows = {(r["baseline"], r["arrival"]): r for r in document["groups"]}
    assert set(rows) == {
        *((name, "clean") for name in ("prnu", "dct_ridge", "harmonics", "network")),
        *((name, "half") for name in ("prnu", "dct_ridge", "harmonics")),  # 32 pixels are too few
    }
    for name in ("prnu", "dct_ridge", "harmonics"):
        assert rows[name, "clean"]["right"]["share"] == 1.0
        assert rows[name, "clean"]["generators"] == 3
    real = {(r["baseline"], r["arrival"]): r for r in document["photographs"]}
    assert set(real) == set(rows)
    assert real["prnu", "clean"]["photographs"] == 9
    assert [(c["arrival"], c["read"]) for c in document["cells"]] == [("clean", 64), ("half", 32)]


def _product(plan: dict[str, Any]) -> dict[str, Any]:
    """What the page reads of open-set.json."""
    policy = {"alpha_name": 0.01, "alpha_unknown": 0.005}
    return {
        "made_by": {"bundle": "ab" * 32, "policy": policy, "plan": plan},
        "generators": [
            {
                "generator": name,
                "group": "noise",
                "side": 64,
                "arrival": "clean",
                "pictures": 4,
                "right": right,
                "wrong": 0.25,
            }
            for name, right in (("first", 0.75), ("second", 0.5), ("third", 0.25))
        ],
        "photographs": [
            {"side": 64, "registered": "all", "arrival": "clean", "flagged": {"share": 0.123}}
        ],
    }


def test_the_page_sets_the_product_beside_baselines_of_the_same_pictures_alone(
    document: dict[str, Any], tmp_path: Path
) -> None:
    from training.evaluation.pages.baselines import baselines_page

    text = baselines_page(document, _product(document["plan"]))
    assert "| **Latentprint** | 50.0 / 25.0 | - |" in text
    assert "| **Latentprint** | 12.3 | - |" in text
    assert "| PRNU | 100.0 / 0.0 |" in text
    assert "issue 15" in text
    assert "commit abc" in text
    other = baselines_page(document, _product({**document["plan"], "tested": 5}))
    assert "**Latentprint**" not in other
    assert "its plan differs" in other
    (written,) = write_pages(None, tmp_path, document)
    assert written.name == "baselines.md"
    assert "was not measured" in written.read_text()


def test_the_command_writes_the_page_from_the_baselines_alone(
    document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(document, tmp_path, run.RESULT)
    evaluate(suite="baselines", output=tmp_path, pages_only=True)
    assert (tmp_path / "baselines.md").exists()
    assert "baselines.md" in capsys.readouterr().out
