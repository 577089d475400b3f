"""A registry made ready elsewhere gives the same verdicts, and leaves the judge no work."""

from dataclasses import replace
from typing import Any

import pytest

from fingerprint_db.calibration import Calibration
from tests.worker.extractor.tiny_bundle import made_png, real_jpeg, real_png
from tests.worker.judge.judging import Bench, items, judged
from worker.judge import photographs
from worker.judge.policy import load_policy
from worker.judge.prepared import Preparer

FILES = (real_png(1), made_png("checks", 2), made_png("rows", 3), real_jpeg(15, 85))


def preparer(bench: Bench) -> Preparer:
    return Preparer(bench.bundle.background, load_policy(), every_codec=True)


def test_verdicts_are_those_of_a_judge_that_makes_ready_itself(bench: Bench) -> None:
    view = bench.view()
    assert view.snapshot is not None
    ready = replace(view, prepared=preparer(bench).prepare(view.snapshot, None))
    expected = [judged(one).verdict for one in bench.pipeline().judge(items(*FILES), view)]
    assert [judged(one).verdict for one in bench.pipeline().judge(items(*FILES), ready)] == expected
    assert {one.outcome for one in expected} >= {"attributed", "no_evidence"}


def test_who_judges_holds_no_photograph_against_the_registry_any_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = bench.view()
    assert view.snapshot is not None
    ready = replace(view, prepared=preparer(bench).prepare(view.snapshot, None))

    class Refusing:
        @staticmethod
        def of(*_arguments: Any) -> None:
            raise AssertionError("the judge waits")

    monkeypatch.setattr(photographs, "Levels", Refusing)
    assert len(bench.pipeline().judge(items(*FILES), ready)) == len(FILES)
    with pytest.raises(AssertionError, match="the judge waits"):
        bench.pipeline().judge(items(*FILES), view)


def test_the_same_models_and_photographs_are_not_made_ready_again(bench: Bench) -> None:
    one, snapshot = preparer(bench), bench.snapshot()
    first = one.prepare(snapshot, None)
    assert one.prepare(replace(snapshot, revision=snapshot.revision + 1), None) is first
    assert one.prepare(snapshot, Calibration.empty(bench.bundle.digest)) is first
    fewer = replace(snapshot, root="0" * 64, models=snapshot.models[:1])
    assert one.prepare(fewer, None) is not first


def test_a_registry_that_follows_another_is_judged_with_as_if_it_were_the_first(
    bench: Bench,
) -> None:
    one, whole = preparer(bench), bench.snapshot()
    fewer = replace(whole, root="0" * 64, models=whole.models[:1])
    fingerprints = bench.fingerprints(*FILES)
    for snapshot in (fewer, whole, fewer):
        found = one.prepare(snapshot, None).matcher.match(fingerprints)
        expected = preparer(bench).prepare(snapshot, None).matcher.match(fingerprints)
        for mine, anew in zip(found, expected, strict=True):
            assert mine.standing == anew.standing
            assert mine.source_p_value == anew.source_p_value
            for reading, plain in zip(mine.readings, anew.readings, strict=True):
                assert [m.model for m in reading.ranked] == [m.model for m in plain.ranked]
                assert reading.highest == pytest.approx(plain.highest, abs=1e-4)
