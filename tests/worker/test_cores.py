"""Decoders are sized to the machine: to its cores, to the container's limit, to the slots."""

import os
from pathlib import Path

import pytest

from worker.settings import images
from worker.settings.cores import decoders_for, usable_cores
from worker.settings.images import DecodeSettings


@pytest.mark.parametrize(
    ("cores", "slots", "each"),
    [(1, 1, 2), (2, 1, 2), (8, 1, 7), (16, 1, 15), (96, 1, 16), (16, 2, 7), (16, 5, 3), (2, 4, 1)],
)
def test_all_cores_but_one_are_shared_by_the_slots(cores: int, slots: int, each: int) -> None:
    assert decoders_for(cores, slots) == each


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    there = len(os.sched_getaffinity(0))
    quota = tmp_path / "cpu.max"
    assert usable_cores(quota) == there, "there is no such file outside of one"
    for text, cores in {
        "max 100000": there,
        "150000 100000": 1,
        "50000 100000": 1,
        f"{there + 3}00000 100000": there,
    }.items():
        quota.write_text(text + "\n")
        assert usable_cores(quota) == cores


def test_a_number_of_decoders_that_is_given_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "usable_cores", lambda: 12)
    assert DecodeSettings().children == 11
    assert DecodeSettings(processes=3).children == 3
