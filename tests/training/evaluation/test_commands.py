"""Wrong options are refused in words, before anything is read."""

from pathlib import Path

import pytest
import typer

from training.commands.evaluate import evaluate
from worker.errors import StopError


def test_a_suite_a_size_or_a_condition_that_there_is_not_is_refused_with_those_that_are() -> None:
    with pytest.raises(typer.BadParameter, match="closed-set: expected one of open-set"):
        evaluate(suite="closed-set")
    with pytest.raises(typer.BadParameter, match="100: expected one of 64, 128"):
        evaluate(sizes=[100])
    with pytest.raises(typer.BadParameter, match="jpeg91: expected one of clean"):
        evaluate(conditions=["jpeg91"])


def test_pages_alone_need_a_result(tmp_path: Path) -> None:
    with pytest.raises(StopError, match="measure first"):
        evaluate(output=tmp_path, pages_only=True)
