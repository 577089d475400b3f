"""The comparison with other frameworks: its pins, its arithmetic and its page.

The peers themselves live in an environment that these tests do not have.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import page, pins
from benchmarks.peers.contenders import CONTENDERS, NAMES, WORKER
from benchmarks.peers.summary import Spread, at, measured, over
from benchmarks.peers.watching import Delivered, alike, differing
from worker.settings.images import ExtractSettings

RATES = {1: (40.0, 44.0, 36.0), 2: (70.0, 80.0, 60.0)}


def results() -> dict[str, Any]:
    """Made-up results: contender number n is n + 1 times as slow as the worker."""
    runs = [
        {
            "contender": name,
            "slots": slots,
            "round": number,
            "images_per_s": rate / (place + 1),
            "cpu_ms": 10.0 * (place + 1),
            "differing": place,
            "twice": 0,
        }
        for number in range(3)
        for slots in (1, 2)
        for place, name in enumerate(NAMES)
        for rate in [RATES[slots][number]]
    ]
    return {
        "command": "x",
        "date": "2026-11-29T00:00:00+00:00",
        "machine": "m",
        "load_before": 0.1,
        "commit": "abcdef0",
        "images": 100,
        "image_bytes": 61_000,
        "versions": {c.distribution: "1.2" for c in CONTENDERS} | {"torch": "2", "numba": "3"},
        "runs": runs,
    }


def test_every_pin_has_a_version_and_a_hash_and_no_address() -> None:
    text = pins.LOCK.read_text()
    found = pins.blocks(text)
    wanted = re.findall(r"^([\w-]+)", pins.WANTED.read_text(), re.MULTILINE)
    assert len(wanted) == 4
    assert {pin.partition("==")[0] for pin in found} >= set(wanted)
    hashes = re.compile(r"[\w.-]+==[\w.!+-]+ \\\n    --hash=sha256:[0-9a-f]{64}\n")
    assert all(hashes.fullmatch(block) for block in found.values())
    assert not re.search(r"https?:|index-url|find-links|@", text)


def test_the_peers_decode_and_extract_with_the_worker_s_versions() -> None:
    above = {pin.partition("==")[0] for pin in pins.blocks(pins.LOCK.read_text())}
    below = {pin.partition("==")[0] for pin in pins.blocks(pins.WORKER.read_text())}
    assert below >= pins.HELD
    assert not pins.HELD & above


def test_what_the_worker_s_lock_holds_alike_is_not_pinned_again() -> None:
    held = "a==1 ; python_version > '3.0' \\\n    --hash=sha256:x\nb==2 \\\n    --hash=sha256:y\n"
    held += "c==1 ; python_version < '3.0' \\\n    --hash=sha256:x\n"  # not there for this one
    lock = "# by uv\na==1 \\\n    --hash=sha256:x\nb==3 \\\n    --hash=sha256:z\n"
    lock += "c==1 \\\n    --hash=sha256:x\n"
    wanted = "b==3 \\\n    --hash=sha256:z\nc==1 \\\n    --hash=sha256:x\n"
    assert pins.beyond(lock, held) == wanted
    with pytest.raises(ValueError, match="no pinned requirement"):
        pins.blocks("a>=1\n")


def test_peers_gather_as_many_images_as_the_worker() -> None:
    source = (Path(page.__file__).parent / "stages.py").read_text()
    settings = ExtractSettings()
    assert f"BATCH: Final = {settings.batch_max_images}\n" in source
    assert f"BATCH_WAIT_S: Final = {settings.batch_wait_ms / 1000}\n" in source


def test_rate_and_cost_are_those_of_counting_one_by_one() -> None:
    times = [100 + 0.04 * i + 0.01 * (i % 3) for i in range(400)]
    used = [(99.0 + 0.5 * i, 3.0 + 0.2 * i) for i in range(40)]
    found = measured(list(reversed(times)), used)
    until = sorted(times)[359]  # the last tenth of 400 is left out
    later = [t for t in times if 110 < t <= until]
    assert found["counted"] == len(later)
    assert found["images_per_s"] == pytest.approx(len(later) / (until - 110), abs=0.01)
    # 0.4 s of processor time a second, whatever the points are
    assert found["cpu_ms"] == pytest.approx(1000 * 0.4 * (until - 110) / len(later), abs=0.01)


def test_a_run_that_is_over_before_all_processes_share_it_is_not_measured() -> None:
    with pytest.raises(ValueError, match="raise --images"):
        measured([100 + 0.005 * i for i in range(1000)], [(99.0, 0.0), (111.0, 7.0)])


def test_a_line_is_level_beyond_its_ends() -> None:
    line = [(1.0, 10.0), (3.0, 20.0)]
    assert [at(line, t) for t in (0.0, 1.0, 2.0, 3.0, 9.0)] == [10, 10, 15, 20, 20]


def test_a_spread_is_the_middle_of_the_sorted_and_its_ends() -> None:
    for values in ([3.0], [5.0, 1.0, 2.0], [4.0, 1.0, 3.0, 2.0]):
        ordered, n = sorted(values), len(values)
        middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
        assert Spread.of(values) == Spread(middle, ordered[0], ordered[-1])


def test_a_ratio_is_taken_round_by_round() -> None:
    assert over([10.0, 40.0, 90.0], [10.0, 20.0, 30.0]) == Spread(2.0, 1.0, 3.0)


def test_another_verdict_and_a_missing_one_are_counted() -> None:
    def verdict(offset: int, **more: object) -> dict[str, object]:
        return {"partition": 0, "offset": offset, "verdict_id": str(more), **more}

    one = {(0, i): verdict(i, score=0.5) for i in range(3)}
    other = {(0, 0): verdict(0, score=0.50001), (0, 1): verdict(1, score=0.6)}
    assert differing(one, dict(one)) == 0
    assert differing(other, one) == 2
    assert not alike({"a": [1.0]}, {"a": [1.0, 1.0]})
    assert not alike(1, 2)


def test_a_verdict_that_comes_twice_is_counted_apart() -> None:
    delivered = Delivered()
    for second in (1, 2):
        at = f"1970-01-01T00:00:0{second}Z"
        delivered.add(f'{{"partition": 0, "offset": 7, "created_at": "{at}"}}'.encode())
    assert (delivered.twice, delivered.made_at_s) == (1, [1.0])


def test_the_page_says_what_the_results_say() -> None:
    text = page.page(results(), "peers-x.json")
    assert f"| {WORKER} | 40.0 (36.0 to 44.0) | 1.00 (1.00 to 1.00) | 10.0 (10.0 to 10.0) |" in text
    # the third is three times as slow, and costs three times as much
    assert f"| {NAMES[2]} | 13.3 (12.0 to 14.7) | 3.00 (3.00 to 3.00) | 30.0" in text
    assert f"| {WORKER} | 1.75 (1.67 to 1.82) |" in text  # 70/40, 60/36, 80/44
    assert f"| {NAMES[2]} | ≥ 2.5 | 3.00 (3.00 to 3.00) | reached |" in text
    assert f"| {NAMES[2]} | 6 | 12 | 0 |" in text
    assert all(f"| {one.name} | {one.distribution} 1.2 |" in text for one in CONTENDERS)


def test_the_plot_has_a_dot_for_each_run() -> None:
    drawn = page.plot(results())
    assert drawn.count("<circle") == len(results()["runs"])
    assert len(drawn) < 60_000


def test_the_kept_page_is_made_of_the_kept_results() -> None:
    kept = page.newest()
    if kept is None:  # nothing measured yet: then there is no page that could say otherwise
        assert not page.PAGE.exists()
        assert not page.PLOT.exists()
        return
    assert page.PAGE.read_text() == page.page(page.load(kept), kept.name)
    assert page.PLOT.read_text() == page.plot(page.load(kept))
