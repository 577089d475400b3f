"""The planes are JFIF's colours, exact, and refuse what is no region."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.worker.extractor.blocks.regions import REGIONS, photo_region
from worker.extractor.blocks.planes import to_planes


@pytest.mark.parametrize("name", REGIONS)
def test_the_planes_are_those_of_jfif(name: str) -> None:
    region = REGIONS[name]
    matrix = np.array(
        [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    )
    expected = np.einsum("ck,khw->chw", matrix, region.astype(np.float64))
    expected[0] -= 128
    planes = to_planes(region)
    exact = np.stack([planes.y, planes.cb, planes.cr])
    assert exact.dtype == np.float32
    assert np.abs(exact - expected).max() < 4e-3  # the weights are rounded to 1/65536
    whole = np.stack([planes.whole_y, planes.whole_cb, planes.whole_cr])
    assert whole.dtype == np.int16
    assert np.array_equal(whole, np.floor(exact.astype(np.float64) + 0.5))
    assert np.array_equal(planes.rgb, region)


def test_a_grey_picture_has_no_chroma_and_its_own_levels() -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(4).reshape(32, 32)
    planes = to_planes(np.stack([levels] * 3))
    assert np.array_equal(planes.y, levels.astype(np.float32) - 128)
    assert not planes.cb.any()
    assert not planes.cr.any()


def test_a_cut_of_a_picture_is_read_as_its_copy() -> None:
    picture = photo_region(64, 96)
    cut = picture[:, 16:48, 32:80]
    assert np.array_equal(to_planes(cut).y, to_planes(cut.copy()).y)


def test_planes_are_converted_no_second_time() -> None:
    planes = to_planes(photo_region())
    assert to_planes(planes) is planes


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 31, 64), dtype=np.uint8),
        np.zeros((3, 64, 31), dtype=np.uint8),
        np.zeros((64, 64, 3), dtype=np.uint8),
        np.zeros((64, 64), dtype=np.uint8),
    ],
)
def test_what_is_no_region_is_refused(array: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="a region is"):
        to_planes(array)
