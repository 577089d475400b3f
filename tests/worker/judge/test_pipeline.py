"""The stages on real files: the right verdict for each, alone or among bad neighbours."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from uuid import uuid5

import numpy as np
import PIL
import pytest

from fingerprint_db.matching.photographs import SourceScores
from tests.worker.extractor.tiny_bundle import (
    SOURCES,
    TinyBundle,
    halved_png,
    halved_real_png,
    made_png,
    real_jpeg,
    real_png,
)
from tests.worker.judge.judging import FILES, NOW, Bench, item, items, judged, sample, verdicts
from worker.decoder.decode import DecodedImage, DecodeLimits
from worker.errors import RejectError
from worker.events.records import verdict_id
from worker.extractor.bundle import load_bundle
from worker.extractor.extract import BlockExtractor, ImageFingerprint
from worker.extractor.nuisance import Nuisance
from worker.judge.attribute import Matcher
from worker.judge.policy import load_policy


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
        ("generic_test",),
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
    assert verdict.crop_count == len(image.regions) == 1
    assert verdict.crop_agreement is None
    assert verdict.condition == "lossless"
    assert verdict.family == "family of checks"
    assert verdict.model_id == "checks"
    assert verdict.worker_version == f"latentprint/{metadata.version('latentprint')}"
    assert verdict.decoder_version == f"pillow/{PIL.__version__}"
    assert verdict.revises is None


def test_a_verdict_states_two_rates_and_how_many_photographs_and_sources_stand_behind(
    bench: Bench,
) -> None:
    clean, named = verdicts(bench, real_png(6), made_png("checks", 6))
    policy = load_policy()
    for verdict in (clean, named):
        names, generic = verdict.name_test, verdict.real_test
        assert names is not None
        assert generic is not None
        assert names.calibration_bin == generic.calibration_bin == "lossless/under_96"
        assert names.calibration_count == generic.calibration_count == 630
        assert names.source_count == SOURCES
        assert (names.alpha, names.alpha_source) == (policy.alpha_name, policy.alpha_source)
        assert generic.alpha == policy.alpha_unknown
        assert names.unseen_source_rate <= names.unseen_source_worst <= 1
        assert names.source_p_value >= 1 / (SOURCES + 1)
        cohort = bench.bundle.background.codecs["lossless"].cohort
        scores = cohort.vectors @ bench.bundle.background.codecs["lossless"].synthesis
        held = ~cohort.normalises & (cohort.size_classes == 0)
        sources = SourceScores.of(scores[held], cohort.photographs[held], cohort.sources[held])
        rate, _ = sources.unseen_rate(policy.alpha_unknown, policy.alpha_source)
        assert generic.false_positive_rate == pytest.approx(rate)
        assert policy.alpha_unknown < generic.false_positive_bound < 3 * policy.alpha_unknown
    assert clean.name_test is not None
    assert clean.name_test.p_value == 1.0, "it is typical of nothing"
    assert named.name_test is not None
    assert named.name_test.p_value == 1 / 631, "two readings, and one question"
    assert named.name_test.worst_source_share == 0.0


def test_a_verdict_says_what_it_was_read_from_and_what_spoke(bench: Bench) -> None:
    clean, named, unknown = verdicts(bench, real_png(6), made_png("checks", 6), made_png("rows", 6))
    for verdict in (clean, named, unknown):
        evidence = verdict.evidence
        assert evidence is not None
        assert (evidence.codec, evidence.pixels_read) == ("lossless", 64 * 64)
        assert evidence.earlier_jpeg_quality is None
        assert set(evidence.kind) == set(Nuisance.NAMES)
        assert evidence.kind["side"] == 6.0, "log2 of 64 pixels"
        constants = bench.bundle.background.constants
        assert evidence.familiarity_limit == constants.unfamiliar_distance
        assert evidence.familiarity_distance is not None
        assert not evidence.unfamiliar
    assert clean.evidence is not None
    assert clean.evidence.blocks == {}
    # Of a named model's score, and of the generic one: their sum is the score but for constants.
    space = bench.bundle.background.codecs["lossless"]
    own = bench.bundle.maps["lossless"]
    assert unknown.evidence is not None
    assert set(unknown.evidence.blocks) == set(own.blocks)
    (fingerprint,) = bench.fingerprints(made_png("rows", 6))
    added = sum(unknown.evidence.blocks.values()) + float(own.offset @ space.synthesis)
    assert added == pytest.approx(fingerprint.synthesis_score, abs=0.01)
    assert named.evidence is not None
    assert sum(named.evidence.blocks.values()) > 5.0


def test_a_file_of_another_codec_is_judged_in_the_space_of_its_own(bench: Bench) -> None:
    """Both generators are enrolled from lossless files alone."""
    (verdict,) = verdicts(bench, real_jpeg(15, 85))
    assert verdict.candidates == ()
    assert verdict.condition == "jpeg85"
    assert verdict.name_test is not None
    assert verdict.name_test.calibration_bin == "jpeg85/under_96"
    assert verdict.evidence is not None
    assert verdict.evidence.codec == "jpeg85"


def test_an_unfamiliar_picture_is_not_flagged_by_either_test(bench: Bench) -> None:
    """A bundle whose photographs are said to be far from everything."""
    background = bench.bundle.background
    strict = replace(
        bench.bundle,
        background=replace(
            background, constants=replace(background.constants, unfamiliar_distance=0.001)
        ),
    )
    files = items(made_png("checks", 2), made_png("rows", 3), real_png(1))
    results = bench.pipeline(bundle=strict).judge(files, bench.view())
    found = [judged(result).verdict for result in results]
    assert [(v.outcome, v.model, v.reasons) for v in found] == [
        ("undetermined", None, ("unfamiliar_picture",)),
        ("undetermined", None, ("unfamiliar_picture",)),
        ("no_evidence", None, ("real_test_not_passed",)),
    ]
    assert [v.flagged for v in found] == [False] * 3
    assert all(v.evidence is not None and v.evidence.unfamiliar for v in found)


def test_a_halved_picture_in_a_lossless_file_is_named_in_the_space_of_such(bench: Bench) -> None:
    """Nothing in the file tells that it was halved; as it is, it is typical of nothing."""
    own = Bench(bench.bundle, bench.extractor)
    own.register("checks", halved=True)
    own.register("columns")
    halved, plain, real = verdicts(own, halved_png("checks", 6), made_png("checks", 6), real_png(6))
    for verdict, codec in ((halved, "half_lossless"), (plain, "lossless")):
        assert (verdict.outcome, verdict.model, verdict.condition) == (
            "attributed",
            "checks",
            codec,
        )
        assert verdict.name_test is not None
        assert verdict.real_test is not None
        assert verdict.evidence is not None
        assert verdict.name_test.p_value == 1 / 631
        assert verdict.name_test.calibration_bin == "lossless/under_96"
        assert verdict.real_test.calibration_bin == "lossless/under_96"
        assert verdict.evidence.codec == "lossless"
        assert [c.condition for c in verdict.candidates if c.name == "checks"] == [codec]
    assert real.outcome == "no_evidence"
    # Of a sum of blocks the direction and the statistics must be of one space.
    (fingerprint,) = own.fingerprints(halved_png("checks", 6))
    reading = fingerprint.reading("half_lossless")
    (names,) = Matcher(own.bundle.background, own.snapshot()).match([fingerprint])
    direction = names.readings[1].direction
    assert direction is not None
    shares = own.bundle.maps["half_lossless"].shares(reading.standard, direction)
    assert halved.evidence is not None
    assert halved.evidence.blocks == pytest.approx(shares, abs=1e-4)


def test_photographs_are_no_evidence_whether_they_were_halved_or_not(bench: Bench) -> None:
    """As they calibrate: a half of those of lossless files had been halved."""
    own = Bench(bench.bundle, bench.extractor)
    own.register("checks", halved=True)
    files = [real_png(number) for number in range(70, 82)]
    files += [halved_real_png(number) for number in range(70, 82)]
    assert [v.outcome for v in verdicts(own, *files)] == ["no_evidence"] * 24


def test_a_shadow_model_is_told_and_not_named(bench: Bench) -> None:
    own = Bench(bench.bundle, bench.extractor)
    own.register("checks", status="shadow")
    real, made = verdicts(own, real_png(1), made_png("checks", 2))
    assert (made.outcome, made.model) == ("unknown_generator", None)
    assert made.reasons == ("generic_test", "shadow_match:checks")
    assert [(c.status, c.accepted, c.lead) for c in made.candidates] == [("shadow", True, None)]
    assert real.reasons == ("real_test_not_passed",)


def test_a_model_of_few_samples_names_its_family_alone(bench: Bench) -> None:
    own = Bench(bench.bundle, bench.extractor)
    own.register("rows", samples=39)
    (verdict,) = verdicts(own, sample("rows", 21))
    assert (verdict.outcome, verdict.model, verdict.family) == (
        "unknown_generator",
        None,
        "family of rows",
    )
    assert verdict.reasons == ("provisional_model",)


def test_candidates_are_ranked_and_cut_to_what_the_policy_shows(bench: Bench) -> None:
    (verdict,) = verdicts(bench, made_png("columns", 7))
    assert [(c.rank, c.name, c.status, c.accepted) for c in verdict.candidates] == [
        (1, "columns", "live", True),
        (2, "checks", "live", False),
    ]
    best, second = verdict.candidates
    assert best.distance <= best.distance_threshold
    assert best.threshold_count == 50
    assert (best.condition, second.condition) == ("lossless", "lossless")
    assert best.similarity > 3 > second.similarity
    assert best.lead is not None
    assert best.lead > bench.bundle.background.constants.margin
    assert second.lead == pytest.approx(-best.lead)
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
    assert flagged.verdict.name_test is not None
    assert alert.p_value == flagged.verdict.name_test.p_value
    assert clean.alert is None
    for one in (flagged, clean):
        record = one.fingerprint
        assert record is not None
        assert (record.verdict_id, record.space) == (one.verdict.verdict_id, bench.bundle.digest)
        assert (record.dimension, record.crop_count) == (8, 1)
        assert record.condition == "lossless"
        assert np.isfinite(record.vector()).all()
        assert list(record.readings()) == ["lossless", "half_lossless"]


def test_what_is_flagged_is_the_policys_choice(bench: Bench) -> None:
    policy = load_policy().model_copy(update={"flag": ("undetermined",)})
    files = items(made_png("checks", 10), real_png(11, 20))
    results = bench.pipeline(policy).judge(files, bench.view())
    assert [judged(r).verdict.flagged for r in results] == [False, True]
    assert [judged(r).alert is not None for r in results] == [False, True]


# Failures never look clean ----------------------------------------------------------------------


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
    own = Bench(bundle, BlockExtractor(bundle))
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
