"""The most realistic tenth: which images it holds, and what the page says of them."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.paper.samples import silent
from training.data.manifest import Manifest
from training.paper import images as paper_images
from training.paper.images import LabelledImages, SetUp
from training.paper.networks.attribution_network import AttributionNetwork
from training.paper.pages import realism as page
from training.paper.studies.attribution_run import base_run
from training.paper.studies.fingerprints import fresh, realism
from training.paper.studies.fingerprints.likeness import nearest_distances, statistics
from training.paper.studies.lab import Lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Five grey photographs of every split, and forty fresh images of each generator."""
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))
    monkeypatch.setattr(paper_images, "DRAWN", {"train": 2, "validation": 2, "test": 2})
    monkeypatch.setattr(fresh, "FRESH", 40)
    for module in (paper_images, realism):
        monkeypatch.setattr(module, "pictures", _grey)
    return Lab(Manifest(tmp_path, ()), "small", tmp_path, lambda line: None, lambda name: silent)


def _grey(manifest: Manifest, content: str, side: int, split: str) -> np.ndarray:
    rng = np.random.default_rng(len(split))
    return rng.integers(100, 150, (5, 3, side, side), dtype=np.uint8)


def pictures(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


def test_each_generator_gives_its_own_tenth_and_the_real_class_stays_whole() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [7, 30, 50])
    blank = np.zeros((87, 3, 1, 1), np.uint8)
    distances = rng.random(87).astype(np.float32)
    parts = realism.tenths(LabelledImages(blank, labels, ("real", "a", "b")), distances)
    for part, pick in (("most", min), ("least", max)):
        expected = set(range(7))
        for label, count in ((1, 3), (2, 5)):
            left = [place for place in range(87) if labels[place] == label]
            for _ in range(count):
                found = pick(left, key=lambda place: distances[place])
                left.remove(found)
                expected.add(found)
        assert parts[part].tolist() == sorted(expected)  # type: ignore[index]
    assert parts["any"].tolist() == [*range(7), 7, 8, 9, *range(37, 42)]


def test_the_distance_is_to_the_nearest_photograph_and_does_not_look_at_places() -> None:
    asked, known = pictures(3, 1), pictures(4, 2)
    asked[0] = known[2]
    found = nearest_distances(asked, known)
    a, b = statistics(asked), statistics(known)
    slow = [min(float(np.linalg.norm(x - y)) for y in b) for x in a]
    np.testing.assert_allclose(found, slow, atol=1e-3)
    assert found[0] < 1e-3 < found[1]


def test_what_several_studies_ask_for_is_computed_once(lab: Lab) -> None:
    setup, calls = lab.setup_named("architectures"), []

    def compute() -> np.ndarray:
        calls.append(1)
        return np.arange(3, dtype=np.float32)

    for by in ("one", "one", "another"):
        assert fresh.computed_once(setup, "numbers", by, compute).tolist() == [0, 1, 2]
    assert len(calls) == 2


def test_the_network_is_asked_about_all_fresh_images_and_about_the_tenths(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = lab.setup_named("architectures")
    network = AttributionNetwork(64, len(setup.sources)).eval()
    monkeypatch.setattr(realism, "trained", lambda run, lab: network)
    chosen = realism.chosen_measurement(lab, setup).compute()
    assert chosen["images"] == {source: 40 if source != "real" else 5 for source in setup.sources}
    assert chosen["most"] < chosen["all"] < chosen["least"]
    assert realism.sheet_of(lab, setup).is_file()
    result = realism.network_measurement(lab, base_run(lab, setup, 0)).compute()
    counts = {part: np.sum(result[part]["confusion"], 1).tolist() for part in result}
    assert counts["all"] == [5, 40, 40, 40, 40]
    assert counts["any"] == counts["most"] == counts["least"] == [5, 4, 4, 4, 4]


def test_the_page_says_whether_the_most_realistic_are_known_as_well(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Not measured yet" in page.page(lab, "command")
    setup = lab.setup_named(realism.SETUP)
    chosen = {"images": dict.fromkeys(setup.sources, 50), "unseen_photographs": 0.2, "all": 0.3}
    distances = {"any": 0.3, "most": 0.25, "least": 0.35}
    keep(lab, setup, chosen | distances)
    for most, said in ((0.985, "is within one point"), (0.97, "is **not** within one point")):
        parts = {"all": 0.99, "any": 0.99, "most": most, "least": 0.995}
        for seed in range(lab.effort.seeds):
            measurement = realism.network_measurement(lab, base_run(lab, setup, seed))
            result = {part: judged(share, setup) for part, share in parts.items()}
            lab.results.keep(measurement, result, 1.0)
        text = page.page(lab, "command")
        assert said in text
        assert "| **the most realistic tenth** | not measured | not measured | not measured |" in (
            text
        )
    assert "| paper, most realistic | 11.99 | 26.69 | 93.50 | 99.93 |" in text
    assert "as the eye has" in text


def keep(lab: Lab, setup: SetUp, result: dict[str, object]) -> None:
    lab.results.keep(realism.chosen_measurement(lab, setup), result, 1.0)


def judged(share: float, setup: SetUp) -> dict[str, object]:
    counts = np.diag([round(1000 * share)] * len(setup.sources))
    counts[:, 0] += 1000 - counts.sum(1)
    return {"accuracy": share, "confusion": counts.tolist(), "fd_ratio": 2.0}
