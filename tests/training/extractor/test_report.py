"""What the README says of how well it does is what the evaluation's program wrote."""

import json
from pathlib import Path

import pytest

from training.extractor.report import rate_of_photographs, readme_table
from worker.extractor.bundle import DOCUMENT, default_bundle_path, sha256_of
from worker.extractor.calibration import clopper_pearson_upper

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "docs" / "evaluation" / "results.json"


def test_the_readme_shows_the_evaluation_s_own_table() -> None:
    table = readme_table(json.loads(RESULTS.read_text()))
    assert table in (ROOT / "README.md").read_text()


def test_the_evaluation_is_of_the_bundle_that_is_shipped() -> None:
    seen = json.loads(RESULTS.read_text())["bundle"]
    assert seen == sha256_of(default_bundle_path() / DOCUMENT)


def test_the_bound_counts_photographs_and_rounds_their_shares_up() -> None:
    assert rate_of_photographs(0.0, 26) == (0.0, clopper_pearson_upper(0, 26))
    rate, bound = rate_of_photographs(1.1, 26)
    assert rate == pytest.approx(1.1 / 26)
    assert bound == clopper_pearson_upper(2, 26)
    assert rate_of_photographs(0.1 + 0.2 + 0.7, 26)[1] == clopper_pearson_upper(1, 26)
