"""A tenant's photographs set the levels of the verdicts on pictures like them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import structlog

from fingerprint_db.calibration import PhotographPart
from fingerprint_db.memory_registry import MemoryRegistry
from tests.fingerprint_db.photograph_parts import part
from tests.worker.extractor.tiny_bundle import TinyBundle, made_png, real_jpeg, real_png
from tests.worker.judge.judging import NOW, Bench, items, judged
from worker.decoder.decode import DecodedImage
from worker.errors import RejectError
from worker.events.records import Verdict
from worker.extractor.bundle import load_bundle
from worker.extractor.extract import BlockExtractor, ImageFingerprint
from worker.judge.pipeline import Pipeline
from worker.judge.policy import load_policy
from worker.metrics import Figures
from worker.registry.view import RegistryView


@pytest.fixture(scope="module")
def bench(tiny_bundle: TinyBundle) -> Bench:
    """`checks` is registered."""
    bundle = load_bundle(tiny_bundle.path)
    made = Bench(bundle, BlockExtractor(bundle))
    made.register("checks")
    return made


def own_photographs(count: int, dimension: int = 8) -> list[PhotographPart]:
    """Of the kind and size of small lossless pictures, far less like a generator's.

    A part for each of the two spaces in which they are read, one after the other.
    """
    found = []
    for seed in range(count // 100):
        shown = part("shop", 100, seed=seed, dimension=dimension, size_class=0, spread=0.1)
        half = part("shop", 100, seed=seed, dimension=dimension, codec="half_lossless",
                    size_class=0, spread=0.1)  # fmt: skip
        found += [replace(one, identities=shown.identities) for one in (shown, half)]
    return [replace(one, kinds=one.kinds * 0) for one in found]


def test_a_calibration_is_swapped_in_and_named_where_its_photographs_count(bench: Bench) -> None:
    registry, space = MemoryRegistry(), bench.bundle.digest
    pipeline, plain = bench.pipeline(), bench.view()
    parts = own_photographs(1000)
    calibration = registry.store_calibration(space, parts, seen=0, by="ada", reason="a test")
    tenant = replace(plain, calibration=calibration)
    files = items(made_png("checks", 3), real_jpeg(15, 85))

    def judged_with(view: RegistryView) -> list[Verdict]:
        return [judged(result).verdict for result in pipeline.judge(files, view)]

    before, after, again = judged_with(plain), judged_with(tenant), judged_with(plain)
    for verdict in (*before, *again, after[1]):
        assert verdict.calibration_digest is None
    assert after[0].calibration_digest == calibration.digest
    calibrating = sum(int((one.identities[:, 0] % 5 != 0).sum()) for one in parts[::2])
    assert after[0].name_test is not None
    assert after[0].real_test is not None
    assert after[0].name_test.calibration_count == calibrating
    assert after[0].real_test.calibration_count == calibrating
    assert before[0] == again[0]
    assert before[1] == after[1], "of another codec, of which the tenant has none"
    assert after[0].model == "checks"


def test_a_few_photographs_of_a_tenant_count_beside_the_bundles(bench: Bench) -> None:
    registry = MemoryRegistry()
    calibration = registry.store_calibration(
        bench.bundle.digest, own_photographs(100), seen=0, by="ada", reason="a test"
    )
    view = replace(bench.view(), calibration=calibration)
    (result,) = bench.pipeline().judge(items(made_png("checks", 3)), view)
    verdict = judged(result).verdict
    assert verdict.calibration_digest == calibration.digest
    assert verdict.name_test is not None
    assert 630 < verdict.name_test.calibration_count < 730


def test_a_stream_that_drifts_is_told_once_and_again_after_a_change(bench: Bench) -> None:
    """Pictures that hardly pass for photographs, one after another."""
    space = bench.bundle.background.codecs["lossless"]
    held = space.cohort.where(~space.cohort.normalises & (space.cohort.size_classes == 0))
    ninety = float(np.quantile(held.vectors @ space.synthesis, 0.9))
    (found,) = bench.fingerprints(real_png(6))
    near = replace(found, synthesis_score=ninety)
    figures = Figures()
    pipeline = Pipeline(_Fixed(bench, near), bench.bundle, load_policy(), lambda: NOW, figures)
    own = Bench(bench.bundle, bench.extractor)
    view, files = own.view(), items(*[real_png(6)] * 8)
    with structlog.testing.capture_logs() as logs:
        for _ in range(20):
            outcomes = {judged(r).verdict.outcome for r in pipeline.judge(files, view)}
            assert outcomes == {"no_evidence"}
    told = [line for line in logs if line["event"] == "calibration_drift"]
    assert len(told) == figures.read()["calibration_drifts"] == 1
    assert figures.read()["calibration_drifted"] == 1
    assert (told[0]["log_level"], told[0]["test"]) == ("warning", "real_test")
    assert told[0]["calibration"] == "bundle"
    own.registry.register(bench.snapshot().models[0], by="ada", reason="a test")
    pipeline.judge(files, own.view())
    assert figures.read()["calibration_drifted"] == 0
    for _ in range(19):
        pipeline.judge(files, own.view())
    assert figures.read()["calibration_drifts"] == 2


class _Fixed(BlockExtractor):
    """Finds the same in every image."""

    def __init__(self, bench: Bench, found: ImageFingerprint) -> None:
        super().__init__(bench.bundle)
        self._found = found

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        return [self._found] * len(images)
