"""The worker's judge gives from kept fingerprints the verdicts that the worker gives on files."""

import io
from datetime import UTC, datetime

import pytest
from PIL import Image

from fingerprint_db.snapshot import Snapshot
from tests.worker.extractor.tiny_bundle import (
    TinyBundle,
    made_png,
    real_jpeg,
    real_png,
    varied_png,
)
from training.evaluation.subjects import Shown
from training.evaluation.worker_judge import WorkerJudge, open_judge
from worker.decoder.decode import decode
from worker.events.cloudevents import Origin
from worker.events.image_event import ImageEvent
from worker.extractor.bundle import load_bundle
from worker.extractor.extract import BlockExtractor
from worker.judge.judged import Judged
from worker.judge.pipeline import Pipeline
from worker.judge.policy import load_policy
from worker.registry.view import RegistryView

FILES = (
    *(real_png(n) for n in range(4)),
    real_jpeg(5, 90),
    *(made_png("checks", n) for n in range(4)),
    made_png("rows", 3),
    b"no picture",
    real_png(9, 16),
)


@pytest.fixture(scope="module")
def judge(tiny_bundle: TinyBundle) -> WorkerJudge:
    return open_judge(tiny_bundle.path)


def test_verdicts_from_kept_fingerprints_are_the_workers_own(
    judge: WorkerJudge, tiny_bundle: TinyBundle
) -> None:
    samples = judge.samples(varied_png("checks", n) for n in range(100, 150))
    enrolled = judge.enrol(samples, "checks 64", "checks", ())
    assert enrolled.model is not None, enrolled.refusals
    seen = judge.see([Shown("clean", n, data) for n, data in enumerate(FILES)])
    answers = judge.answers(seen, [enrolled.model])

    bundle = load_bundle(tiny_bundle.path)
    extractor = BlockExtractor(bundle)
    pipeline = Pipeline(extractor, bundle, load_policy(), lambda: datetime.now(UTC))
    snapshot = Snapshot(bundle.digest, 1, "ef" * 32, (enrolled.model,))
    event = ImageEvent(Origin("t", 0, 0), None, "0", "test", None, None, None, b"")
    for data, answer in zip(FILES, answers, strict=True):
        if data == b"no picture":
            assert answer.outcome == "rejected"
            continue
        image = decode(data, extractor.limits)
        (judged,) = pipeline.judge([(event, image)], RegistryView(snapshot, 0.0))
        assert isinstance(judged, Judged)
        verdict = judged.verdict
        assert (answer.outcome, answer.model, answer.reasons) == (
            *(verdict.outcome, verdict.model, verdict.reasons),
        )
        if verdict.name_test is not None:
            assert answer.p_value == pytest.approx(verdict.name_test.p_value)
    outcomes = [answer.outcome for answer in answers]
    assert outcomes[-1] == "undetermined"
    assert "attributed" in outcomes


def test_samples_that_are_photographs_are_refused_with_the_reason(judge: WorkerJudge) -> None:
    enrolled = judge.enrol(judge.samples(real_png(n) for n in range(200, 220)), "real", "real", ())
    assert enrolled.model is None
    assert enrolled.refusals


def test_nothing_seen_is_a_table_without_rows(judge: WorkerJudge) -> None:
    seen = judge.see([])
    assert len(seen) == 0
    assert judge.answers(seen, ()) == []


def test_samples_that_are_flat_or_copies_are_left_out(judge: WorkerJudge) -> None:
    plain = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 120, 150)).save(plain, "PNG")
    first = varied_png("checks", 1)
    samples = judge.samples([first, plain.getvalue(), varied_png("checks", 2), first])
    assert samples.subjects == ("0000.png", "0002.png")
    assert len(samples.vectors["lossless"]) == 2
