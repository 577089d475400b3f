"""The page of speed: goals are held against medians of rounds, and what is missed is said."""

from typing import Any

import pytest

from benchmarks.speed import beside, page
from tests.worker.extractor.tiny_bundle import made_png, real_jpeg
from worker.decoder.decode import decode
from worker.extractor.bundle import load_bundle
from worker.extractor.extract import BlockExtractor

RATES = {
    ("worker", 1): (100.0, 90.0),
    (page.AT_LEAST_ONCE, 1): (100.0, 100.0),
    (page.ON_ONE_CORE, 1): (100.0, 90.0),
    (page.ON_ONE_CORE, 2): (150.0, 171.0),
}


def results() -> dict[str, Any]:
    """Made-up results of two rounds."""
    runs = [
        {
            "contender": name,
            "slots": slots,
            "round": number,
            "images_per_s": rate,
            "cpu_ms": 8.0,
            "events_per_transaction": 25.0,
        }
        for (name, slots), rates in RATES.items()
        for number, rate in enumerate(rates)
    ]
    return {
        "command": "x",
        "date": "2026-11-29T00:00:00+00:00",
        "machine": "m",
        "cores": 2,
        "load_before": 0.1,
        "commit": "abcdef0",
        "images": 400,
        "image_bytes": 59_000,
        "alone": {
            "decode_per_s": 110.0,
            "extract_per_s": 300.0,
            "match_per_s": 5000.0,
            "decode_ms": 3.0,
            "extract_ms": 4.0,
            "beside_ms": 0.45,
        },
        "runs": runs,
        "half_load": {"per_s": 47.5, "p50_s": 0.2, "p99_s": 0.4},
    }


def test_ratios_are_taken_round_by_round_and_held_against_their_goals() -> None:
    exactly_once, whole, two_slots, p99, besides = page.goals(results())
    assert exactly_once.spread.middle == pytest.approx((1.0 + 0.9) / 2)
    assert exactly_once.reached
    assert whole.spread.most == pytest.approx(100 / 110)
    assert not whole.reached
    assert two_slots.spread.middle == pytest.approx((1.5 + 1.9) / 2)
    assert not two_slots.reached
    assert (p99.spread.middle, p99.reached) == (0.4, True)
    assert (besides.spread.middle, besides.reached) == (0.45, False)


def test_the_page_says_what_is_missed_and_where_the_time_goes() -> None:
    text = page.page(results(), "speed-2026-11-29.json")
    assert text.count("**missed**") == 3
    assert text.count("| reached |") == 2
    assert "8.00 ms of processor time an image in all, and what is above adds up to 7.45" in text
    assert "could give 250 verdicts a second" in text
    assert "| at least once | 1 | all | 100.0 | 8.00 | 25.0 |" in text


def test_the_page_in_the_docs_is_made_of_the_newest_results() -> None:
    path = page.newest()
    assert page.PAGE.exists() == (path is not None), "run `make bench`"
    if path is not None:
        assert page.PAGE.read_text() == page.page(page.load(path), path.name)


def test_what_an_event_costs_besides_is_measured_on_the_worker_s_own_threads() -> None:
    bundle = load_bundle()
    extractor = BlockExtractor(bundle)
    files = [made_png("columns", 1), real_jpeg(2, 75), real_jpeg(3, 90)]
    images = [decode(data, extractor.limits) for data in files]
    fingerprints = extractor.extract(images)
    found = beside.processor_ms(bundle, extractor.limits, files, images, fingerprints, 100)
    assert 0 < found["beside_ms"] < 1000
    assert 1 <= found["beside_events_per_transaction"] <= 100
