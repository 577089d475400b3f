"""One bench for the room: the tiny bundle with two of its generators registered."""

import pytest

from tests.worker.extractor.tiny_bundle import TinyBundle
from tests.worker.judge.judging import Bench
from worker.extractor.bundle import load_bundle
from worker.extractor.extract import BlockExtractor


@pytest.fixture(scope="session")
def bench(tiny_bundle: TinyBundle) -> Bench:
    """`checks` and `columns` are registered, `rows` is not; do not register more."""
    bundle = load_bundle(tiny_bundle.path)
    made = Bench(bundle, BlockExtractor(bundle))
    made.register("checks")
    made.register("columns")
    return made
