"""Generators are trained on from one length to the next, and measured at each."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.paper.samples import silent
from training.data.manifest import Manifest, Split
from training.paper import images
from training.paper.images import LabelledImages, SetUp
from training.paper.studies.fingerprints import lengths
from training.paper.studies.lab import Lab
from training.zoo.checkpoint import facts_of
from worker.errors import StopError

SETUP = SetUp("seeds", "faces", "small")
MODEL = SETUP.models[0]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Grey photographs, and three images of each generator."""
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))

    def grey(manifest: Manifest, content: str, side: int, split: Split) -> NDArray[np.uint8]:
        return np.full((32, 3, side, side), 128, np.uint8)

    monkeypatch.setattr(lengths, "pictures", grey)
    monkeypatch.setattr(images, "DRAWN", {"train": 3, "validation": 3, "test": 3})
    manifest = Manifest(tmp_path, ())
    return Lab(manifest, "small", tmp_path / "pages", lambda line: None, lambda name: silent)


@dataclass
class Asked:
    """What a baseline was fitted and judged on."""

    method: str
    train: LabelledImages
    test: LabelledImages


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Every call of a baseline, which answers with its name."""
    calls: list[Asked] = []

    def judge(
        method: str, train: LabelledImages, validation: LabelledImages, test: LabelledImages
    ) -> dict[str, str]:
        calls.append(Asked(method, train, test))
        return {"of": method}

    monkeypatch.setattr(lengths, "judge_baseline", judge)
    return calls


def test_a_longer_training_goes_on_from_a_shorter_one_and_both_are_kept(lab: Lab) -> None:
    short, long = (lengths.weights_after(lab, MODEL, iterations) for iterations in (1, 2))
    assert [facts_of(path)["iterations"] for path in (short, long)] == [1, 2]
    written = short.stat().st_mtime_ns
    assert lengths.weights_after(lab, MODEL, 1) == short
    assert short.stat().st_mtime_ns == written
    short.unlink()
    with pytest.raises(StopError, match="is at iteration 2, beyond 1"):
        lengths.weights_after(lab, MODEL, 1)


def test_at_the_set_s_own_length_the_generators_are_the_set_s_own(
    lab: Lab, asked: list[Asked]
) -> None:
    assert lengths.weights_after(lab, MODEL, MODEL.iterations) == MODEL.weights
    result = lengths.measurement(lab, SETUP, MODEL.iterations).compute()
    assert result == {name: {"of": name} for name in lengths.METHODS}
    assert {call.method for call in asked} == set(lengths.METHODS)
    sources = ("real", "sngan_seed1", "sngan_seed2", "sngan_seed3")
    for call in asked:
        assert call.train.sources == call.test.sources == sources
        assert call.train.counts() == {"real": 32} | dict.fromkeys(sources[1:], 3)
        assert (call.train.images[32:] != call.test.images[32:]).any()


def test_every_length_is_a_measurement_of_its_own_and_size_paper_has_none(lab: Lab) -> None:
    measured = lengths.measurements(lab, SETUP)
    assert [one.name.rpartition("/")[2] for one in measured] == [
        "250",
        "500",
        "1000",
        "2000",
        "3000",
    ]
    assert len({one.digest for one in measured}) == 5
    large = Lab(lab.manifest, "paper", lab.folder, lab.say, lab.progress)
    assert lengths.measurements(large, SetUp("seeds", "faces", "paper")) == []
