"""Copies of photographs are told from images of their own."""

import numpy as np
from numpy.typing import NDArray

from training.paper.studies.authenticity import authentic_share


def pictures(count: int, seed: int) -> NDArray[np.uint8]:
    """Coarse noise: 16x16 fields of 2x2 pixels."""
    small = np.random.default_rng(seed).integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)
    return small.repeat(2, 2).repeat(2, 3)


def slightly_changed(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(9).integers(-5, 6, images.shape)
    return (images + noise).clip(0, 255).astype(np.uint8)


def test_copies_are_not_authentic_whichever_way_they_look() -> None:
    photographs = pictures(20, 1)
    copies = slightly_changed(photographs)
    assert authentic_share(copies, photographs) == 0.0
    assert authentic_share(np.ascontiguousarray(copies[..., ::-1]), photographs) == 0.0


def test_the_share_counts_images_one_by_one() -> None:
    photographs = pictures(20, 1)
    far = np.zeros((3, 3, 32, 32), np.uint8)  # farther from all than they are from each other
    half = np.concatenate([far, slightly_changed(photographs[:3])])
    assert authentic_share(half, photographs) == 0.5
