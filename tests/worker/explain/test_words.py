"""A verdict in plain words."""

import re

import pytest

from tests.test_docs import verdict_reasons
from tests.worker.decoder.image_samples import encoded, picture
from tests.worker.explain.explained import explained, measured
from tests.worker.extractor.tiny_bundle import made_png, real_jpeg, real_png, varied_png
from tests.worker.judge.judging import Bench
from worker.explain.words import REASONS, headline, percent, rates, reasons


def test_every_reason_of_a_verdict_has_a_sentence_and_no_other() -> None:
    assert set(REASONS) == {reason.partition(":")[0] for reason in verdict_reasons()}
    assert [words for words in REASONS.values() if not re.fullmatch(r"[A-Z].*\.", words)] == []


def test_the_headline_names_who_is_named(bench: Bench) -> None:
    assert headline(explained(bench, made_png("checks", 7))) == "Attributed to checks"
    unknown = headline(explained(bench, varied_png("rows", 4)))
    assert unknown == "Made, by a generator that is not named"
    assert headline(explained(bench, real_png(8))) == "No evidence"


def test_both_rates_are_told_of_the_test_that_decided(bench: Bench) -> None:
    explanation = explained(bench, made_png("checks", 7))
    found = measured(explanation)
    (like, like_words), (never, never_words) = rates(explanation)
    assert like == "photographs like those of the calibration"
    assert f"0 of {found.names.count} photographs score at least as high" in like_words
    assert "test with registered generators" in like_words
    assert never == "a source never seen"
    assert "6 sources allow no less than 0.14" in never_words
    assert "at most 10\u00a0% may." in never_words
    assert "(p = 0.0016)" in like_words


def test_where_nothing_was_passed_both_tests_are_told(bench: Bench) -> None:
    words = rates(explained(bench, real_png(8)))[0][1]
    assert "beyond the reach of every registered generator, so that none" in words
    assert "test with nothing registered" in words
    without = rates(explained(bench, real_jpeg(9, 85)))[0][1]
    assert "No registered generator could be asked." in without


def test_what_was_not_measured_has_no_rates(bench: Bench) -> None:
    explanation = explained(bench, encoded(picture(64, 64, mode="L"), "PNG"))
    assert rates(explanation) == ()
    assert reasons(explanation) == (REASONS["greyscale"],)
    assert headline(explanation) == "Undetermined"


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0"), (1, "100"), (0.0021, "0.21"), (0.045, "4.5"), (0.12, "12"), (1e-7, "0.001")],
)
def test_shares_are_told_with_the_digits_that_count(share: float, words: str) -> None:
    assert percent(share) == f"{words}\u00a0%"
