"""Wrong options are refused in words, before anything is read."""

import pytest
import typer

from training.commands import open_set


@pytest.mark.parametrize("part", ["3", "x/2", "0/2", "3/2", "1/", "1/-2"])
def test_a_part_that_is_none_is_refused(part: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"expected I/N with I from 1 to N"):
        open_set.corpus(part=part)


def test_a_codec_that_there_is_not_is_refused_with_those_that_are() -> None:
    with pytest.raises(typer.BadParameter, match=r"jpeg91: expected one of lossless, jpeg95"):
        open_set.trial(codec=["jpeg91"])
