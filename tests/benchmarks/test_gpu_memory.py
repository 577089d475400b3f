"""What a batch holds of a card's memory is counted, and is what the worker reckons with."""

import math

import pytest
import torch

from benchmarks.gpu.held import Holding, most_held, work
from worker.extractor.on_device.canvas import BATCH_BYTES, BYTES_A_PIXEL, Shape


def test_tensors_count_once_and_until_they_go() -> None:
    with torch.inference_mode(), Holding() as holding:
        one = torch.ones(1000)
        view = one.view(10, 100)[:, 3:]
        twice = view + view  # 970 numbers
        del one, view
        last = twice + 1
    assert last.shape == (10, 97)
    assert holding.most_bytes == 4 * (1000 + 970)


def test_what_embedding_bag_makes_on_a_card_is_counted() -> None:
    """Of each of 5,120 places in which piece it is, int32, beside the sums of five pieces."""
    places, table = (torch.zeros(5, 1024, dtype=torch.int32), torch.ones(126, 32))
    places, table = places.to("meta"), table.to("meta")
    with torch.inference_mode(), Holding() as holding:
        torch.nn.functional.embedding_bag(places, table, mode="sum")
    assert holding.most_bytes >= 4 * 5 * 1024 + 4 * 5 * 32


@pytest.mark.parametrize(
    ("shape", "places"),
    [
        (Shape(64, 64, False), 2048),
        (Shape(128, 128, False), 512),
        (Shape(256, 256, False), 128),
        (Shape(512, 512, True), 32),
        (Shape(64, 8192, True), 16),
    ],
    ids=str,
)
def test_no_batch_holds_more_than_is_reckoned(shape: Shape, places: int) -> None:
    assert most_held(shape, places) <= BATCH_BYTES


def test_what_is_reckoned_is_what_the_smallest_canvases_hold() -> None:
    """Theirs are the largest margins."""
    held = most_held(Shape(64, 64, False), 2048)
    assert math.ceil(held / (2048 * 64 * 64)) == BYTES_A_PIXEL


def test_the_meta_device_makes_the_tensors_that_others_compute() -> None:
    shape = Shape(64, 64, False)
    with torch.inference_mode():
        found, made = (work(shape, 2, torch.device(name)) for name in ("cpu", "meta"))
    assert (found.shape, found.dtype) == (made.shape, made.dtype)
