"""Symbols by rounding are those by thresholds, and triples are counted as pairs of negatives."""

import numpy as np
import pytest
import torch

from worker.extractor.blocks import co_occurrences, colour
from worker.extractor.blocks.residual_symbols import bands
from worker.extractor.on_device.symbols import count_triples, in_bands, scales, to_symbols

LIMITS = sorted(
    {
        (int(near), int(far))
        for table in (co_occurrences.LIMITS_Y, co_occurrences.LIMITS_CHROMA, colour.LIMITS)
        for near, far in table.reshape(-1, 2)
    }
)


@pytest.mark.parametrize("limits", LIMITS)
def test_every_residual_gets_the_symbol_of_its_thresholds(limits: tuple[int, int]) -> None:
    near, far = limits
    residuals = torch.arange(-2048, 2049).to(torch.float16)
    assert len(set(residuals.tolist())) == 4097, "float16 holds them all"
    expected = [sum((r > -far, r > -near, r >= near, r >= far)) for r in range(-2048, 2049)]
    found = to_symbols(residuals, scales([limits], torch.device("cpu")))
    assert found.tolist() == expected


def test_triples_and_their_negatives_are_counted_together_and_nan_nowhere() -> None:
    rng = np.random.default_rng(1)
    triples = rng.integers(0, 5, (2, 128, 3))
    counts = np.zeros((2, 63))
    codes = np.zeros((2, 128))
    for row, place in np.ndindex(2, 128):
        a, b, c = triples[row, place]
        code = 25 * a + 5 * b + c
        counts[row, min(code, 124 - code)] += 1
        codes[row, place] = code
    missing = int(codes[0, 7])
    counts[0, min(missing, 124 - missing)] -= 1
    codes[0, 7] = np.nan
    found = count_triples(torch.from_numpy(codes).to(torch.float16))
    np.testing.assert_array_equal(found.numpy(), counts)


@pytest.mark.parametrize("code", range(125))
def test_a_picture_of_one_symbol_fills_its_count(code: int) -> None:
    """Pieces as full as they get, beside a count that shares its number."""
    codes = torch.full((1, 3 * 1024), float(code), dtype=torch.float16)
    expected = np.zeros((1, 63))
    expected[0, min(code, 124 - code)] = 3 * 1024
    np.testing.assert_array_equal(count_triples(codes).numpy(), expected)


def test_bands_are_the_first_and_the_fourth_of_each_eight() -> None:
    rows = torch.arange(128 + 16).to(torch.float16)
    planes = rows[None, None, :, None].expand(1, 3, -1, 24)
    found = in_bands(planes, thinned=True)
    assert found.shape == (1, 3, 4, 24, 24)
    assert found[0, 0, :, 0, 0].tolist() == [0, 64, 24, 88]
    assert torch.equal(found[0, 2, 1, :, 5], rows[64 : 64 + 24])
    assert torch.equal(in_bands(planes, thinned=False)[0, 0, 0], planes[0, 0])


def test_bands_are_those_that_the_compiled_loops_read() -> None:
    numbers = torch.arange(512 + 16).to(torch.float16)
    found = in_bands(numbers[None, None, :, None].expand(1, 3, -1, 17), thinned=True)
    read = sorted((int(band[0, 0]), len(band) - 16) for band in found[0, 0])
    assert read == [(top, rows) for top, rows in bands(512, 512).tolist()]
