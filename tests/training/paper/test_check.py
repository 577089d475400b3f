"""`--check` recomputes what was published, and what it needs is there or is asked for."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.paper.samples import silent
from training.data.manifest import Manifest
from training.paper.accuracy import accuracy_of
from training.paper.images import LabelledImages
from training.paper.networks.attribution_file import (
    COPY_SEED,
    export_attribution,
    load_attribution,
)
from training.paper.networks.attribution_network import AttributionNetwork
from training.paper.studies import attribution_run, check
from training.paper.studies.check import Headline
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measurement
from training.paper.studies.visualisation import kept_weights
from training.paper.studies.visualise import own_weights
from training.zoo.checkpoint import load_state
from worker.errors import StopError

MEASUREMENT = Measurement("x/one", {}, dict)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A place of work without photographs."""
    manifest = Manifest(tmp_path, ())
    return Lab(manifest, "small", tmp_path / "pages", lambda line: None, lambda name: silent)


@pytest.fixture
def headline(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Headline:
    """One that is always half right."""
    found = Headline("one", check.ANEW, MEASUREMENT, lambda: 0.5)
    monkeypatch.setattr(check, "headlines", lambda lab: [found])
    return found


def test_the_check_recomputes_what_was_published(lab: Lab, headline: Headline) -> None:
    with pytest.raises(StopError, match="no published figure to check"):
        check.check(lab)
    for accuracy, agrees in ((-1.0, False), (0.504, True), (0.494, False)):
        lab.results.keep(MEASUREMENT, {"accuracy": accuracy}, 1.0)
        (checked,) = check.check(lab)
        assert (checked.published, checked.recomputed) == (accuracy, 0.5)
        assert checked.agrees == agrees


def test_a_copy_may_be_further_from_its_network_than_what_is_fitted_anew() -> None:
    assert check.Checked("one", check.COPY, 0.99, 0.98).agrees
    assert not check.Checked("one", check.ANEW, 0.99, 0.98).agrees
    assert not check.Checked("one", check.COPY, 0.99, 0.97).agrees


def test_the_check_fits_baselines_anew_and_judges_networks_by_copies_of_their_run(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribution_run, "WEIGHTS", tmp_path)
    found = {one.name: one for one in check.headlines(lab)}
    assert {one.how for one in found.values()} == {check.ANEW, check.COPY}
    assert found["knn, seeds"].measurement.name == "attribution/seeds-faces-64/knn"
    run = check.copied_runs(lab)["seeds"]
    sources = run.setup.sources
    network = AttributionNetwork(64, len(sources))
    export_attribution(run.committed, network, sources, {"digest": "d1"})
    with pytest.raises(StopError, match=f"digest d1, expected {run.digest}"):
        found["network, seeds"].recompute()
    export_attribution(run.committed, network, sources, {"digest": run.digest})
    rng = np.random.default_rng(0)
    few = LabelledImages(
        rng.integers(0, 256, (11, 3, 64, 64), dtype=np.uint8), np.arange(11), sources
    )
    lab._images[run.setup, "test"] = few
    expected = accuracy_of(load_attribution(run.committed)[0], few).mean
    assert found["network, seeds"].recompute() == expected


def test_the_copies_that_come_with_the_project_are_small_and_of_what_is_checked(
    lab: Lab,
) -> None:
    runs = check.copied_runs(lab)
    assert {run.committed for run in runs.values()} == set(attribution_run.WEIGHTS.iterdir())
    for run in runs.values():
        network, facts = load_attribution(run.committed)
        assert facts[COPY_SEED] == run.recipe.seed
        assert network.last.weight.shape[0] == len(run.setup.sources)
        assert run.committed.stat().st_size < 100_000


def test_small_copies_are_written_of_what_was_trained_here(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribution_run, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))
    monkeypatch.setattr(attribution_run, "small_copy", lambda *of: {"x": torch.ones(2)})
    assert check.keep_weights(lab) == []
    run = check.copied_runs(lab)["seeds"]
    sources = run.setup.sources
    export_attribution(run.kept, AttributionNetwork(64, 11), sources, {"digest": run.digest})
    lab._images[run.setup, "train"] = LabelledImages(
        np.zeros((0, 3, 64, 64), np.uint8), np.zeros(0, np.int64), sources
    )
    assert check.keep_weights(lab) == [run.committed]
    state, facts = load_state(run.committed)
    assert state.keys() == {"x"}
    assert (facts["digest"], facts[COPY_SEED]) == (run.digest, 0)


def test_visualising_needs_a_network_that_was_trained_here(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))
    with pytest.raises(StopError, match="--study visualisation` trains it"):
        own_weights(lab)
    path = kept_weights(lab, lab.setup_named("architectures"), "inner")
    path.parent.mkdir(parents=True)
    path.touch()
    assert own_weights(lab) == path
