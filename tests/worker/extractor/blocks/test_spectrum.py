"""The spectrum equals plain transforms of each window, and shows what upsampling leaves."""

import numpy as np
import pytest
from scipy.fft import fft2

from tests.worker.extractor.blocks.regions import REGIONS, photo_region
from worker.extractor.blocks import spectrum
from worker.extractor.blocks.planes import to_planes


@pytest.mark.parametrize("name", REGIONS)
def test_the_spectrum_is_what_plain_transforms_give(name: str) -> None:
    planes = to_planes(REGIONS[name])
    hann = np.hanning(32)
    window = hann[:, None] * hann
    window /= np.sqrt((window**2).mean())
    expected = []
    for plane in (planes.y, planes.cb, planes.cr):
        powers = []
        for y in range(0, plane.shape[0] - 31, 32):
            for x in range(0, plane.shape[1] - 31, 32):
                cut = plane[y : y + 32, x : x + 32].astype(np.float64)
                powers.append(np.abs(fft2((cut - cut.mean()) * window, norm="ortho")) ** 2)
        mean = np.mean(powers, axis=0)
        expected += [
            np.log(mean[k, j] + 0.01)
            for k in range(32)
            for j in range(17)
            if (k, j) != (0, 0) and not (j in (0, 16) and k > 16)
        ]
    found = spectrum.finish(spectrum.accumulate(planes))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_doubled_pixels_mirror_what_is_smooth_to_the_highest_frequencies() -> None:
    narrow = photo_region(64, 64)
    doubled = np.repeat(np.repeat(narrow, 2, axis=2), 2, axis=1)
    natural = photo_region(128, 128)
    highest = 15  # of (0, 1) to (0, 16), which stand first
    found = [spectrum.finish(spectrum.accumulate(to_planes(r))) for r in (doubled, natural)]
    assert found[0][highest] > found[1][highest] + 1
