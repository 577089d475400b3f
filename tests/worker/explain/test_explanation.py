"""An explanation shows the numbers that decided."""

import json
from dataclasses import replace

import pytest

from fingerprint_db.memory_registry import MemoryRegistry
from tests.worker.decoder.image_samples import encoded, picture
from tests.worker.explain.explained import explained, measured
from tests.worker.extractor.tiny_bundle import (
    LIMITS,
    halved_png,
    jpeg_in_png,
    made_png,
    real_jpeg,
    real_png,
    varied_png,
)
from tests.worker.judge.judging import Bench, item, judged
from tests.worker.judge.test_tenant import own_photographs
from worker.decoder.decode import decode
from worker.errors import StopError
from worker.explain.document import to_document
from worker.explain.explanation import explain
from worker.explain.words import told_photographs
from worker.judge.policy import load_policy


def test_a_named_picture_is_explained_by_the_generator_that_is_named(bench: Bench) -> None:
    explanation = explained(bench, made_png("checks", 7))
    found, verdict = measured(explanation), explanation.verdict
    assert verdict.outcome == "attributed"
    assert verdict.name_test is not None
    assert verdict.evidence is not None
    assert (found.by_name, found.likeliest) == (True, "checks")
    assert found.names.score == pytest.approx(verdict.candidates[0].similarity, rel=1e-5)
    assert found.names.p_value == verdict.name_test.p_value
    assert found.named_codec == "lossless"
    assert found.names.count == verdict.name_test.calibration_count
    assert found.names.sources == verdict.name_test.source_count
    assert found.named_blocks == pytest.approx(verdict.evidence.blocks, abs=1e-4)


def test_a_picture_that_was_named_as_halved_is_explained_in_the_space_of_such(
    bench: Bench,
) -> None:
    own = Bench(bench.bundle, bench.extractor)
    own.register("checks", halved=True)
    explanation = explained(own, halved_png("checks", 7, 128))
    found, verdict = measured(explanation), explanation.verdict
    assert verdict.outcome == "attributed"
    assert verdict.name_test is not None
    assert verdict.evidence is not None
    assert found.named_codec == verdict.condition == "half_lossless"
    assert found.names.p_value == verdict.name_test.p_value
    assert found.names.score == pytest.approx(verdict.candidates[0].similarity, rel=1e-5)
    assert found.named_blocks == pytest.approx(verdict.evidence.blocks, abs=1e-4)
    named = [part.named for part in found.parts if part.named is not None]
    assert len(named) == 4
    assert all(one.passes for one in named), "each part is read in that space as well"
    document = to_document(explanation)["measured"]
    assert document["named_codec"] == "half_lossless"
    assert document["names"]["p_value"] == found.names.p_value
    share = verdict.name_test.worst_source_share
    assert document["names"]["worst_source_share"] == share


def test_a_picture_of_an_unknown_generator_is_explained_by_the_generic_test(bench: Bench) -> None:
    explanation = explained(bench, varied_png("rows", 4))
    found, verdict = measured(explanation), explanation.verdict
    assert verdict.reasons == ("generic_test",)
    assert verdict.real_test is not None
    assert verdict.evidence is not None
    assert not found.by_name
    assert found.generic.passes
    assert found.generic.standing.p_value == verdict.real_test.p_value
    assert found.generic_blocks == pytest.approx(verdict.evidence.blocks, abs=1e-4)


@pytest.mark.parametrize("generator", ["checks", "columns"])
def test_the_parts_of_a_made_picture_agree(bench: Bench, generator: str) -> None:
    found = measured(explained(bench, made_png(generator, 21, 128)))
    assert [part.where for part in found.parts] == [
        "top left",
        "top right",
        "bottom left",
        "bottom right",
    ]
    assert all(part.pixels == 64 * 64 for part in found.parts)
    assert found.agreement == 1.0


def test_the_parts_of_a_photograph_are_on_its_side(bench: Bench) -> None:
    found = measured(explained(bench, real_png(8, 128)))
    assert not found.names.passes
    assert not found.generic.passes
    assert found.agreement is not None
    assert found.agreement >= 0.75


def test_under_a_codec_without_generators_the_names_are_silent(bench: Bench) -> None:
    found = measured(explained(bench, real_jpeg(9, 85)))
    assert found.likeliest is None
    assert found.on_photographs is None
    assert found.named_blocks == {}
    assert all(part.named is None for part in found.parts)
    assert found.names.without == found.names.count


@pytest.mark.parametrize(("count", "words"), [(100, "of them your own"), (1000, "all of them")])
def test_a_tenants_photographs_count_as_they_did_in_the_verdict(
    bench: Bench, count: int, words: str
) -> None:
    calibration = MemoryRegistry().store_calibration(
        bench.bundle.digest, own_photographs(count), seen=0, by="ada", reason="a test"
    )
    view = replace(bench.view(), calibration=calibration)
    explanation = explained(bench, made_png("checks", 3), view)
    found, verdict = measured(explanation), explanation.verdict
    assert verdict.name_test is not None
    assert verdict.calibration_digest == calibration.digest
    assert found.names.count == verdict.name_test.calibration_count
    assert found.names.alone == found.generic.alone == (count == 1000)
    assert 0 < found.names.own <= count
    assert words in told_photographs(found.names)
    assert found.kinds[0].least == pytest.approx(0, abs=0.01)
    assert (found.kinds[0].most < 0.01) == (count == 1000)


def test_of_a_jpeg_of_too_low_a_quality_in_a_png_its_quality_is_told(bench: Bench) -> None:
    explanation = explained(bench, jpeg_in_png(17, 20))
    assert explanation.verdict.reasons == ("jpeg_quality_too_low",)
    assert explanation.measured is None
    assert explanation.degradation.earlier is not None
    assert explanation.degradation.earlier.quality == 20


def test_of_a_picture_that_cannot_be_judged_only_the_arrival_is_told(bench: Bench) -> None:
    explanation = explained(bench, encoded(picture(64, 64, mode="L"), "PNG"))
    assert explanation.verdict.reasons == ("greyscale",)
    assert explanation.measured is None
    assert explanation.degradation.pixels_read == 4096


def test_a_verdict_of_another_registry_or_policy_is_not_explained(bench: Bench) -> None:
    data = made_png("checks", 7)
    (result,) = bench.pipeline().judge([item(data)], bench.view())
    verdict = judged(result).verdict
    other = load_policy().model_copy(update={"alpha_name": 0.02})
    with pytest.raises(StopError, match="another bundle or policy"):
        explain(
            decode(data, LIMITS),
            verdict,
            bench.view(),
            bundle=bench.bundle,
            extractor=bench.extractor,
            policy=other,
        )
    empty = Bench(bench.bundle, bench.extractor).view()
    with pytest.raises(StopError, match="judge the image again"):
        explain(
            decode(data, LIMITS),
            verdict,
            empty,
            bundle=bench.bundle,
            extractor=bench.extractor,
            policy=load_policy(),
        )


@pytest.mark.parametrize("data", [made_png("checks", 7), real_jpeg(9, 85), real_png(3)])
def test_an_explanation_is_json_without_numbers_that_json_lacks(bench: Bench, data: bytes) -> None:
    explanation = explained(bench, data)
    document = json.loads(json.dumps(to_document(explanation), allow_nan=False))
    found = measured(explanation)
    assert document["verdict"]["outcome"] == explanation.verdict.outcome
    assert document["measured"]["generic"]["score"] == pytest.approx(found.generic.score)
    assert document["measured"]["crop_agreement"] == found.agreement
    assert len(document["measured"]["kinds"]) == 15
