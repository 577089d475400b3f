"""The whole suite with a judge that is right by construction, to its pages."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.training.evaluation.made_up import ColourJudge, grey_photographs, manifest_of, tinted
from training.evaluation.gather import gather
from training.evaluation.kept import Kept
from training.evaluation.made import subject_of
from training.evaluation.pages.write import write_pages
from training.evaluation.photographs import real_subjects
from training.evaluation.plan import Plan
from training.evaluation.run import RESULT, measure, statement, write

PLAN = Plan(
    sides=(64, 256),
    arrivals=("clean", "jpeg90"),
    kind_arrivals=("clean",),
    samples=50,
    many_samples=50,
    tested=6,
    of_a_kind=3,
)
GENERATORS = (
    tinted("red", "mmdgan", (200, 60, 60)),
    tinted("green", "mmdgan", (60, 200, 60)),
    tinted("blue", "cramergan", (60, 60, 200)),
    tinted("dull", "cramergan", (118, 120, 122)),  # as grey as photographs: refused
    tinted("pink", "ddpm", (220, 120, 180)),
    tinted("brown", "srvgg", (150, 100, 50), noise=False),
)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("suite")
    photographs = grey_photographs(root, {"freedombox": 9, "exiv2": 3})
    renders = grey_photographs(root, {"povray": 2}, side=70, kind="render")
    manifest = manifest_of(root, photographs, renders)
    content = [tinted("any", "any", (90, 90, 90)).make(1, 256, 1)[0]]
    kinds = ("native", "noise_10", "ended_at_tenth")
    subjects = [
        *(
            subject_of(one, side, PLAN, lambda role: content)
            for one in GENERATORS
            for side in ((64, 256) if one.family == "srvgg" else (64,))
        ),
        *(s for s in real_subjects(manifest, PLAN) if s.what != "kind" or s.name in kinds),
    ]
    judge, kept = ColourJudge(), Kept(root / "work", ColourJudge.digest)
    made_by = {"command": "a test", "date": "2026-01-01", "commit": "abc", "machine": "none"}
    head = kept.freeze(statement(judge, PLAN, made_by))
    gather(subjects, judge, kept, lambda text: None)
    found = measure(judge, kept, subjects, PLAN, head, lambda text: None)
    path = write(found, root / "pages")
    back: dict[str, Any] = json.loads(path.read_text())
    return {**back, "folder": root / "pages"}


def test_registered_generators_are_right_and_a_refused_one_is_not(
    document: dict[str, Any],
) -> None:
    rows = {(row["generator"], row["side"], row["arrival"]): row for row in document["generators"]}
    assert rows["red", 64, "jpeg90"]["right"] == 1.0
    assert rows["dull", 64, "clean"]["right"] == 0.0
    assert rows["dull", 64, "clean"]["missed"] == 1.0
    assert rows["red", 64, "clean"]["found_unregistered"] == 1.0
    assert [row["generator"] for row in document["refused"]] == ["dull"]
    assert document["registered"] == [
        {"side": 64, "models": 5, "shots": 50},
        {"side": 256, "models": 1, "shots": 50},
    ]


def test_outcomes_add_up_and_groups_are_the_mean_of_their_generators(
    document: dict[str, Any],
) -> None:
    for row in document["generators"]:
        parts = ("right", "wrong", "unknown", "undetermined", "missed")
        assert sum(row[name] for name in parts) == pytest.approx(1)
    (noise,) = [
        row
        for row in document["groups"]
        if (row["sides"], row["group"], row["arrival"]) == ("64", "noise", "clean")
    ]
    assert noise["right"]["share"] == pytest.approx(4 / 5)
    assert noise["families"] == 3
    assert noise["right"]["low"] < 4 / 5 <= noise["right"]["high"]


def test_grey_photographs_are_not_flagged_with_any_number_of_models(
    document: dict[str, Any],
) -> None:
    for row in (*document["photographs"], *document["registry_sizes"]):
        assert row["flagged"]["share"] == 0
    assert [row["models"] for row in document["registry_sizes"] if row["arrival"] == "clean"] == [
        *(1, 10, 100, 1000)
    ]
    kinds = {row["name"]: row for row in document["kinds"]}
    assert {"native", "noise_10", "ended_at_tenth", "povray", "files as they came"} <= set(kinds)
    # Noise of its own in each colour leaves the mean as grey as it was.
    assert kinds["noise_10"]["flagged"]["share"] == 0
    assert kinds["povray"]["group"] == "render"


def test_the_curve_of_samples_ends_at_what_was_drawn(document: dict[str, Any]) -> None:
    noise = [r for r in document["shots"] if r["group"] == "noise" and r["arrival"] == "clean"]
    assert [row["shots"] for row in noise] == [10, 20, 50]
    assert noise[0]["right"]["share"] == pytest.approx(4 / 5)
    (few,) = [row for row in document["few_shots"] if row["arrival"] == "clean"]
    assert (few["of"], few["refused"]) == (5, 1)
    assert few["top_1"]["share"] == pytest.approx(5 / 6, abs=1e-5)


def test_goals_are_held_against_the_rows(document: dict[str, Any]) -> None:
    goals = {(goal["measure"], goal["arrival"]): goal for goal in document["goals"]}
    title = "unseen families that draw from noise, 50 samples"
    assert goals[f"{title}, 64 pixels: right", "clean"]["met"] is False
    assert goals[f"{title}, 128+ pixels: right", "clean"]["met"] is None
    assert goals["photographs of sources left out, 128+ pixels: flagged", "clean"]["met"] is True


def test_pages_say_how_they_were_made_and_every_link_and_plot_is_there(
    document: dict[str, Any],
) -> None:
    folder = Path(document["folder"])
    written = write_pages(document, folder)
    assert {path.name for path in written} == {
        *("README.md", "generators.md", "photographs.md", "model-card.md")
    }
    for path in written:
        text = path.read_text()
        assert "a test" in text
        assert "commit abc" in text
        assert ColourJudge.digest[:12] in text
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert (folder / link).exists(), link
    readme = (folder / "README.md").read_text()
    assert "**missed**" in readme
    assert "not measured" in readme
    again = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != RESULT}
    write_pages(document, folder)
    assert again == {p.name: p.read_bytes() for p in folder.iterdir() if p.name != RESULT}
