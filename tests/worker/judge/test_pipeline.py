"""The stages on real files: the right verdict for each, alone or among bad neighbours."""

from collections.abc import Sequence
from importlib import metadata
from uuid import uuid5

import numpy as np
import PIL
import pytest

from tests.worker.extractor.tiny_bundle import TinyBundle, made_png, real_jpeg, real_png
from tests.worker.judge.judging import NOW, Bench, item, items, judged
from worker.decoder.decode import DecodedImage, DecodeLimits
from worker.errors import RejectError
from worker.events.records import Verdict, verdict_id
from worker.extractor.bundle import load_bundle
from worker.extractor.extract import ImageFingerprint, TorchExtractor
from worker.judge.policy import load_policy
from worker.registry.view import RegistryView


@pytest.fixture(scope="module")
def bench(tiny_bundle: TinyBundle) -> Bench:
    """`checks` and `columns` are registered, `rows` is not."""
    bundle = load_bundle(tiny_bundle.path)
    made = Bench(bundle, TorchExtractor(bundle, "cpu"))
    made.register("checks")
    made.register("columns")
    return made


def verdicts(bench: Bench, *files: bytes, age_s: float = 0.25) -> list[Verdict]:
    results = bench.pipeline().judge(items(*files), bench.view(age_s))
    assert len(results) == len(files)
    return [judged(result).verdict for result in results]


def test_every_kind_of_image_gets_its_verdict_in_order(bench: Bench) -> None:
    found = verdicts(
        bench, real_png(1), made_png("checks", 2), made_png("rows", 3), made_png("columns", 4)
    )
    assert [(v.outcome, v.model, v.flagged) for v in found] == [
        ("no_evidence", None, False),
        ("attributed", "checks", True),
        ("unknown_generator", None, True),
        ("attributed", "columns", True),
    ]
    assert [v.offset for v in found] == [0, 1, 2, 3]
    assert [v.reasons for v in found] == [
        ("real_test_not_passed",),
        ("model_accepts",),
        ("no_model_accepts",),
        ("model_accepts",),
    ]


def test_a_verdict_carries_what_makes_it_reproducible(bench: Bench) -> None:
    data = made_png("checks", 5)
    (event, image) = item(data, 41)
    (result,) = bench.pipeline().judge([(event, image)], bench.view())
    verdict = judged(result).verdict
    snapshot = bench.snapshot()
    assert verdict.bundle_digest == bench.bundle.digest
    assert verdict.policy_digest == load_policy().digest
    assert (verdict.registry_revision, verdict.registry_root) == (2, snapshot.root)
    assert verdict.registry_age_s == 0.25
    assert verdict.created_at == NOW
    assert (verdict.topic, verdict.partition, verdict.offset) == ("latentprint.images", 3, 41)
    assert (verdict.event_id, verdict.source, verdict.subject) == ("event 41", "/a/test", "41.png")
    assert verdict.image.sha256 == image.facts.sha256
    assert (verdict.image.byte_size, verdict.image.format) == (len(data), "png")
    assert (verdict.image.width, verdict.image.height) == (64, 64)
    assert verdict.crop_count == len(image.crops) == 3
    assert verdict.crop_agreement == 1.0
    assert verdict.condition == "as_received"
    assert verdict.family == "family of checks"
    assert verdict.model_id == "checks"
    assert verdict.worker_version == f"latentprint/{metadata.version('latentprint')}"
    assert verdict.decoder_version == f"pillow/{PIL.__version__}"
    assert verdict.revises is None


def test_a_verdict_states_how_far_its_real_test_can_be_trusted(bench: Bench) -> None:
    (verdict,) = verdicts(bench, real_png(6))
    test = verdict.real_test
    assert test is not None
    calibration = bench.bundle.calibration
    assert test.calibration_bin == "lossless_small"
    assert test.calibration_count == calibration.count("lossless_small") == 220
    stated = calibration.stated_rate("lossless_small", test.alpha)
    assert (test.false_positive_rate, test.false_positive_bound) == stated
    assert test.alpha == load_policy().alpha < test.p_value


