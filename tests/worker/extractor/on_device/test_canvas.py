"""Every region is on exactly one canvas, whole, and the batches are few and bounded."""

import numpy as np
import pytest

from tests.worker.extractor.blocks.regions import random_region
from worker.extractor.on_device.canvas import Shape, batches, power_of_two


def test_every_region_is_laid_out_once_and_whole() -> None:
    pictures = [
        [random_region(40, 50, 1)],
        [random_region(128, 128, 2), random_region(96, 128, 3), random_region(128, 128, 4)],
        [random_region(300, 400, 5)],
    ]
    seen: list[tuple[int, bytes]] = []
    for batch in batches(pictures, pinned=False):
        canvases, facts = batch.pixels.numpy(), batch.facts.numpy()
        assert batch.pixels.shape[2:] == batch.shape[:2]
        for canvas, (height, width, owner) in zip(canvases, facts, strict=True):
            if owner < 0:
                assert (height, width) == (0, 0)
            else:
                seen.append((int(owner), canvas[:, :height, :width].tobytes()))
    expected = [(i, region.tobytes()) for i, own in enumerate(pictures) for region in own]
    assert sorted(seen) == sorted(expected)


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [
        (32, 32, Shape(64, 64, False)),
        (64, 65, Shape(64, 128, False)),
        (128, 96, Shape(128, 128, False)),
        (256, 256, Shape(256, 256, False)),
        (257, 256, Shape(384, 256, True)),
        (512, 511, Shape(512, 512, True)),
        (32, 8192, Shape(64, 8192, True)),
    ],
)
def test_a_canvas_is_little_larger_than_its_region(height: int, width: int, shape: Shape) -> None:
    (batch,) = batches([[np.zeros((3, height, width), np.uint8)]], pinned=False)
    assert batch.shape == shape


def test_batches_have_few_sizes_and_little_is_empty() -> None:
    for regions in range(1, 130):
        found = list(batches([[random_region(32, 32)]] * regions, pinned=False))
        sizes = [len(batch.facts) for batch in found]
        assert all(size == power_of_two(size) for size in sizes)
        assert regions <= sum(sizes) <= regions * 4 / 3


def test_no_batch_has_more_pixels_than_the_cards_memory_is_reckoned_for() -> None:
    picture = np.zeros((3, 512, 512), np.uint8)
    found = list(batches([[picture]] * 40, pinned=False))
    assert [len(batch.facts) for batch in found] == [32, 8]
