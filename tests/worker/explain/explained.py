"""Explanations of the tiny bundle's pictures, judged as `scan` judges them."""

from tests.worker.extractor.tiny_bundle import LIMITS
from tests.worker.judge.judging import Bench, item, judged
from worker.decoder.decode import decode
from worker.explain.explanation import Explanation, Measured, explain
from worker.judge.policy import load_policy
from worker.registry.view import RegistryView


def explained(bench: Bench, data: bytes, view: RegistryView | None = None) -> Explanation:
    """The explanation of one file, by the bench's registry as it is now unless a view is given."""
    seen = view or bench.view()
    (result,) = bench.pipeline().judge([item(data)], seen)
    return explain(
        decode(data, LIMITS),
        judged(result).verdict,
        seen,
        bundle=bench.bundle,
        extractor=bench.extractor,
        policy=load_policy(),
    )


def measured(explanation: Explanation) -> Measured:
    """What was measured, which must be something."""
    assert explanation.measured is not None
    return explanation.measured
