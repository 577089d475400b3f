"""What is drawn: held out alone, the same each time, no photograph larger than it is."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.evaluation.made_up import grey_photographs, manifest_of, tinted
from training.data.manifest import Manifest
from training.evaluation.made import chosen, made_subjects, sides_of, subject_of
from training.evaluation.photographs import NO_PHOTOGRAPHS, real_subjects
from training.evaluation.plan import ARRIVALS, Plan, quick
from training.evaluation.subjects import Subject
from training.generators.catalogue import generators
from training.generators.simulated import simulated_generator
from training.histories.conditions import CONDITIONS
from training.histories.history import DAMAGED_FILES, HISTORIES

PLAN = Plan(sides=(64, 256, 512), arrivals=("clean", "jpeg90"), of_a_kind=3, most_of_a_source=5)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    large = grey_photographs(tmp_path, {"freedombox": 4, "exiv2": 3})
    small = grey_photographs(tmp_path, {"kalzium": 2}, side=100)
    renders = grey_photographs(tmp_path, {"povray": 9}, side=70, kind="render")
    return manifest_of(tmp_path, large, small, renders)


def named(subjects: list[Subject], title: str) -> Subject:
    (found,) = [one for one in subjects if one.title == title]
    return found


def test_every_arrival_of_the_plan_is_one_that_files_have() -> None:
    assert set(ARRIVALS) <= set(CONDITIONS)
    assert Plan().arrivals_at(1024) == ("clean", "jpeg90", "jpeg75")
    assert Plan().arrivals_at(256) == ARRIVALS


def test_photographs_are_cut_and_reduced_but_never_enlarged(manifest: Manifest) -> None:
    subjects = list(real_subjects(manifest, PLAN))
    shown = list(named(subjects, "photographs freedombox 256").draw())
    assert len(shown) == 4 * 2  # 300 pixels leave too little room for a reduced view
    assert {one.arrival for one in shown} == {"clean", "jpeg90"}
    shown = list(named(subjects, "photographs freedombox 64").draw())
    assert len(shown) == 4 * 2 * 2
    assert len({one.owner for one in shown}) == 4
    assert not list(named(subjects, "photographs freedombox 512").draw())
    assert not list(named(subjects, "photographs kalzium 256").draw())


def test_the_same_files_are_drawn_every_time(manifest: Manifest) -> None:
    for title in ("photographs exiv2 64", "kind sensor_noise_8", "whole freedombox"):
        first, again = (
            list(named(list(real_subjects(manifest, PLAN)), title).draw()) for _ in range(2)
        )
        assert first
        assert [one.data for one in first] == [one.data for one in again]


def test_each_kind_and_each_source_of_what_is_no_photograph_is_there(manifest: Manifest) -> None:
    subjects = list(real_subjects(manifest, PLAN))
    kinds = {one.name for one in subjects if one.what == "kind"}
    assert kinds == {*HISTORIES, *DAMAGED_FILES}
    noisy = list(named(subjects, "kind noise_10").draw())
    assert len(noisy) == PLAN.of_a_kind * len(PLAN.kind_arrivals)
    # Photographs of less than 128 pixels are left out, and sources take turns.
    assert {one.name for one in subjects if one.what == "whole"} == {
        "freedombox",
        "exiv2",
        "kalzium",
    }
    (other,) = [one for one in subjects if one.what == "other"]
    assert (other.name, other.family) == ("povray", "render")
    assert other.family in NO_PHOTOGRAPHS
    assert len(list(other.draw())) == PLAN.most_of_a_source


def test_nothing_that_learning_may_see_is_shown(manifest: Manifest) -> None:
    learned = Manifest(
        manifest.root,
        tuple(type(entry)(**{**vars(entry), "role": "learn"}) for entry in manifest.entries),
    )
    assert not [s for s in real_subjects(learned, PLAN) if s.what != "kind" or list(s.draw())]
    assert all(one.role == "held_out" for one in chosen(generators("held_out"), Plan()))


def test_samples_and_tests_of_a_generator_are_of_other_photographs(tmp_path: Path) -> None:
    generator = simulated_generator("wavelet", 0)
    rng = np.random.default_rng(1)
    asked = []

    def content(role: str) -> list[np.ndarray]:
        asked.append(role)
        value = 60 if role == "learn" else 180
        return [rng.normal(value, 4, (3, 140, 140)).clip(0, 255).astype(np.uint8)]

    plan = quick(Plan(sides=(128,), arrivals=("clean",)))
    subject = subject_of(generator, 128, plan, content)
    assert subject.samples is not None
    first = next(islice(subject.samples(), 1))
    shown = list(subject.draw())
    assert asked == ["learn", "held_out"]
    (tmp_path / "sample.png").write_bytes(first)
    with Image.open(tmp_path / "sample.png") as image:
        assert np.asarray(image).mean() < 100
    assert len(shown) == plan.tested
    assert subject.group == "simulated"


def test_slow_networks_are_asked_for_small_pictures_alone() -> None:
    assert sides_of(tinted("rdn_div2k_x2", "rdn", (9, 9, 9), noise=False), Plan()) == [64, 128]
    assert sides_of(tinted("rdn_slim_x2", "rdn", (9, 9, 9), noise=False), Plan()) == [64, 128, 256]
    assert sides_of(simulated_generator("wavelet", 0), Plan()) == [128, 256]


def test_generators_of_no_photograph_large_enough_show_nothing(tmp_path: Path) -> None:
    entries = grey_photographs(tmp_path, {"freedombox": 2}, side=100)
    plan = Plan(sides=(128,), arrivals=("clean",))
    subjects = list(made_subjects(manifest_of(tmp_path, entries), plan))
    assert {one.what for one in subjects} == {"generator"}
    assert not list(next(one for one in subjects if one.group != "noise").draw())
