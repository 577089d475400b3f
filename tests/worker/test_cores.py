"""Decoders are sized to the machine: to its cores, to the container's limit, to the slots."""

import os
from pathlib import Path

import pytest

from worker.settings import images
from worker.settings.cores import decoders_for, usable_cores, usable_memory_mib
from worker.settings.images import DecodeSettings


@pytest.mark.parametrize(
    ("cores", "slots", "each"),
    [(1, 1, 1), (2, 1, 1), (8, 1, 7), (16, 1, 15), (96, 1, 16), (16, 2, 7), (16, 5, 3), (2, 4, 1)],
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


@pytest.mark.parametrize(
    ("memory_mib", "slots", "each_mib", "each"),
    [
        (4096, 1, 1024, 2),
        (8192, 1, 1024, 6),
        (1024, 1, 1024, 1),
        (65536, 1, 1024, 15),
        (4096, 1, 256, 8),
        (12288, 3, 1024, 2),
        (4096, 3, 1024, 1),
        (None, 3, 1024, 5),
    ],
)
def test_no_more_decoders_start_than_the_containers_memory_holds(
    memory_mib: int | None, slots: int, each_mib: int, each: int
) -> None:
    assert decoders_for(16, slots, memory_mib=memory_mib, each_mib=each_mib) == each


def test_the_containers_memory_is_read_where_it_is_told(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    assert usable_memory_mib(limit) is None, "there is no such file outside of one"
    for text, mib in {"max": None, str(4 << 30): 4096}.items():
        limit.write_text(text + "\n")
        assert usable_memory_mib(limit) == mib


def test_a_number_of_decoders_that_is_given_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "usable_cores", lambda: 12)
    monkeypatch.setattr(images, "usable_memory_mib", lambda: None)
    assert DecodeSettings().children == 11
    assert DecodeSettings(processes=3).children == 3
    monkeypatch.setattr(images, "usable_memory_mib", lambda: 8192)
    assert DecodeSettings().children == 6
    assert DecodeSettings(memory_mib=2048).children == 3
    assert DecodeSettings().children_of(slots=2) == 2
    assert DecodeSettings(processes=9).children == 9
