"""Products of a batch: the same numbers by numpy and by torch, and torch only where it serves."""

import numpy as np
import pytest
import torch
from threadpoolctl import ThreadpoolController, threadpool_info

from fingerprint_db.conditions import Codec
from tests.worker.extractor.tiny_bundle import TinyBundle
from worker.extractor import products as products_module
from worker.extractor.bundle import Bundle, load_bundle
from worker.extractor.fingerprint_map import Floats
from worker.extractor.products import NumpyProducts, Products, has_driver, products
from worker.extractor.torch_products import TorchProducts

MIXED: list[Codec] = ["jpeg75", "jpeg95", "jpeg75", "webp80", "jpeg75"]


@pytest.fixture(scope="module")
def bundle(tiny_bundle: TinyBundle) -> Bundle:
    return load_bundle(tiny_bundle.path)


def rows(bundle: Bundle, codecs: list[Codec]) -> Floats:
    size = bundle.maps[codecs[0]].basis.shape[0]
    return np.random.default_rng(5).normal(size=(len(codecs), size)).astype(np.float32)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("codecs", [MIXED, MIXED[:1], ["lossless", "half_lossless"]])
def test_each_row_goes_through_its_own_codecs_map(
    kind: str, codecs: list[Codec], bundle: Bundle
) -> None:
    own: Products = (
        NumpyProducts(bundle.maps)
        if kind == "numpy"
        else TorchProducts(bundle.maps, torch.device("cpu"))
    )
    standard = rows(bundle, codecs)
    found = own.project(codecs, standard)
    assert found.dtype == np.float32
    assert found.shape == (len(codecs), bundle.document.dimension)
    for row, codec, vector in zip(standard, codecs, found, strict=True):
        one = bundle.maps[codec]
        expected = row.astype(np.float64) @ one.basis @ one.projection + one.offset
        np.testing.assert_allclose(vector, expected, atol=1e-3)
    assert own.where.startswith(kind)
    assert own.where.endswith("on cpu")


def test_the_cpu_computes_in_numpy(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(products(bundle.maps, "cpu"), NumpyProducts)
    monkeypatch.setattr(products_module, "has_driver", lambda: False)
    assert isinstance(products(bundle.maps, "auto"), NumpyProducts)


def test_a_driver_without_a_card_is_left_alone(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products_module, "has_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert isinstance(products(bundle.maps, "auto"), NumpyProducts)


def test_no_card_of_torchs_is_missed() -> None:
    assert has_driver() or not torch.cuda.is_available()


def test_a_product_is_computed_by_the_thread_that_asks(bundle: Bundle) -> None:
    ThreadpoolController().limit(limits=2, user_api="blas")
    products(bundle.maps, "cpu")
    assert {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"} == {1}
