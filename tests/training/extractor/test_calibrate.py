"""Calibration counts photographs: each stands once in the gate, none is reference and held out."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.worker.decoder.image_samples import picture
from tests.worker.extractor.tiny_bundle import LIMITS, TinyBundle
from training.data.manifest import Entry, Manifest
from training.extractor.calibrate import CalibrationSizes, measure_background, measure_calibration
from training.extractor.cohort import Source
from training.extractor.earlier import covariances_of, network_of
from training.extractor.sources import Photograph, load_photographs
from worker.enrol.recompress import Picture, from_pil, to_pil
from worker.errors import StopError
from worker.extractor.bundle import DOCUMENT, load_bundle


def photographs(first: int, count: int, views: int = 2) -> list[Photograph]:
    def of(number: int) -> Photograph:
        whole = from_pil(picture(128, 128, seed=number))
        return Photograph(number, views, _shifted(whole))

    return [of(first + number) for number in range(count)]


def _shifted(whole: Picture) -> Callable[[np.random.Generator], Picture]:
    def draw(rng: np.random.Generator) -> Picture:
        left = int(rng.integers(0, 8))
        return whole[:, :112, left : left + 112]

    return draw


def test_the_gate_gets_each_photograph_once_however_many_are_asked_for(
    tiny_bundle: TinyBundle,
) -> None:
    """They were drawn with replacement: of 300 rows 154 were distinct."""
    bundle = load_bundle(tiny_bundle.path)
    made = [Source("made.one", False, lambda number, _: from_pil(picture(64, 64, seed=number)))]
    sizes = CalibrationSizes(per_made_source=4, per_photograph=3, real_vectors=300)
    background = measure_background(
        bundle.network, made, photographs(50, 9), bundle.background.constants, LIMITS, sizes, 1
    )
    rows = background.real_vectors
    assert rows.shape[1] == 9
    for of_condition in rows:
        assert len(np.unique(of_condition, axis=0)) == 9
    assert background.constants == bundle.background.constants


def test_every_bin_holds_views_of_each_photograph_and_says_whose_they_are(
    tiny_bundle: TinyBundle,
) -> None:
    bundle = load_bundle(tiny_bundle.path)
    found = measure_calibration(
        bundle.network, photographs(70, 5), photographs(90, 3), LIMITS, seed=1
    )
    for scored in found.reference.values():
        owners, views = np.unique(scored.photographs, return_counts=True)
        assert owners.tolist() == [70, 71, 72, 73, 74]
        assert views.max() == 2
        assert scored.count == 5
    assert {scored.count for scored in found.held_out.values()} == {3}


def test_a_photograph_in_both_lists_is_refused(tiny_bundle: TinyBundle) -> None:
    network = load_bundle(tiny_bundle.path).network
    with pytest.raises(ValueError, match="1 photographs are both reference and held out"):
        measure_calibration(network, photographs(70, 2), photographs(71, 2), LIMITS, seed=1)


def test_photographs_are_known_by_their_files(tmp_path: Path) -> None:
    entries: list[Entry] = []
    for kind, file, split in (
        ("photo", "photos/a/x.png", "validation"),
        ("face", "faces/1.png", "validation"),
        ("photo", "photos/b/y.png", "calibration"),
        ("photo", "photos/b/z.png", "test"),
    ):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        to_pil(from_pil(picture(218, 178, seed=len(entries)))).save(path)
        entries.append(Entry(file, "0", kind, "a", split, "a", "learn"))  # type: ignore[arg-type]
    manifest = Manifest(tmp_path, tuple(entries))
    reference = load_photographs(manifest, "validation", "calibration")
    held_out = load_photographs(manifest, "test")
    assert len(reference) == 3
    assert len({one.identity for one in [*reference, *held_out]}) == 4
    assert all(0 <= one.identity < 2**63 for one in reference)
    for one in reference:
        assert one.draw(np.random.default_rng(1)).dtype == np.uint8


def test_the_network_of_a_bundle_that_is_refused_can_be_read(
    tiny_bundle: TinyBundle, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_bundle.path, tmp_path / "bundle"))
    stated = (folder / DOCUMENT).read_text()
    (folder / DOCUMENT).write_text(stated.replace("latentprint-bundle-2", "latentprint-bundle-1"))
    with pytest.raises(StopError, match="has format"):
        load_bundle(folder)
    network, facts = network_of(folder)
    expected = load_bundle(tiny_bundle.path)
    assert facts == {"made_by": "the tests"}
    for name, value in network.state_dict().items():
        assert torch.equal(value, expected.network.state_dict()[name]), name
    np.testing.assert_array_equal(covariances_of(folder)["within"], expected.background.within)
    (folder / DOCUMENT).write_text("{}")
    with pytest.raises(StopError, match="holds no bundle with a network"):
        network_of(folder)