def test_candidates_are_ranked_and_cut_to_what_the_policy_shows(bench: Bench) -> None:
    (verdict,) = verdicts(bench, made_png("columns", 7))
    assert [(c.rank, c.name, c.status, c.accepted) for c in verdict.candidates] == [
        (1, "columns", "live", True),
        (2, "checks", "live", False),
    ]
    best = verdict.candidates[0]
    assert best.distance <= best.distance_threshold
    assert best.threshold_count == 50
    policy = load_policy().model_copy(update={"candidates_shown": 1})
    (result,) = bench.pipeline(policy).judge(items(made_png("columns", 7)), bench.view())
    assert [c.name for c in judged(result).verdict.candidates] == ["columns"]


def test_a_flagged_verdict_raises_one_alert_and_every_fingerprint_is_kept(bench: Bench) -> None:
    results = bench.pipeline().judge(items(made_png("checks", 8), real_png(9)), bench.view())
    flagged, clean = (judged(result) for result in results)
    alert = flagged.alert
    assert alert is not None
    assert alert.verdict_id == flagged.verdict.verdict_id
    assert (alert.outcome, alert.model, alert.subject) == ("attributed", "checks", "0.png")
    assert alert.image_sha256 == flagged.verdict.image.sha256
    assert clean.alert is None
    for one in (flagged, clean):
        record = one.fingerprint
        assert record is not None
        assert (record.verdict_id, record.space) == (one.verdict.verdict_id, bench.bundle.digest)
        assert (record.dimension, record.crop_count) == (6, 3)
        assert np.isfinite(record.vector()).all()


def test_what_is_flagged_is_the_policys_choice(bench: Bench) -> None:
    policy = load_policy().model_copy(update={"flag": ("undetermined",)})
    files = items(made_png("checks", 10), real_png(11, 20))
    results = bench.pipeline(policy).judge(files, bench.view())
    assert [judged(r).verdict.flagged for r in results] == [False, True]
    assert [judged(r).alert is not None for r in results] == [False, True]


# Failures never look clean ----------------------------------------------------------------------

FILES = (real_png(12), made_png("checks", 13), made_png("rows", 14), real_jpeg(15, 85))


def test_a_stale_registry_gives_undetermined_and_never_no_evidence(bench: Bench) -> None:
    fresh = verdicts(bench, *FILES, age_s=60.0)
    assert "no_evidence" in {v.outcome for v in fresh}
    for verdict in verdicts(bench, *FILES, age_s=60.5):
        assert (verdict.outcome, verdict.reasons) == ("undetermined", ("registry_stale",))
        assert not verdict.flagged
        assert (verdict.registry_revision, verdict.registry_age_s) == (2, 60.5)


def test_a_registry_that_was_never_loaded_gives_undetermined(bench: Bench) -> None:
    results = bench.pipeline().judge(items(*FILES), RegistryView(None, 0.0))
    assert len(results) == len(FILES)
    for result in results:
        verdict = judged(result).verdict
        assert (verdict.outcome, verdict.reasons) == ("undetermined", ("registry_never_loaded",))
        assert (verdict.registry_revision, verdict.registry_root) == (None, None)
        assert verdict.registry_age_s is None
        assert judged(result).fingerprint is None


def test_an_empty_registry_is_valid_since_the_real_test_needs_no_model(bench: Bench) -> None:
    empty = Bench(bench.bundle, bench.extractor)
    assert [v.outcome for v in verdicts(empty, *FILES)] == [
        "no_evidence",
        "unknown_generator",
        "unknown_generator",
        "no_evidence",
    ]


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        (real_png(16, 23), ("too_small",)),
        (made_png("checks", 16, 20), ("too_small",)),
        (real_jpeg(17, 29), ("jpeg_quality_too_low",)),
        (real_jpeg(17, 10, 20), ("too_small", "jpeg_quality_too_low")),
    ],
)
def test_an_image_that_says_too_little_is_undetermined(
    data: bytes, reasons: tuple[str, ...], bench: Bench
) -> None:
    (verdict,) = verdicts(bench, data)
    assert (verdict.outcome, verdict.reasons) == ("undetermined", reasons)
    assert verdict.real_test is None
    assert verdict.candidates == ()
    assert verdict.crop_agreement is None


