"""What is counted of a batch is what was computed, and a smoke runs without a card."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.blocks import encoded, picture
from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import histograms, model, page
from benchmarks.gpu.counting import Counting, count
from benchmarks.gpu.stages import drawn
from worker.decoder.decode import DecodeLimits, decode
from worker.extractor.bundle import load_bundle
from worker.extractor.on_device.extractor import DeviceExtractor


def test_operations_bytes_and_products_are_those_of_known_work() -> None:
    one, other = torch.ones(4, 8), torch.ones(8, 2)
    with torch.inference_mode(), Counting() as counting:
        view = one.view(8, 4).T.unsqueeze(0)[:, :, :3]  # no work
        torch.empty(1000)
        found = (one @ other).add_(1)
        torch.neg(found, out=found)
    assert view.shape == (1, 4, 3)
    assert dict(counting.operations) == {"mm": 1, "add_": 1, "neg": 1}
    assert counting.products == 4 * 8 * 2
    assert counting.read_bytes == 4 * (4 * 8 + 8 * 2) + 2 * 4 * (4 * 2)
    assert counting.written_bytes == 3 * 4 * (4 * 2)
    assert counting.rows_added == 0


def test_rows_of_a_table_that_are_added_are_counted() -> None:
    places = torch.zeros(5, 64, dtype=torch.int32)
    with torch.inference_mode(), Counting() as counting:
        torch.nn.functional.embedding_bag(places, torch.ones(3, 7), mode="sum")
    assert counting.rows_added == 5 * 64


def test_what_is_read_twice_counts_once() -> None:
    row = torch.ones(1, 8)
    with torch.inference_mode(), Counting() as counting:
        row.expand(100, 8) + 1
    assert (counting.read_bytes, counting.written_bytes) == (4 * 8, 4 * 800)


def test_a_batch_waits_once_and_reads_nothing_back() -> None:
    bundle = load_bundle()
    drawn_small = Image.fromarray(picture(96))
    image = decode(encoded(drawn_small, "JPEG"), DecodeLimits(bundle.reading))
    extractor = DeviceExtractor(bundle, torch.device("cpu"))
    # From 32 pictures on no place of a batch is empty.
    one, many, twice = (count(extractor, [image] * images) for images in (1, 32, 64))
    for counted in (one, many, twice):
        assert (counted["waits"], counted["read_back"]) == (1, 0)
    assert twice["operations"] == one["operations"], "a batch costs the launches of one image"
    assert twice["pixel_bytes"] == 64 * one["pixel_bytes"] == 64 * 3 * 96 * 96
    # But for the sums of regions as those of pictures, which grow with both.
    assert twice["multiply_adds"] == pytest.approx(2 * many["multiply_adds"], rel=0.01)


def test_the_model_adds_its_parts() -> None:
    counted = {
        "images": 2,
        "operations": 100,
        "pixel_bytes": 96_000_000,
        "read_bytes": 1_000_000_000,
        "written_bytes": 1_010_000_000,
        "multiply_adds": 20_100_000_000,
        "rows_added": 448_800_000,
    }
    share = model.card(counted)
    expected = (2.01e9 / (3.35e12 * 0.6), 20.1e9 / (33.5e12 * 0.3), 0.01, 96e6 / 48e9, 100 * 2.5e-6)
    np.testing.assert_allclose(share, [5e5 * part for part in expected])
    assert share.whole == pytest.approx(5e5 * sum(expected))
    assert model.cores_per_s(3, 1, 1) == pytest.approx(16 / 0.005)
    assert model.slots_per_s(4, 0.25, 0.75) == pytest.approx(4000)


def test_the_page_is_made_of_the_kept_results() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(page.load()), (
        "run `python -m benchmarks.gpu.page`"
    )


def test_a_page_of_a_card_does_not_say_that_none_was_measured() -> None:
    results = page.load() | {"device": "torch 2.15 on NVIDIA H100 80GB HBM3 (cuda:0)"}
    assert "The card: torch 2.15 on NVIDIA H100" in page.page(results)
    assert "No card has been measured" not in page.page(results)


def test_all_ways_to_count_give_the_same_counts() -> None:
    codes = histograms.drawn(2, 1024, torch.device("cpu"))
    expected = np.zeros((len(codes), 63))
    for row, code in np.ndenumerate(codes.int().numpy()):
        expected[row[0], min(code, 124 - code)] += 1
    for name, way in histograms.WAYS.items():
        np.testing.assert_array_equal(way(codes).numpy(), expected, err_msg=name)


def test_files_are_different_jpegs_again_and_again() -> None:
    files = drawn(40, 64)
    assert len(files) == 40
    assert len(set(files)) == 32
    assert files[0] == files[32]


def test_all_but_the_stream_runs_without_a_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "gpu.json"
    arguments = "--device cpu --images 3 --side 64 --batch 2 --count 2 --slots 1 --rounds 1"
    arguments += f" --no-stream --output {output}"
    monkeypatch.setattr(sys, "argv", ["gpu", *arguments.split()])
    gpu.main()
    found: dict[str, Any] = json.loads(output.read_text())
    assert found["decode"]["per_s"] > 0
    assert found["extract"][0]["launched_ahead_per_s"] > 0
    assert found["match_per_s"] > 0
    assert found["counts"]["lossless"][0]["operations"] > found["counts"]["jpeg"][0]["operations"]
    assert page.page(found).count("| ") > 40


def test_a_machine_without_a_card_is_told_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["benchmarks.gpu", "--device", "cuda:1"])
    monkeypatch.setattr(gpu, "measure", lambda options: pytest.fail("it began"))
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert ended.value.code == 2
    assert "--device is cuda:1, and torch finds no card" in capsys.readouterr().err
