"""The bench that every test of whole judgements uses."""

import pytest

from tests.worker.extractor.tiny_bundle import TinyBundle
from tests.worker.judge.judging import Bench
from worker.extractor.bundle import load_bundle
from worker.extractor.extract import BlockExtractor


@pytest.fixture(scope="module")
def bench(tiny_bundle: TinyBundle) -> Bench:
    """`checks` and `columns` are registered, `rows` is not."""
    bundle = load_bundle(tiny_bundle.path)
    made = Bench(bundle, BlockExtractor(bundle))
    made.register("checks")
    made.register("columns")
    return made