def test_a_level_that_the_calibration_cannot_reach_is_undetermined(bench: Bench) -> None:
    policy = load_policy().model_copy(update={"alpha": 0.001})
    (result,) = bench.pipeline(policy).judge(items(made_png("checks", 18)), bench.view())
    verdict = judged(result).verdict
    assert (verdict.outcome, verdict.reasons) == ("undetermined", ("calibration_too_small",))


class Spoiling:
    """The tiny bundle's extractor, whose network fails on the images at some places."""

    def __init__(self, bench: Bench, places: Sequence[int]) -> None:
        self._inner = bench.extractor
        self._places = places
        self.space, self.dimension = self._inner.space, self._inner.dimension
        self.limits: DecodeLimits = self._inner.limits

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        found = self._inner.extract(images)
        for place in self._places:
            found[place] = RejectError("model_nan", "not finite", stage="extract")
        return found


def test_an_image_whose_numbers_are_not_finite_is_rejected_alone(bench: Bench) -> None:
    files = items(real_png(12), real_png(19, 20), made_png("checks", 13), made_png("rows", 14))
    # Of the three that are extracted (one is too small) the second fails.
    results = bench.pipeline(extractor=Spoiling(bench, [1])).judge(files, bench.view())
    assert isinstance(results[2], RejectError)
    assert results[2].code == "model_nan"
    outcomes = [judged(results[at]).verdict.outcome for at in (0, 1, 3)]
    assert outcomes == ["no_evidence", "undetermined", "unknown_generator"]
    assert [judged(results[at]).verdict.offset for at in (0, 1, 3)] == [0, 1, 3]


def test_a_batch_of_which_nothing_can_be_extracted_is_still_answered(bench: Bench) -> None:
    results = bench.pipeline(extractor=Spoiling(bench, [0, 1])).judge(
        items(real_png(12), real_png(1)), bench.view()
    )
    assert [isinstance(result, RejectError) for result in results] == [True, True]
    assert bench.pipeline().judge([], bench.view()) == []


# Determinism ------------------------------------------------------------------------------------


def test_verdict_ids_follow_from_place_and_bundle_alone(bench: Bench) -> None:
    first = verdicts(bench, *FILES)
    again = verdicts(bench, *FILES)
    assert [v.verdict_id for v in first] == [v.verdict_id for v in again]
    assert len({v.verdict_id for v in first}) == len(FILES)
    event, _ = item(FILES[0])
    assert first[0].verdict_id == verdict_id(event.origin, bench.bundle.digest)
    other = Bench(bench.bundle, bench.extractor)
    assert verdicts(other, FILES[0])[0].verdict_id == first[0].verdict_id
    (result,) = bench.pipeline().judge(items(FILES[1]), bench.view())
    alert = judged(result).alert
    assert alert is not None
    assert alert.alert_id == uuid5(first[0].verdict_id, "alert")


def test_neighbours_change_no_verdict(bench: Bench) -> None:
    together = verdicts(bench, *FILES)
    for offset, data in enumerate(FILES):
        (result,) = bench.pipeline().judge([item(data, offset)], bench.view())
        alone = judged(result).verdict
        assert (alone.outcome, alone.model) == (together[offset].outcome, together[offset].model)
        assert alone.verdict_id == together[offset].verdict_id


def test_a_model_that_is_registered_later_is_used_by_the_same_pipeline(
    tiny_bundle: TinyBundle,
) -> None:
    bundle = load_bundle(tiny_bundle.path)
    own = Bench(bundle, TorchExtractor(bundle, "cpu"))
    pipeline = own.pipeline()
    files = items(made_png("rows", 20))
    (before,) = pipeline.judge(files, own.view())
    own.register("rows", samples=50)
    (after,) = pipeline.judge(files, own.view())
    own.registry.retire(bundle.digest, "rows", by="ada", reason="a test")
    (retired,) = pipeline.judge(files, own.view())
    found = [judged(result).verdict for result in (before, after, retired)]
    assert [(v.outcome, v.model) for v in found] == [
        ("unknown_generator", None),
        ("attributed", "rows"),
        ("unknown_generator", None),
    ]
    assert [v.registry_revision for v in found] == [0, 1, 2]
