"""The page of capacity is made of the kept figures, and its plan is plain counting."""

import pytest

from benchmarks import capacity
from benchmarks.capacity import Wanted, plan

FIGURES = {
    "sizes": {
        "small": {
            "image_bytes": 100_000,
            "all_cpu_ms": 80.0,
            "decoders_cpu_ms": 40.0,
            "memory_mib": 1000,
        }
    },
    "redis_bytes_per_model": 2**20,
    "records": {
        "verdicts": {"disk_bytes": 2000},
        "fingerprints": {"disk_bytes": 4000},
        "alerts": {"disk_bytes": 1000},
    },
}


def test_the_page_is_made_of_the_kept_figures() -> None:
    assert capacity.PAGE.read_text() == capacity.page(capacity.load()), (
        "run `python -m benchmarks.capacity`"
    )


def test_a_plan_is_what_plain_counting_gives() -> None:
    found = plan(
        Wanted(100, 10, "small", models=10, flagged_share=0.1, rejected_share=0.5, replication=2),
        FIGURES,
    )
    assert found.slot_per_s == 50  # four cores, 80 ms an image
    assert found.slots == 4  # 100 a second, and 30 of 50 are planned on a slot
    assert found.decoders_per_slot == 2  # half of the time
    assert found.partitions == 8
    assert found.cores == 16
    assert found.memory_gib == 4.0  # four times 1000 + 24 MiB
    assert found.redis_mib == 20
    day_gib = 10 * 86_400 * 2 / 2**30  # bytes an event weighs, of a day, both replicas
    assert found.kafka_gib["images"] == pytest.approx(7 * 100_000 * day_gib, abs=0.1)
    assert found.kafka_gib["verdicts"] == pytest.approx(30 * 2000 * day_gib, abs=0.1)
    assert found.kafka_gib["fingerprints"] == pytest.approx(30 * 4000 * day_gib, abs=0.1)
    assert found.kafka_gib["alerts"] == pytest.approx(180 * 100 * day_gib, abs=0.1)
    assert found.kafka_gib["dead-letters"] == pytest.approx(14 * 50_000 * day_gib, abs=0.1)
    assert found.in_mbit_s == 80


def test_what_does_not_fit_evenly_is_rounded_up_and_one_slot_may_be_down() -> None:
    assert plan(Wanted(1, 1, "small"), FIGURES).slots == 2
    assert plan(Wanted(60, 1, "small"), FIGURES).slots == 2
    assert plan(Wanted(60.1, 1, "small"), FIGURES).slots == 3
