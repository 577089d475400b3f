"""What is drawn of the pixels: it hides the picture, and shows a lattice."""

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.explain.pixels import (
    FIELDS,
    WINDOW,
    mean_fields,
    residual,
    smoothed,
    spectrum,
)

ORIGIN = np.zeros((1, 2), np.int32)


def noise(height: int, width: int, seed: int = 1) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return rng.normal(128, 8, (3, height, width)).round().clip(0, 255).astype(np.uint8)


def with_lattice(period: int, axis: int) -> NDArray[np.uint8]:
    """Noise with a wave of this period, across (axis 1) or down (axis 0)."""
    places = np.indices((128, 128))[axis]
    wave = 6 * np.cos(2 * np.pi * places / period)
    made: NDArray[np.uint8] = (noise(128, 128) + wave).round().clip(0, 255).astype(np.uint8)
    return made


def test_no_more_than_a_dozen_mean_colours_a_side_are_kept_of_a_picture() -> None:
    picture = noise(480, 240)
    fields, seen = mean_fields((picture,), ORIGIN, 480, 240)
    assert fields.shape == (FIELDS, FIELDS // 2, 3)
    assert seen.all()
    first = picture[:, :40, :40].reshape(3, -1).mean(1)
    assert np.allclose(fields[0, 0], first, atol=0.5)
    # Whatever stands inside the fields, the page shows the same.
    shuffled = picture.reshape(3, 12, 40, 6, 40)[:, :, ::-1, :, ::-1].reshape(picture.shape)
    again, _ = mean_fields((np.ascontiguousarray(shuffled),), ORIGIN, 480, 240)
    assert np.array_equal(fields, again)


def test_fields_of_which_nothing_was_read_are_told() -> None:
    tile = np.full((3, 128, 128), 200, np.uint8)
    fields, seen = mean_fields((tile,), np.array([[384, 640]], np.int32), 512, 768)
    assert seen.sum() == 4
    assert seen[6:, 10:].all()
    assert (fields[seen] == 200).all()
    assert (smoothed(fields, seen, 240) == 200).all()


def test_a_padded_picture_gives_its_own_pixels_alone() -> None:
    padded = np.zeros((3, 32, 40), np.uint8)
    padded[:, :24] = 90
    fields, seen = mean_fields((padded,), ORIGIN, 24, 40)
    assert seen.all()
    assert (fields == 90).all()


def test_smoothing_passes_through_the_fields_colours() -> None:
    fields, seen = mean_fields((noise(96, 96),), ORIGIN, 96, 96)
    drawn = smoothed(fields, seen, 12 * 21)
    assert drawn.shape == (252, 252, 3)
    assert np.abs(drawn[10::21, 10::21].astype(int) - fields).max() <= 1


def test_residual_windows_are_the_calmest_that_are_not_flat() -> None:
    calm, wild = noise(64, 64) // 2 + 64, noise(128, 128)
    wild[:, :64, :64] = 77  # flat
    found = residual((calm, wild))
    assert found.windows.shape == (12, WINDOW, WINDOW)
    deviations = found.windows.std(axis=(1, 2))
    assert (np.diff(deviations) >= 0).all()
    assert deviations[0] > 0.3
    assert deviations[3] < 0.7 * deviations[8]


def test_a_flat_picture_has_no_windows_and_no_fold() -> None:
    found = residual((np.full((3, 64, 64), 99, np.uint8),))
    assert len(found.windows) == 0
    assert np.abs(found.fold).max() == 0


@pytest.mark.parametrize("period", [2, 4, 8])
def test_the_fold_shows_a_lattice(period: int) -> None:
    plain = residual((noise(128, 128),)).fold
    found = residual((with_lattice(period, 1),)).fold
    assert found.shape == (16, 16)
    # The same down every column, and again after each period.
    assert found.mean(0).std() > 3 * plain.mean(0).std()
    assert np.corrcoef(found.mean(0), np.roll(found.mean(0), period))[0, 1] > 0.8


@pytest.mark.parametrize("period", [2, 4, 8, 16])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_spectrum_tells_a_lattices_period_and_direction(period: int, axis: int) -> None:
    above = spectrum((with_lattice(period, axis),)).above
    peaks = {(p, place): value for p, values in above.items() for place, value in enumerate(values)}
    assert max(peaks, key=lambda key: peaks[key]) == (period, 1 - axis)
    assert peaks[period, 1 - axis] > 6
    assert spectrum((noise(128, 128),)).above[period][1 - axis] < 3


def test_small_regions_are_read_in_small_windows_that_know_no_period_of_sixteen() -> None:
    found = spectrum((noise(40, 48), noise(32, 32)))
    assert found.magnitude.shape == (32, 32)
    assert found.count == 3
    assert set(found.above) == {2, 4, 8}
