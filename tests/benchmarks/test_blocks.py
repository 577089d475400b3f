"""The page of the extractor's floor is made of the kept figures; the floors do what they say."""

import numpy as np
import torch
from scipy.fft import dct

from benchmarks import blocks_page
from benchmarks.against_child import found
from benchmarks.floors import waves


def test_the_page_is_made_of_the_kept_figures() -> None:
    made = blocks_page.page(blocks_page.load("blocks"), blocks_page.load("against"))
    assert blocks_page.PAGE.read_text() == made, "run `python -m benchmarks.blocks_page`"


def test_every_part_and_every_floor_has_its_row() -> None:
    names = {name for name in blocks_page.load("blocks")["parts"] if ":" not in name}
    assert names == {row[0] for row in blocks_page.ROWS} | set(blocks_page.GOALS_MS)
    floors = {n.removeprefix("floor:") for n in blocks_page.load("blocks")["parts"] if ":" in n}
    assert floors == {row[2] for row in blocks_page.ROWS if row[2] is not None}


def test_a_goal_that_is_missed_is_said() -> None:
    blocks, against = blocks_page.load("blocks"), blocks_page.load("against")
    for name, (_, goal) in blocks_page.GOALS_MS.items():
        blocks["parts"][name]["least_ms"] = goal
    against["formats"]["jpeg"]["ratio"] = blocks_page.GOAL_RATIO
    assert "missed" not in blocks_page.page(blocks, against)
    blocks["parts"]["extract_png"]["least_ms"] += 0.01
    against["formats"]["jpeg"]["ratio"] += 0.01
    said = [line for line in blocks_page.page(blocks, against).splitlines() if "missed" in line]
    assert [line[:6] for line in said] == ["| a PN", "| JPEG"]


def test_the_floor_of_the_dct_is_a_dct() -> None:
    expected = dct(np.eye(8), axis=0, norm="ortho")
    np.testing.assert_allclose(waves(), expected, atol=1e-6)
    assert torch.allclose(torch.from_numpy(waves() @ waves().T), torch.eye(8), atol=1e-6)


def test_a_name_is_found_where_a_tree_has_it() -> None:
    assert found("processor_s", "worker.nowhere", "json", "benchmarks.peers.watching").__name__ == (
        "processor_s"
    )
