"""What is kept comes back, the first statement stays, and fewer samples are the first ones."""

from pathlib import Path

import numpy as np

from fingerprint_db.gate.enrolment import Samples
from tests.training.evaluation.made_up import ColourJudge, tinted
from training.evaluation.gather import gather
from training.evaluation.kept import Kept, first_samples
from training.evaluation.made import subject_of
from training.evaluation.plan import Plan

PLAN = Plan(sides=(64,), arrivals=("clean",), samples=12, many_samples=12, tested=4)
SUBJECT = subject_of(tinted("red", "mmdgan", (200, 60, 60)), 64, PLAN, lambda role: [])


def test_a_subject_comes_back_and_is_not_seen_twice(tmp_path: Path) -> None:
    kept, judge = Kept(tmp_path, "ab" * 32), ColourJudge()
    assert not kept.is_there(SUBJECT)
    gather([SUBJECT], judge, kept, lambda text: None)
    assert kept.is_there(SUBJECT)
    assert judge.files_seen == 4
    gather([SUBJECT], judge, kept, lambda text: None)
    assert judge.files_seen == 4
    seen, samples = kept.seen(SUBJECT), kept.samples(SUBJECT)
    assert list(seen.arrivals) == ["clean"] * 4
    assert np.abs(seen.vectors - np.array([200, 60, 60])).max() < 3
    assert samples.subjects == tuple(str(i) for i in range(13))
    assert samples.vectors["lossless"].shape == (13, 3)


def test_another_bundle_or_another_plan_finds_nothing(tmp_path: Path) -> None:
    gather([SUBJECT], ColourJudge(), Kept(tmp_path, "ab" * 32), lambda text: None)
    assert not Kept(tmp_path, "cd" * 32).is_there(SUBJECT)
    plan = Plan(sides=(64,), arrivals=("clean",), samples=12, many_samples=12, tested=5)
    more = subject_of(tinted("red", "mmdgan", (200, 60, 60)), 64, plan, lambda role: [])
    assert not Kept(tmp_path, "ab" * 32).is_there(more)


def test_what_was_frozen_first_stays(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "ab" * 32)
    assert kept.freeze({"bundle": "ab", "date": "2026-01-01"})["date"] == "2026-01-01"
    assert kept.freeze({"bundle": "ab", "date": "2026-02-02"})["date"] == "2026-01-01"


def test_the_first_samples_are_taken_under_every_condition_that_they_are_there_under() -> None:
    rows = {"lossless": np.arange(5), "half_lossless": np.array([1, 4])}
    samples = Samples(
        tuple("abcde"),
        {name: np.arange(3 * len(r), dtype=np.float32).reshape(-1, 3) for name, r in rows.items()},
        rows,
        {name: r * 0 for name, r in rows.items()},
        {name: np.zeros((len(r), 2), np.float32) for name, r in rows.items()},
    )
    few = first_samples(samples, 3)
    assert few.subjects == ("a", "b", "c")
    assert list(few.rows["lossless"]) == [0, 1, 2]
    assert list(few.rows["half_lossless"]) == [1]
    assert few.vectors["half_lossless"].tolist() == [[0.0, 1.0, 2.0]]
