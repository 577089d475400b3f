"""Rows scored in full, from where their models keep them."""

import numpy as np
import pytest

from fingerprint_db.matching.rows.pairs import sums_of_pairs
from tests.fingerprint_db.matching.small_spaces import (
    DIMENSION,
    mean_of,
    photographs,
    small_space,
)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_pairs_are_scored_as_a_loop_over_numbers_says(kind: type[np.floating]) -> None:
    known = small_space()
    vectors, means = photographs(known, 4), np.stack([mean_of(i) for i in range(3)]).astype(kind)
    apart = (known.made_variance + 0.5).astype(np.float32)
    pairs = [(3, 0), (0, 2), (3, 0), (1, 1)]
    images_of, rows = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    addresses = means.__array_interface__["data"][0] + rows * means.strides[0]
    wide = np.full(len(rows), kind is np.float32)
    found = sums_of_pairs(vectors, addresses, wide, images_of, known.made_variance, apart)
    assert (found[0] == found[2]).all()
    for sums, (b, r) in zip(found, pairs, strict=True):
        expected = [0.0, 0.0, 0.0]
        for d in range(DIMENSION):
            x, m = float(vectors[b, d]), float(means[r, d])
            expected[0] += x * m
            expected[1] += (x - m) ** 2 / float(known.made_variance[d])
            expected[2] += (x - m) ** 2 / float(apart[d])
        np.testing.assert_allclose(sums, expected, rtol=1e-12)
