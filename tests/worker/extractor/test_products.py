"""Products of a batch, of the matrices that 8 bits keep."""

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_info

from fingerprint_db.conditions import Codec
from tests.worker.extractor.tiny_bundle import TinyBundle
from worker.extractor.bundle import Bundle, load_bundle
from worker.extractor.bundle_arrays import from_int8, to_int8
from worker.extractor.fingerprint_map import Floats
from worker.extractor.products import Products, by_columns, stay_on_this_thread, times

MIXED: list[Codec] = ["jpeg75", "jpeg95", "jpeg75", "webp80", "jpeg75"]


@pytest.fixture(scope="module")
def bundle(tiny_bundle: TinyBundle) -> Bundle:
    return load_bundle(tiny_bundle.path)


def rows(bundle: Bundle, codecs: list[Codec]) -> Floats:
    size = bundle.maps[codecs[0]].basis.shape[0]
    return np.random.default_rng(5).normal(size=(len(codecs), size)).astype(np.float32)


@pytest.mark.parametrize("codecs", [MIXED, MIXED[:1], ["lossless", "half_lossless"]])
def test_each_row_goes_through_its_own_codecs_map(codecs: list[Codec], bundle: Bundle) -> None:
    own = Products(bundle)
    standard = rows(bundle, codecs)
    found = own.project(codecs, standard)
    assert found.dtype == np.float32
    assert found.shape == (len(codecs), bundle.document.dimension)
    for row, codec, vector in zip(standard, codecs, found, strict=True):
        one = bundle.maps[codec]
        expected = row.astype(np.float64) @ one.basis @ one.projection + one.offset
        np.testing.assert_allclose(vector, expected, atol=1e-3)
    assert own.where.startswith("numba")
    assert own.where.endswith("on cpu")


def blas_threads() -> set[int]:
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_numpys_products_stay_on_the_thread_that_asks_only_where_that_is_asked_for(
    bundle: Bundle,
) -> None:
    """Who only reads a bundle, to train beside it, has all threads."""
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        Products(bundle)
        assert blas_threads() == {2}
        stay_on_this_thread()
        assert blas_threads() == {1}


@pytest.mark.parametrize(("count", "numbers", "columns"), [(1, 4593, 9), (2, 31, 4), (3, 64, 1)])
def test_a_product_is_that_of_the_matrix_that_8_bits_keep(
    count: int, numbers: int, columns: int
) -> None:
    rng = np.random.default_rng(columns)
    kept = to_int8(rng.normal(size=(numbers, columns)).astype(np.float32))
    left = rng.normal(size=(count, numbers)).astype(np.float32)
    expected = [
        [sum(float(a) * float(b) for a, b in zip(row, column, strict=True)) for column in matrix]
        for row in left
        for matrix in [from_int8(*kept).T]
    ]
    np.testing.assert_allclose(times(left, by_columns(*kept)), expected, atol=1e-4)


def test_what_is_no_number_stays_none() -> None:
    kept = by_columns(*to_int8(np.ones((20, 5), np.float32)))
    left = np.ones((2, 20), np.float32)
    left[1, 3] = np.nan
    found = times(left, kept)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()


def test_rows_of_another_length_are_refused() -> None:
    kept = by_columns(*to_int8(np.ones((20, 5), np.float32)))
    with pytest.raises(ValueError, match=r"shape \(1, 19\) meet columns of 20 numbers"):
        times(np.ones((1, 19), np.float32), kept)
